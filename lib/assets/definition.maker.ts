// Makes the definition of a declaration that was checked: fills in defaults and turns classes into keys.
import type { PartitionScheme } from '../partitions/partitions.js';
import type { AssetClass, AssetDefinition, CheckpointDefinition, DependencyDefinition } from './asset.definition.js';
import { automationDefinition } from './automation.options.js';
import { keptVersions, retryPolicy } from './asset.options.js';
import type { Declaration } from './declaration.reader.js';
import { approvalRule, type MarkedDecision } from './checkpoint.options.js';
import { definitionHash } from './definition.hash.js';
import { freshnessDefinition } from './freshness.options.js';
import { parseDuration } from './duration.js';

/** The definition; `declaration` is without mistakes, `byClass` has its upstreams, `ioFacts` are its options as plain data. */
export function defineAsset(
  declaration: Declaration,
  scheme: PartitionScheme | undefined,
  byClass: ReadonlyMap<AssetClass, Declaration>,
  ioFacts: AssetDefinition['ioFacts'],
  checks: AssetDefinition['checks'] = [],
): AssetDefinition {
  const { asset, key, options, managerOptions, decision } = declaration;
  const { description, group, io, codeVersion, retry, timeout, batch } = options;
  const dependencies = declaration.dependencies.map(({ alias, upstream, spec }): DependencyDefinition => {
    const { mapping, optional, ordering, columns } = spec;
    return { alias, upstream: byClass.get(upstream)!.key, mapping, optional, ordering, columns };
  });
  const definition = {
    key,
    target: asset.target,
    external: options.external ?? false,
    description,
    group,
    owners: options.owners ?? [],
    tags: options.tags ?? [],
    kinds: options.kinds ?? [],
    io,
    ioOptions: managerOptions,
    ioFacts,
    scheme,
    codeVersion,
    retry: retry && retryPolicy(retry),
    timeout: timeout === undefined ? undefined : parseDuration(timeout),
    batchSize: batch?.size,
    checkpoint: decision && checkpointDefinition(decision, asset.methods),
    modification: decision?.modification,
    automation: options.automation && automationDefinition(options.automation),
    freshness: options.freshness && freshnessDefinition(options.freshness),
    checks,
    pool: options.pool ?? 'default',
    keep: keptVersions(options.keep),
    priority: options.priority ?? 0,
    metadata: options.metadata ?? {},
    formerly: options.formerly ?? [],
    dependencies,
    resources: Object.fromEntries(declaration.resources),
    hash: '',
  };
  definition.hash = definitionHash(definition);
  return definition;
}

function checkpointDefinition(decision: MarkedDecision, methods: readonly string[]): CheckpointDefinition {
  const { signal, message } = decision;
  return { kind: signal ? 'signal' : 'checkpoint', rule: approvalRule(decision, methods), message };
}
