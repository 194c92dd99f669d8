// From what a caller passes (classes, keys, selections; any form of partition key) to a canonical, validated request.
import type { AssetClass, DeclaredAsset } from '../assets/asset.definition.js';
import { FlowStoneError } from '../flowstone.errors.js';
import { didYouMean } from '../graph/did-you-mean.js';
import type { PartitionSelection, RunRequest } from '../ledger/records.js';
import { WHOLE, type PartitionKeyInput } from '../partitions/partition-key.js';
import { canonicalKey, requireOrdinal } from '../partitions/partition-set.js';
import { schemeLeaves } from '../partitions/partition-scheme.js';
import type { PlanningFacts } from '../planning/planning.port.js';
import type { PlanningModel } from '../planning/planning-model.js';
import { selectAssets } from '../planning/select-assets.js';
import type { Catalogue } from './catalogue.js';
import type { PartitionMoments } from './partition.moments.js';

/** A class, a key or selection, or several of them. */
export type Target = AssetClass | string | readonly (AssetClass | string)[];

/** Which partitions of the targets are meant. Ranges include both ends. */
export type PartitionsOption =
  | 'all'
  | 'missing'
  | 'stale'
  | 'failed'
  | readonly PartitionKeyInput[]
  | { readonly from: PartitionKeyInput; readonly to: PartitionKeyInput };

/** What is to be materialized, beside the targets. */
export interface PlanOptions {
  /** One partition. */
  readonly partition?: PartitionKeyInput;
  readonly partitions?: PartitionsOption;
  /** Upstreams: what is stale of them (default), all of them by force, or none. */
  readonly upstream?: 'stale' | 'all' | 'none';
  /** Also everything downstream of the targets. */
  readonly downstream?: boolean;
  /** Recompute the targets though they are fresh. */
  readonly force?: boolean;
}

const NAMED: ReadonlySet<unknown> = new Set(['all', 'missing', 'stale', 'failed']);

export class RequestReader {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly facts: PlanningFacts,
  ) {}

  /** @throws FlowStoneError of the family `request`; nothing has been recorded then. */
  async read(model: PlanningModel, target: Target, options: PlanOptions): Promise<RunRequest> {
    if (options.partition !== undefined && options.partitions !== undefined) {
      throw bothGiven();
    }
    const { definitions, sole } = await this.resolve(model, target);
    const partitions = options.partition === undefined ? options.partitions : [options.partition];
    const targets = definitions
      .map((definition) => ({ asset: definition.key, partitions: selectionFor(model, definition, partitions, sole) }))
      .filter((entry): entry is { asset: string; partitions: PartitionSelection } => entry.partitions !== undefined);
    if (targets.length === 0) throw noneTakes(target, definitions, partitions);
    return {
      targets: targets.sort((a, b) => (a.asset < b.asset ? -1 : 1)),
      upstream: options.upstream ?? 'stale',
      downstream: options.downstream ?? false,
      force: options.force ?? false,
      forceMaxAge: null,
    };
  }

  /** The assets a target names, external ones left out of selections. `sole`: it names exactly one, by itself. */
  async resolve(model: PlanningModel, target: Target): Promise<{ definitions: DeclaredAsset[]; sole: boolean }> {
    const parts = typeof target === 'object' ? target : [target];
    const keys = new Set<string>();
    for (const part of parts) {
      if (typeof part !== 'string') keys.add(this.catalogue.resolve(part).key);
      else for (const key of await this.#select(model, part)) keys.add(key);
    }
    const all = [...keys].map((key) => this.catalogue.resolve(key));
    const computed = all.filter(({ external }) => !external);
    if (computed.length > 0) return { definitions: computed, sole: all.length === 1 };
    const what =
      all.length === 0
        ? `Nothing is selected by ${describe(target)}.`
        : `${all[0]!.key} is external: its versions are reported with reportVersion(), not computed.`;
    throw invalid(what);
  }

  /** The canonical key of a partition that exists in the model; without a partition that of an unpartitioned asset. */
  partitionIn(model: PlanningModel, asset: string, input: PartitionKeyInput | undefined): string {
    const { scheme } = this.catalogue.resolve(asset);
    if (scheme && input === undefined) throw partitionRequired(asset);
    if (input === undefined) return WHOLE;
    const set = model.setOf(model.requireIndex(asset));
    return naming(asset, () => set.keyAt(requireOrdinal(set, scheme, input)));
  }

  /** The same at this moment. */
  async partition(moments: PartitionMoments, asset: string, input: PartitionKeyInput | undefined): Promise<string> {
    try {
      return this.partitionIn(await moments.recent([asset]), asset, input);
    } catch (error) {
      // A window may have ended, or a key have been added elsewhere, since the model was made.
      if (!(error instanceof FlowStoneError) || error.code !== 'FLOWSTONE_PARTITION_UNKNOWN') throw error;
      return this.partitionIn(await moments.fresh({ assets: [asset] }), asset, input);
    }
  }

  /** @throws FlowStoneError for a name that no dynamic scheme has, or keys that cannot be keys */
  requireDynamic(name: string, keys: readonly string[]): void {
    const leaves = this.catalogue.definitions.flatMap(({ scheme }) => (scheme ? schemeLeaves(scheme) : []));
    const scheme = leaves.find((leaf) => leaf.kind === 'dynamic' && leaf.name === name);
    if (scheme) return keys.forEach((key) => void canonicalKey(scheme, key));
    const names = leaves.flatMap((leaf) => (leaf.kind === 'dynamic' ? [leaf.name] : []));
    throw invalid(`No asset is partitioned by Partitions.dynamic('${name}')${didYouMean(name, names)}.`, { name });
  }

  async #select(model: PlanningModel, text: string): Promise<string[]> {
    if (this.catalogue.find(text)) return [text];
    return selectAssets(model, this.facts, text, (asset) => this.catalogue.resolve(asset));
  }
}

