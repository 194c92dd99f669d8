// The part of the ledger's port by which schedules work: which there are, and the one transaction in which a tick and its run
// are recorded. When ticks are due is known to lib/automation/schedules.
import type { JsonObject } from './json.js';
import type { Act, NewRun, RunRecord } from './records.js';
import type { Page } from './page.js';
import type { ScheduleRecord, TickRecord, TickStatus } from './schedule.records.js';
import type { PlanRows } from './work.js';

/** A schedule as code declares it. */
export interface DeclaredSchedule {
  readonly name: string;
  readonly hash: string;
  readonly definition: JsonObject;
  /** Of what the times of its ticks depend on: where that changes, no past tick fires. */
  readonly clock: string;
}

/** What becomes of a tick. */
export interface AttendedTick {
  readonly schedule: number;
  readonly tick: Date;
  readonly status: TickStatus;
  readonly reason: string | null;
  /** For `fired`: planned at once, or left to whoever plans. */
  readonly run?: { readonly run: NewRun; readonly plan?: PlanRows };
}

/** As it was read by who attends to its ticks: nothing happens where it is otherwise by now. */
export interface ReadSchedule {
  readonly id: number;
  readonly generation: number;
  readonly watermark: Date;
}

/** A page of ticks, newest first. */
export interface TickPage {
  readonly limit: number;
  /** Ticks before this. */
  readonly before?: Date | undefined;
}

export interface ScheduleLedger {
  /**
   * A process declares schedules. Of each, the definition counts that was first declared latest by a process that lives; where
   * another counts than before and its clock is another, ticks up to now are attended to. Asked again, the same.
   */
  declare(process: string, declared: readonly DeclaredSchedule[]): Promise<void>;
  /** All, by name, and the ledger's time. */
  all(): Promise<{ readonly schedules: readonly ScheduleRecord[]; readonly now: Date }>;
  /** Leaves a schedule to one process for `lease` ms. False: another one attends to it. */
  take(schedule: number, process: string, lease: number): Promise<boolean>;
  /** It is attended to: others may. */
  leave(schedule: number, process: string): Promise<void>;
  /**
   * Records what becomes of a tick, with the run if it fires, and how far the schedule is attended to. Undefined, and nothing
   * happens: somebody has done so, it was changed or paused, or the tick was attended to before. The run, if there is one.
   */
  attend(read: ReadSchedule, tick: AttendedTick, watermark: Date): Promise<readonly RunRecord[] | undefined>;
  /** A queued tick fires, or is given up. As of attend(). */
  dequeue(tick: AttendedTick): Promise<readonly RunRecord[] | undefined>;
  /** A person has it run now, whatever its clock says. The tick is the moment. */
  runNow(
    schedule: number,
    run: NonNullable<AttendedTick['run']>,
    act: Act,
  ): Promise<{ readonly run: RunRecord; readonly tick: Date }>;
  /** False: there is one of that name. */
  create(name: string, definition: JsonObject, hash: string, act: Act): Promise<boolean>;
  /** Of one that was created. `reset`: ticks up to now are attended to. False: there is none. */
  update(name: string, definition: JsonObject, hash: string, reset: boolean, act: Act): Promise<boolean>;
  /** False: nothing to do. One that is resumed has attended to all ticks up to now. */
  pause(name: string, paused: boolean, act: Act): Promise<boolean>;
  /** With its ticks; runs stay. Refused (false) for one that a live process declares. */
  remove(name: string, act: Act): Promise<boolean>;
  ticks(schedule: number, page: TickPage): Promise<Page<TickRecord>>;
}
