// The part of the ledger's port by which sensors work: which there are, who evaluates one, and the one transaction in which
// its cursor moves together with what it requests.
import type { JsonObject, JsonValue } from './json.js';
import type { Page, PageRequest } from './page.js';
import type { Act, NewRun, RunRecord } from './records.js';
import type { EvaluationRecord, EvaluationStatus, SensorRecord } from './sensor.records.js';
import type { PlanRows } from './work.js';

/** A sensor as code declares it. */
export interface DeclaredSensor {
  readonly name: string;
  readonly hash: string;
  readonly definition: JsonObject;
  /** Whether it waits to be resumed, where it is new. */
  readonly paused: boolean;
}

/** Why it is evaluated: its time has come; there is news; somebody asks. */
export type EvaluationCause = 'due' | 'news' | 'asked';

/** A sensor that a process may evaluate until its lease ends or somebody changes it: what is void is told by `generation`. */
export interface TakenSensor {
  readonly id: number;
  readonly generation: number;
  readonly cursor: JsonValue | null;
  readonly evaluatedAt: Date | null;
  readonly failures: number;
  /** The ledger's time. */
  readonly now: Date;
}

/** What comes of an evaluation. */
export interface NewEvaluation {
  readonly status: EvaluationStatus;
  readonly reason: string | null;
  readonly by: string | null;
  /** Their run keys are those of this sensor alone, by a prefix; `runKey` is as the sensor named it. */
  readonly runs: readonly SensorRequest[];
  readonly partitions: readonly { readonly scheme: string; readonly keys: readonly string[] }[];
  /** Null: none; undefined: as it was. */
  readonly cursor?: JsonValue | null | undefined;
  /** Of a failed one: whether it is paused, since trying again cannot help. */
  readonly stop?: boolean;
}

export interface SensorRequest {
  readonly runKey: string | null;
  readonly run: NewRun;
  readonly plan?: PlanRows | undefined;
}

export interface CommittedEvaluation {
  readonly evaluation: EvaluationRecord;
  /** For each that was asked for, where it is new. */
  readonly created: readonly (RunRecord | undefined)[];
}

export interface SensorLedger {
  /**
   * A process declares sensors. Of each, the definition counts that was first declared latest by a process that lives. Asked
   * again, the same.
   */
  declare(process: string, declared: readonly DeclaredSensor[]): Promise<void>;
  /** All, by name, and the ledger's time. */
  all(): Promise<{ readonly sensors: readonly SensorRecord[]; readonly now: Date }>;
  /**
   * Leaves the evaluation to one process for `lease` ms. Undefined: another one that lives evaluates it, another definition
   * counts, or it is not to be evaluated now: paused or not due, unless somebody asks.
   */
  take(
    name: string,
    hash: string,
    process: string,
    lease: number,
    cause: EvaluationCause,
  ): Promise<TakenSensor | undefined>;
  /** There was nothing to see: nothing is recorded. */
  leave(taken: TakenSensor): Promise<void>;
  /**
   * Cursor, partitions, runs and the record of it, together; the next evaluation is in `next` ms. Undefined, and nothing
   * happens: the lease is over, or the sensor was taken by another, paused or changed meanwhile. A run key that was used for
   * another request is recorded as that, and is in nobody's way.
   */
  commit(taken: TakenSensor, evaluation: NewEvaluation, next: number): Promise<CommittedEvaluation | undefined>;
  /**
   * The same for what comes from outside, by the id of its delivery, and leaves the cursor alone: of one that comes again
   * within `keep` ms, what became of it, and nothing happens. Undefined: the sensor is paused.
   */
  deliver(
    sensor: number,
    delivery: string,
    evaluation: NewEvaluation,
    keep: number,
  ): Promise<(CommittedEvaluation & { readonly repeated: boolean }) | undefined>;
  /** What became of a delivery; undefined: it has not come. */
  delivered(sensor: number, delivery: string): Promise<EvaluationRecord | undefined>;
  /** False: nothing to do. One that is resumed is due. */
  pause(name: string, paused: boolean, act: Act): Promise<boolean>;
  /** Null: as one that is new. What is being evaluated is void. False: there is no such sensor. */
  setCursor(name: string, cursor: JsonValue | null, act: Act): Promise<boolean>;
  /** With its cursor, evaluations and deliveries; runs stay. False: there is none, or a live process declares it. */
  remove(name: string, act: Act): Promise<boolean>;
  /** Newest first: of those that did something 1,000 are kept, of others 50. */
  evaluations(sensor: number, page: PageRequest): Promise<Page<EvaluationRecord>>;
}

/** How many are kept of each sensor: of those that did something, and of others. */
export const KEPT_EVALUATIONS = { requested: 1000, others: 50 } as const;
