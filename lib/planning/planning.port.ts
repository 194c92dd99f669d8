// What planning is told: the declared assets, and the recorded facts it reads through a port.
// The ledger answers the port; nothing here knows how.

import type { SummaryStore } from '../ledger/summary.records.js';
import type { MappingSpec } from '../partitions/mapping.js';
import type { PartitionScheme } from '../partitions/partitions.js';

/** An asset as planning sees it. */
export interface PlanningAsset {
  readonly key: string;
  /** Not computed here: never planned, and never stale. */
  readonly external: boolean;
  /** Undefined: changes of code do not make it stale. */
  readonly codeVersion: string | undefined;
  /** Undefined: exactly one partition. */
  readonly scheme: PartitionScheme | undefined;
  readonly dependencies: readonly PlanningDependency[];
}

export interface PlanningDependency {
  readonly alias: string;
  /** Key of the upstream asset. */
  readonly upstream: string;
  readonly mapping: MappingSpec;
  /** Consumed where it exists, never planned in. */
  readonly optional: boolean;
  /** `after()`: must succeed first, is not consumed. */
  readonly ordering: boolean;
}

/** One consumed version. */
export interface InputVersion {
  readonly asset: string;
  readonly partition: string;
  readonly dataVersion: string;
}

/** Which heads are asked for. */
export interface HeadQuery {
  readonly asset: string;
  readonly partitions: 'all' | readonly string[];
}

/** What is recorded of the head of one (asset, partition). */
export interface HeadFact {
  /** Its number in the ledger, where that numbers heads. */
  readonly id?: number;
  readonly partition: string;
  /** Null: no head (nothing succeeded yet, or it was deleted). */
  readonly materialization: number | null;
  readonly dataVersion: string | null;
  readonly codeVersion: string | null;
  /** {@link inputsFingerprint} of what it consumed. */
  readonly inputs: string | null;
  /** {@link declaredUpstreams} when it was computed. */
  readonly upstreams: string | null;
  readonly invalidated: boolean;
  /** The newest materialization ended failed or upstream_failed. */
  readonly failed: boolean;
  /** Why the value is gone although the record stands (`value was in memory`); null: it is there. */
  readonly lost: string | null;
  /** Whether that may come to be so without a change of the head, or is so only for some processes. */
  readonly volatile?: boolean;
}

/** What something of an asset would wait for, if it were to run now: told as of what is requested (see Wait). */
export interface PlanWait {
  readonly asset: string;
  readonly kind: string;
  readonly message: string;
  /** The pool of the asset. */
  readonly pool: string;
  /** The first that would, where it does not concern all of the asset: one of several with that key, or that is held. */
  readonly partition?: string;
  /** That holds the partition. */
  readonly materialization?: number;
  /** The key that the partition has in the pool. */
  readonly key?: string;
  /** When it could go on, where that is known. */
  readonly until?: Date;
}

/** Recorded facts. Both answers may be of different moments; a plan is looked at again when it runs. */
export interface PlanningFacts {
  /** By partition key, one result per query; keys without a record are absent, keys that no longer exist are passed over. */
  heads(queries: readonly HeadQuery[]): Promise<readonly ReadonlyMap<string, HeadFact>[]>;
  /** At most so many heads of an asset from a partition on (`''`: the first), and from which on there are more. */
  headsFrom(
    asset: string,
    partition: string,
    limit: number,
  ): Promise<{ readonly heads: ReadonlyMap<string, HeadFact>; readonly next: string | null }>;
  /** What these materializations consumed, by materialization. */
  consumed(materializations: readonly number[]): Promise<ReadonlyMap<number, readonly InputVersion[]>>;
  /** What is kept of large assets; undefined where nothing is, since heads are at hand. */
  readonly summaries?: SummaryFacts | undefined;
  /** Lets others have the thread; awaited now and then amid long work. */
  breath(): Promise<void>;
  /** What these would wait for, each reason once for each asset. */
  waits(entries: readonly { readonly asset: string; readonly partition: string }[]): Promise<readonly PlanWait[]>;
}

/** What is kept of large assets, with heads as planning sees them. */
export type SummaryFacts = SummaryStore<HeadFact>;

/** Whether there is a value to consume. */
export function hasValue(head: HeadFact | undefined): head is HeadFact & { readonly materialization: number } {
  return head !== undefined && head.materialization !== null && head.lost === null;
}
