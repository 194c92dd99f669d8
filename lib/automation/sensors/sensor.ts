// What a sensor is given and what it answers, as people write it.
import type { AssetClass } from '../../assets/asset.definition.js';
import type { ContextLogger } from '../../assets/asset.context.js';
import type { EventLogLedger } from '../../ledger/event-log.port.js';
import type { JsonValue } from '../../ledger/json.js';
import type { EvaluationCause } from '../../ledger/sensors.port.js';
import type { PartitionKeyInput } from '../../partitions/partition-key.js';

/** What `evaluate` is given. */
export interface SensorContext<C extends JsonValue = JsonValue> {
  /** Name of the sensor. */
  readonly name: string;
  /** What the evaluation before left; undefined: none yet, or it was reset. */
  readonly cursor: C | undefined;
  /** Whether no evaluation has succeeded yet, or none since the cursor was reset. */
  readonly firstTime: boolean;
  readonly lastEvaluatedAt: Date | undefined;
  /** The ledger's time at the begin of this evaluation. */
  readonly now: Date;
  /** Its time has come, there is news for it, or somebody asked. */
  readonly cause: EvaluationCause;
  /** Aborted when it has taken too long, or the application closes: what is answered then counts no more. */
  readonly signal: AbortSignal;
  readonly logger: ContextLogger;
  /** The log of events of this namespace: what came after a cursor, each once. */
  readonly log: Pick<EventLogLedger, 'cursor' | 'since'>;
}

/** A run that a sensor asks for. */
export interface SensorRunRequest {
  /** Classes, keys or selections. */
  readonly target: AssetClass | string | readonly (AssetClass | string)[];
  readonly partition?: PartitionKeyInput;
  readonly partitions?: 'all' | 'missing' | 'stale' | 'failed' | readonly PartitionKeyInput[];
  /** What is asked for by the same key again is no new run; of this sensor alone. Left out: always a new one. */
  readonly runKey?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly priority?: number;
  /** Upstreams of the target: what is stale of them (default), all, or none. */
  readonly upstream?: 'stale' | 'all' | 'none';
  readonly downstream?: boolean;
  /** Whether targets are computed though they are fresh. Default true: the sensor has seen something. */
  readonly force?: boolean;
}

/** What `evaluate` answers: all of it is recorded in one transaction, or nothing. */
export interface SensorResult<C extends JsonValue = JsonValue> {
  /** At most 1,000; for more, `again`. */
  readonly runs?: readonly SensorRunRequest[];
  /** Keys of dynamic partitions, added before the runs. */
  readonly partitions?: readonly { readonly scheme: string; readonly add: readonly string[] }[];
  /** JSON of at most 1 MB; null: none from now on; left out: as it was. */
  readonly cursor?: C | null;
  /** Why there is nothing to do; shown. */
  readonly skip?: string;
  /** There is more to see: evaluated again at once. */
  readonly again?: boolean;
}

/** Nothing: there was nothing to see. */
export type SensorAnswer<C extends JsonValue = JsonValue> = SensorResult<C> | undefined | void;

/** What a class with `@Sensor` has. */
export interface Sensing<C extends JsonValue = JsonValue> {
  evaluate(context: SensorContext<C>): SensorAnswer<C> | Promise<SensorAnswer<C>>;
}
