// What the ledger keeps of sensors, as plain data. What they look at is known to lib/automation/sensors alone.
import type { JsonObject, JsonValue } from './json.js';
import type { Act } from './records.js';

/**
 * What became of an evaluation: `requested`: it requested runs, added partitions, or both; `skipped`: there was nothing to
 * do; `failed`: it threw, took too long or answered what cannot be.
 */
export type EvaluationStatus = 'requested' | 'skipped' | 'failed';

/** A sensor as it is kept. */
export interface SensorRecord {
  readonly id: number;
  readonly name: string;
  /** What counts now, as JSON, and its hash. */
  readonly definition: JsonObject;
  readonly hash: string;
  /** Whether a live process declares what counts. */
  readonly live: boolean;
  /** Null: none yet. */
  readonly cursor: JsonValue | null;
  /** When an evaluation succeeded last. */
  readonly evaluatedAt: Date | null;
  /** When it is evaluated next, unless it is paused. */
  readonly nextAt: Date;
  /** How many evaluations in a row have failed by now, and how the last one did. */
  readonly failures: number;
  readonly lastError: string | null;
  readonly paused: (Act & { readonly at: Date }) | null;
  readonly createdAt: Date;
}

/** What became of one run that an evaluation asked for. */
export interface SensorRun {
  /** Null: there is none. */
  readonly run: number | null;
  /** As the sensor named it. */
  readonly runKey: string | null;
  /**
   * `requested`: it is new; `repeated`: the same was requested before by this key; `conflict`: something else was requested
   * before by this key, in `run`, so that nothing was.
   */
  readonly outcome: 'requested' | 'repeated' | 'conflict';
}

/** Partitions that an evaluation asked for, as far as they were new. */
export interface SensorPartitions {
  readonly scheme: string;
  readonly added: readonly string[];
}

/** An evaluation that is over. */
export interface EvaluationRecord {
  readonly id: number;
  readonly sensor: string;
  readonly status: EvaluationStatus;
  /** Why nothing was to be done, or how it failed. */
  readonly reason: string | null;
  readonly runs: readonly SensorRun[];
  readonly partitions: readonly SensorPartitions[];
  /** Who asked for it; null: the sensor's own time. */
  readonly by: string | null;
  readonly at: Date;
}
