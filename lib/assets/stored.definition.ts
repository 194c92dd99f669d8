// What the ledger keeps of a definition, and how a process reads it that has another one of the asset, or no class of it.
// Which of the two counts is not decided here.
import { FlowStoneError } from '../flowstone.errors.js';
import type { JsonObject } from '../ledger/records.js';
import type { MappingSpec } from '../partitions/mapping.js';
import type { FunctionMapping } from '../partitions/mapping-spec.js';
import { Partitions, readFingerprint, schemeFingerprint, type CustomScheme } from '../partitions/partitions.js';
import type { AssetDefinition, DeclaredAsset, DependencyDefinition } from './asset.definition.js';

/** Named one by one and not cloned: there may be ten thousand, and copying whole definitions took a third of a boot. */
export function storedDefinition(definition: AssetDefinition): JsonObject {
  const { external, description, group, owners, tags, kinds, io, ioFacts, scheme, codeVersion } = definition;
  const { retry, timeout, batchSize, checkpoint, automation, freshness, checks, pool, priority, keep } = definition;
  const { metadata, dependencies, resources } = definition;
  const facts: Record<string, unknown> = {
    external,
    description,
    group,
    owners,
    tags,
    kinds,
    io,
    ioOptions: ioFacts,
    codeVersion,
    retry,
    timeout,
    batchSize,
    checkpoint,
    automation,
    freshness,
    checks,
    pool,
    priority,
    keep,
    metadata,
    dependencies,
    scheme: schemeFingerprint(scheme),
    resources: Object.keys(resources),
  };
  // What is undefined, and functions of mappings, fall away as the ledger writes it.
  return facts as JsonObject;
}

/** The code of this process that a stored definition may mean: functions are compared by the place where they stand. */
export interface KnownCode {
  scheme(name: string, dimensions: readonly string[]): CustomScheme | undefined;
  mapping(asset: string, alias: string): MappingSpec | undefined;
}

/** A stored definition as it was declared. */
export interface ReadDefinition {
  readonly declared: DeclaredAsset;
  /** False: some code of it is not here. Whoever needs that is told so by FLOWSTONE_ASSET_CODE_ELSEWHERE. */
  readonly complete: boolean;
}

/** The reverse of {@link storedDefinition}. */
export function readStored(key: string, hash: string, stored: JsonObject, code: KnownCode): ReadDefinition {
  let complete = true;
  const lacking = (what: string): (() => never) => {
    complete = false;
    return () => {
      throw elsewhere(key, what);
    };
  };
  const facts = stored as unknown as Omit<DeclaredAsset, 'key' | 'hash' | 'scheme'> & { readonly scheme: string };
  const scheme = readFingerprint(
    facts.scheme,
    (name, dimensions) =>
      code.scheme(name, dimensions) ??
      Partitions.custom(lacking(`the custom scheme "${name}"`), { name, dimensions: [...dimensions] }),
  );
  const dependencies = facts.dependencies.map((dependency): DependencyDefinition => {
    const { alias, mapping } = dependency;
    if (!hasFunctions(mapping)) return dependency;
    const known = code.mapping(key, alias);
    if (known && hasFunctions(known)) return { ...dependency, mapping: known };
    const upstream = lacking(`the mapping of its dependency "${alias}"`);
    const functions = { ...mapping.mapping, upstream, downstream: upstream };
    return { ...dependency, mapping: { ...mapping, mapping: functions } };
  });
  return { declared: { ...facts, key, hash, scheme, dependencies }, complete };
}

function hasFunctions(
  mapping: MappingSpec,
): mapping is Extract<MappingSpec, { kind: 'mapped' }> & { readonly mapping: FunctionMapping } {
  return mapping.kind === 'mapped' && mapping.mapping.kind === 'function';
}

function elsewhere(asset: string, what: string): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_ASSET_CODE_ELSEWHERE',
    `The current definition of ${asset} is another than the one of this process, which does not have the code of ${what}. Ask a process that runs that version.`,
    { context: { asset } },
  );
}