/** Undefined: the asset is one of several and has no such partitions. */
function selectionFor(
  model: PlanningModel,
  { key, scheme }: DeclaredAsset,
  partitions: PartitionsOption | undefined,
  sole: boolean,
): PartitionSelection | undefined {
  if (isNamed(partitions)) return partitions;
  if (!scheme) {
    if (partitions === undefined || !sole) return { keys: [WHOLE] };
    throw invalid(`${key} is not partitioned. Leave the partition out.`, { asset: key });
  }
  if (partitions === undefined) {
    throw partitionRequired(key);
  }
  const set = model.setOf(model.requireIndex(key));
  const known = (input: PartitionKeyInput): string => set.keyAt(requireOrdinal(set, scheme, input));
  const read = (): PartitionSelection =>
    'from' in partitions
      ? { from: known(partitions.from), to: known(partitions.to) }
      : { keys: [...new Set(partitions.map(known))] };
  try {
    return naming(key, read);
  } catch (error) {
    if (sole || !(error instanceof FlowStoneError)) throw error;
    return undefined;
  }
}

/** Errors about partitions do not know whose they are. */
function naming<T>(asset: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FlowStoneError)) throw error;
    throw new FlowStoneError(error.code, `${asset}: ${error.message}`, { context: { ...error.context, asset } });
  }
}

function partitionRequired(asset: string): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_PARTITION_REQUIRED',
    `${asset} is partitioned. Say which: { partition: '...' }, or where several may be meant { partitions: 'missing' | 'stale' | 'failed' | 'all' | [...] | { from, to } }.`,
    { context: { asset } },
  );
}

function isNamed(partitions: PartitionsOption | undefined): partitions is 'all' | 'missing' | 'stale' | 'failed' {
  return NAMED.has(partitions);
}

function noneTakes(
  target: Target,
  definitions: readonly DeclaredAsset[],
  partitions: PartitionsOption | undefined,
): FlowStoneError {
  const keys = definitions.map(({ key }) => key).slice(0, 10);
  return new FlowStoneError(
    'FLOWSTONE_PARTITION_UNKNOWN',
    `No asset of ${describe(target)} (${keys.join(', ')}) has the partitions ${JSON.stringify(partitions)}.`,
    { context: { assets: keys } },
  );
}

function describe(target: Target): string {
  if (typeof target === 'string') return `"${target}"`;
  return typeof target === 'function' ? target.name : `[${target.map(describe).join(', ')}]`;
}

export function bothGiven(): FlowStoneError {
  return invalid('Pass either `partition` or `partitions`, not both.');
}

function invalid(message: string, context: Record<string, unknown> = {}): FlowStoneError {
  return new FlowStoneError('FLOWSTONE_REQUEST_INVALID', message, { context });
}
