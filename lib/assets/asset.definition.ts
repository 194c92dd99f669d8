// What is declared of an asset, as plain data: all that the other rooms know of a class.
// How it is read from the decorators stands in declaration.reader.ts.
import type { CheckSeverity } from '../ledger/check.records.js';
import type { ApprovalRule } from '../ledger/approval.records.js';
import type { VersionPolicy } from '../ledger/records.js';
import type { MappingSpec } from '../partitions/mapping.js';
import type { PartitionScheme } from '../partitions/partitions.js';
import type { Condition } from './condition.js';
import type { SignalAsset } from './signal.value.js';

/** Any class, also an abstract one; what identifies an asset or a resource in code. */
export type AssetClass = abstract new (...args: any[]) => unknown;

/** A class that computes, by `execute` or by `executeMany`, or asks people, and these as `M` says. */
export type Computing<M> = abstract new (
  ...args: any[]
) => M &
  (
    | { execute: unknown }
    | { executeMany: unknown }
    | { condition: unknown }
    | { onApprove: unknown }
    | SignalAsset<unknown>
  );

/** A class of class-validator; in a list: the value is a list of such. */
export type ModificationClass = new (...args: any[]) => object;
export type Modification = ModificationClass | readonly [ModificationClass];

/** What is declared of one asset, defaults filled in, without its classes: what every process can know of it. */
export interface DeclaredAsset {
  /** Unique name: segments of `a-z0-9_` starting with a letter, joined by `.`. */
  readonly key: string;
  /** Computed elsewhere: never executed here, versions are reported. */
  readonly external: boolean;
  readonly description?: string | undefined;
  readonly group?: string | undefined;
  readonly owners: readonly string[];
  readonly tags: readonly string[];
  readonly kinds: readonly string[];
  /** Name of the I/O manager; `undefined`: the application's default one. */
  readonly io: string | undefined;
  /** The options that belong to the I/O manager. */
  readonly ioOptions: Readonly<Record<string, unknown>>;
  /** `undefined`: unpartitioned. `'inherit'` is already resolved. */
  readonly scheme: PartitionScheme | undefined;
  readonly codeVersion: string | undefined;
  /** `undefined`: one attempt. */
  readonly retry: RetryPolicy | undefined;
  /** Milliseconds an attempt may take; `undefined`: no limit. */
  readonly timeout: number | undefined;
  /** How many are computed by one call of `executeMany` at most; `undefined`: each by `execute`. */
  readonly batchSize: number | undefined;
  /** How people decide upon it; `undefined`: it is no checkpoint. */
  readonly checkpoint: CheckpointDefinition | undefined;
  /** When it is computed without anybody asking; `undefined`: never by itself. */
  readonly automation: AutomationDefinition | undefined;
  /** How old what is there may be; `undefined`: that does not matter. */
  readonly freshness: FreshnessDefinition | undefined;
  /** By name. */
  readonly checks: readonly CheckDefinition[];
  readonly pool: string;
  /** Which versions keep their values; `undefined`: as the application says. */
  readonly keep: VersionPolicy | undefined;
  /** Higher goes first. */
  readonly priority: number;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly dependencies: readonly DependencyDefinition[];
  /** SHA-256 (hex) of all that is declared, the same in every process that declares the same; without class identity. */
  readonly hash: string;
}

/** Everything declared of one asset in this process. */
export interface AssetDefinition extends DeclaredAsset {
  readonly target: AssetClass;
  /** Of a checkpoint what reviewers may give, of a signal what comes. */
  readonly modification: Modification | undefined;
  /** `ioOptions` as plain data, with what a class among them says: by this definitions are compared and stored. */
  readonly ioFacts: Readonly<Record<string, unknown>>;
  /** Keys this asset had before; their heads and history are its own. */
  readonly formerly: readonly string[];
  /** Resource classes by alias. */
  readonly resources: Readonly<Record<string, AssetClass>>;
}

/** What is declared of how a checkpoint is decided. */
export interface CheckpointDefinition {
  /** Whether people are asked, or a signal from outside is waited for. */
  readonly kind: 'checkpoint' | 'signal';
  readonly rule: ApprovalRule;
  /** What people are asked, where its class does not say it. */
  readonly message: string | undefined;
}

/** What is declared of how old a value may be. */
export interface FreshnessDefinition {
  /** ms. */
  readonly maxLag: number;
  /** Null: at any time. */
  readonly clock: { readonly cron: string; readonly timeZone: string } | null;
}

/** What is declared of how a value is looked at. */
export interface CheckDefinition {
  /** Its own among those of the asset. */
  readonly name: string;
  readonly description?: string | undefined;
  /** Whether what it finds wrong is not committed. */
  readonly blocking: boolean;
  readonly severity: CheckSeverity;
}

/** What is declared of when an asset is computed by itself. Times are in ms. */
export interface AutomationDefinition {
  readonly when: Condition;
  /** Absent: what failed is not requested again by time alone. */
  readonly retryAfter?: number;
  readonly debounce?: { readonly quiet: number; readonly atMost: number | null };
  readonly throttle?: number;
  readonly concurrency?: number;
  /** The partition dimension whose values are the keys of the three before. */
  readonly key?: string;
  readonly priority: number;
}

/** One declared dependency. */
export interface DependencyDefinition {
  readonly alias: string;
  /** The upstream's key; the asset's own for `previous`. */
  readonly upstream: string;
  readonly mapping: MappingSpec;
  /** Never planned in; its input may be `undefined`. */
  readonly optional: boolean;
  /** `after`: orders, and is no input. */
  readonly ordering: boolean;
  /** The columns that are read; `undefined`: all. */
  readonly columns: readonly string[] | undefined;
}

/** How often and when an attempt that failed is repeated. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** Milliseconds before the second attempt. */
  readonly delay: number;
  /** By how much each further delay is longer. */
  readonly factor: number;
  /** Longest delay in milliseconds. */
  readonly max: number;
  /** Share (0 to 1) by which a delay varies at random. */
  readonly jitter: number;
}
