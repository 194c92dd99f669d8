// What the ledger keeps of schedules, as plain data. When they tick is known to lib/automation/schedules alone.
import type { JsonObject } from './json.js';
import type { Act, RunRecord } from './records.js';

/**
 * What became of a tick: `fired`: a run was requested; `queued`: it waits until the run before has ended; `skipped`: that had not
 * ended; `missed`: nobody was there to fire it in time; `failed`: what is to be run could not be said.
 */
export type TickStatus = 'fired' | 'queued' | 'skipped' | 'missed' | 'failed';

/** A schedule as it is kept. */
export interface ScheduleRecord {
  readonly id: number;
  readonly name: string;
  /** Whether code declares it; else it was created, and can be changed. */
  readonly declared: boolean;
  /** What counts now, as JSON, and its hash. */
  readonly definition: JsonObject;
  readonly hash: string;
  /** Whether a live process declares what counts; a created one has no process. */
  readonly live: boolean;
  /** Ticks up to here are attended to. */
  readonly watermark: Date;
  /** Counts how often what decides about its ticks was changed: who read it before has read something else. */
  readonly generation: number;
  readonly paused: (Act & { readonly at: Date }) | null;
  /** The newest run that it requested, and whether that has not ended. */
  readonly lastRun: { readonly id: number; readonly open: boolean; readonly status: RunRecord['status'] | null } | null;
  /** Ticks that wait until that has ended, the first of them. */
  readonly queued: Date | null;
  readonly createdAt: Date;
}

/** A tick that was attended to. */
export interface TickRecord {
  readonly schedule: string;
  readonly tick: Date;
  readonly status: TickStatus;
  readonly run: number | null;
  /** Why there is no run. */
  readonly reason: string | null;
  /** Who asked for it; null: the clock. */
  readonly by: string | null;
  readonly at: Date;
}
