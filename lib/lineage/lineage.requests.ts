// What the methods of `flowstone.lineage` take: each option with its type, its meaning and what is expected of it.
import type { AssetClass } from '../assets/asset.definition.js';
import { flag, isRecord, oneOf, wholeFrom, type Expectation } from '../assets/expectations.js';
import type { EntityManager } from '../ledger/ledger.port.js';
import type { PartitionKeyInput } from '../partitions/partition-key.js';
import { elsewhere, type Expected } from '../request.options.js';
import type { RunOptions } from '../runs/requester.js';
import type { GraphDirection } from './graph.view.js';

/** Where provenance begins, and how far it is followed. */
export interface TraceOptions {
  /** Of a partitioned asset; a retired one has provenance as well. */
  readonly partition?: PartitionKeyInput;
  /** Id of a materialization that succeeded; by default the head. */
  readonly version?: number;
  /** Steps at most; without it as far as it goes. */
  readonly depth?: number;
  /** As of this moment: the head there was then, downstream only what was completed by then. */
  readonly at?: Date;
  /** Versions at most, 10,000 by default and 100,000 at most: `truncated` says where there are more. */
  readonly limit?: number;
}

/** Which partitions are meant: one, some, a range (both ends included); without either all that exist. */
export interface PartitionsOfLineage {
  readonly partition?: PartitionKeyInput;
  readonly partitions?:
    'all' | readonly PartitionKeyInput[] | { readonly from: PartitionKeyInput; readonly to: PartitionKeyInput };
}

/** What is taken to have changed. */
export type ImpactOptions = PartitionsOfLineage;

/** What is invalidated, by whom and why. */
export interface InvalidateOptions extends PartitionsOfLineage {
  /** Also all that consumes it, directly or not. */
  readonly downstream?: boolean;
  readonly by?: string;
  readonly reason?: string;
  /** An open transaction on the ledger's database: the act exists exactly if it commits. */
  readonly manager?: EntityManager;
}

/** Of what the stale is to be materialized, and how the run is made. */
export interface StaleOptions extends PartitionsOfLineage, RunOptions {}

/** Which part of the graph; without an asset all of it. */
export interface GraphOptions {
  /** The asset that the part is around. */
  readonly asset?: AssetClass | string;
  /** By default both. */
  readonly direction?: GraphDirection;
  /** Steps from the asset at most. */
  readonly depth?: number;
}

export interface DiffOptions {
  /** Differences that are told at most: 1,000 by default, 10,000 at most; all are counted. */
  readonly limit?: number;
}

export interface AuditOptions {
  readonly partition?: PartitionKeyInput;
  /** Id of a materialization of it, whatever became of that; by default the head, without one the newest. */
  readonly version?: number;
}

const MOST_STEPS = 1_000_000;
const MOST_VERSIONS = 100_000;
const id = wholeFrom(1, Number.MAX_SAFE_INTEGER);
const moment: Expectation = (value) =>
  value instanceof Date && !Number.isNaN(value.getTime()) ? undefined : 'a valid Date';
const somePartitions: Expectation = (value) => {
  const isRange = isRecord(value) && Object.keys(value).sort().join() === 'from,to';
  return value === 'all' || isRange || Array.isArray(value) ? undefined : "'all' or a list or { from, to }";
};

export const TRACE: Expected<TraceOptions> = {
  partition: elsewhere,
  version: id,
  depth: wholeFrom(1, MOST_STEPS),
  at: moment,
  limit: wholeFrom(1, MOST_VERSIONS),
};
export const IMPACT: Expected<ImpactOptions> = { partition: elsewhere, partitions: somePartitions };
export const INVALIDATE: Expected<InvalidateOptions> = {
  ...IMPACT,
  downstream: flag,
  by: elsewhere,
  reason: elsewhere,
  manager: elsewhere,
};
export const STALE: Expected<StaleOptions> = {
  ...IMPACT,
  runKey: elsewhere,
  priority: wholeFrom(-MOST_STEPS),
  tags: (value) => (isRecord(value) ? undefined : 'an object'),
  requestedBy: elsewhere,
  maxConcurrency: wholeFrom(1),
  failFast: flag,
  manager: elsewhere,
};
export const GRAPH: Expected<GraphOptions> = {
  asset: elsewhere,
  direction: oneOf('upstream', 'downstream', 'both'),
  depth: wholeFrom(0, MOST_STEPS),
};
export const DIFF: Expected<DiffOptions> = { limit: wholeFrom(0, 10_000) };
export const AUDIT: Expected<AuditOptions> = { partition: elsewhere, version: id };
/** Of pages of an impact. */
export const IMPACT_PAGE: Expected<{ readonly from?: number; readonly limit?: number }> = {
  from: wholeFrom(0, Number.MAX_SAFE_INTEGER),
  limit: wholeFrom(1, 10_000),
};
