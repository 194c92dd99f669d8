// Schedules at work: each worker wakes at the next tick, one of them attends to it. What is due is decided by the ledger's time,
// and a tick is recorded in one transaction with its run: whoever wakes too early, too late or twice does no harm.
import { FlowStoneError } from '../../flowstone.errors.js';
import type { AttendedTick, ScheduleLedger } from '../../ledger/schedules.port.js';
import type { ScheduleRecord } from '../../ledger/schedule.records.js';
import type { Act } from '../../ledger/records.js';
import type { PartitionKeyInput } from '../../partitions/partition-key.js';
import type { PlanningModel } from '../../planning/planning-model.js';
import { requireStorable } from '../../request.options.js';
import { Alarm } from '../../runs/alarm.js';
import { crashPoint } from '../../runs/crash-points.js';
import { messageOf } from '../../runs/failure.js';
import type { RequestReader } from '../../runs/request.reader.js';
import type { PreparedRun, RunRequester } from '../../runs/requester.js';
import type { EventBus } from '../../events/event.bus.js';
import { ticksAround } from '../cron-ticks.js';
import { clockOf, readSchedule, storedSchedule } from './schedule.options.js';
import type { OwnSchedule } from './declared.schedules.js';
import { dueTicks } from './due.ticks.js';
import { requestAt } from './scheduled.partitions.js';

/** Without news all schedules are looked at so often, ms; those of others may have changed. */
const LOOK = 10_000;
/** Who attends to a schedule and is silent for so long has lost it, ms. */
const LEASE = 30_000;
/** A function of partitions may take so long, ms. */
const LONGEST_ANSWER = 20_000;
/** What could not be said is asked again after so long, ms; then the tick has failed. */
const ASK_AGAIN: readonly number[] = [1000, 5000, 15_000];
/** While ticks wait for a run to end, ms. */
const QUEUED_LOOK = 1000;

/** What becomes of a tick, with the run that it requests. */
interface Said {
  readonly tick: AttendedTick;
  readonly prepared?: PreparedRun;
}

export interface SchedulerParts {
  /** Usable once the ledger is open. */
  readonly ledger: () => ScheduleLedger;
  readonly schedules: readonly OwnSchedule[];
  readonly process: () => string;
  readonly model: () => Promise<PlanningModel>;
  readonly reader: RequestReader;
  readonly requester: Pick<RunRequester, 'prepare' | 'recorded'>;
  readonly bus: Pick<EventBus, 'add'>;
  /** A look could not be done; the next one tries again. */
  readonly failed: (error: unknown) => void;
}

export class Scheduler {
  readonly #alarm = new Alarm(() => void this.#looking());
  readonly #own: ReadonlyMap<string, OwnSchedule>;
  /** The process as which it has declared. */
  #declaredAs: string | undefined;
  #declaredAt = -Infinity;
  /** How often a tick could not be said, by schedule and tick. */
  readonly #failures = new Map<string, number>();
  #busy: Promise<void> | undefined;
  #attends = false;
  /** Ends that it hears of runs that end, while ticks wait for one. */
  #stopWaiting: (() => void) | undefined;
  #closed = false;

  constructor(private readonly parts: SchedulerParts) {
    this.#own = new Map(parts.schedules.map((schedule) => [schedule.name, schedule]));
  }

  /** @param attends whether it attends to ticks, and not only says what this process declares */
  async start(attends: boolean): Promise<void> {
    await this.#declare().catch((error: unknown) => this.parts.failed(error));
    if (!attends) return;
    this.#attends = true;
    this.#alarm.set(0);
  }

  /** Something was changed, or time has passed in another way than by itself: looks at once. */
  wake(): void {
    if (this.#attends) this.#alarm.set(0);
  }

  /** Looks no more; resolves once what is being attended to is. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopWaiting?.();
    this.#alarm.close();
    await this.#busy;
  }

  /** What a schedule would request at a moment, as a run to be recorded. */
  async prepare(
    record: Pick<ScheduleRecord, 'id' | 'name' | 'definition' | 'hash'>,
    at: Date,
  ): Promise<PreparedRun | undefined> {
    const definition = readSchedule(record.definition);
    const named = definition.partitions === 'function' ? await this.#ask(record, definition.timeZone, at) : undefined;
    const model = await this.parts.model();
    const request = await requestAt(this.parts.reader, model, definition, at, named);
    if (!request) return undefined;
    const { priority, tags, maxConcurrency, failFast } = definition;
    const options = {
      ...{ priority, tags, failFast, requestedBy: `schedule ${record.name}` },
      ...(maxConcurrency !== null && { maxConcurrency }),
      // A second lock beside the key of the tick.
      runKey: `schedule ${record.id} ${at.toISOString()}`,
    };
    return this.parts.requester.prepare(request, options, model);
  }

  async runNow(record: ScheduleRecord, act: Act): Promise<number> {
    const { now } = await this.parts.ledger().all();
    const prepared = await this.prepare(record, now);
    if (!prepared) {
      throw new FlowStoneError('FLOWSTONE_REQUEST_INVALID', `Schedule ${record.name} names no partition to run now.`);
    }
    const { run } = await this.parts.ledger().runNow(record.id, planned(prepared), act);
    await this.parts.requester.recorded(prepared, run);
    return run.id;
  }

  #wokenByRuns(): () => void {
    return this.parts.bus.add({ kinds: ['run.ended'], next: () => this.wake(), complete: () => undefined });
  }

  async #declare(): Promise<void> {
    const process = this.parts.process();
    const declared = this.parts.schedules.map(({ name, hash, definition }) => ({
      ...{ name, hash, definition: storedSchedule(definition), clock: clockOf(definition) },
    }));
    await this.parts.ledger().declare(process, declared);
    this.#declaredAs = process;
    this.#declaredAt = performance.now();
  }

  async #looking(): Promise<void> {
    while (this.#busy) await this.#busy;
    if (this.#closed) return;
    this.#busy = this.#lookAgainAfter(
      this.#look().catch((error: unknown) => {
        this.parts.failed(error);
        return QUEUED_LOOK;
      }),
    );
    await this.#busy;
  }

  async #lookAgainAfter(looked: Promise<number>): Promise<void> {
    const next = await looked;
    this.#busy = undefined;
    this.#alarm.set(next);
  }

  /** Answers with the ms until the next look. */
  async #look(): Promise<number> {
    const isOld = performance.now() - this.#declaredAt > LOOK;
    if (this.#declaredAs !== this.parts.process() || isOld) await this.#declare();
    const { schedules, now } = await this.parts.ledger().all();
    const waits = schedules.some((record) => record.queued !== null && this.#isOurs(record));
    if (waits) this.#stopWaiting ??= this.#wokenByRuns();
    else {
      this.#stopWaiting?.();
      this.#stopWaiting = undefined;
    }
    let next = LOOK;
    for (const record of schedules) {
      if (this.#closed) break;
      if (!this.#isOurs(record)) continue;
      const again = await this.#attend(record, now).catch((error: unknown) => {
        this.parts.failed(error);
        return QUEUED_LOOK;
      });
      next = Math.min(next, again);
    }
    return next;
  }

  /** Whether this process can say what it runs: one that code declares only with the same code. */
  #isOurs({ name, declared, hash, paused }: ScheduleRecord): boolean {
    return paused === null && (!declared || this.#own.get(name)?.hash === hash);
  }

  /** Answers with the ms until it is to be looked at again. */
  async #attend(record: ScheduleRecord, now: Date): Promise<number> {
    const { cron, timeZone, catchUp, overlap } = readSchedule(record.definition);
    const { id, watermark, lastRun, queued } = record;
    const { next = Infinity } = ticksAround(cron, timeZone, now.getTime());
    const untilNext = Math.min(LOOK, Math.max(0, next - now.getTime()));
    const open = lastRun?.open ? lastRun.id : null;
    const due = dueTicks({
      ...{ cron, timeZone, catchUp, overlap, open, queued: queued !== null },
      ...{ watermark: watermark.getTime(), now: now.getTime() },
    });
    const isFree = queued !== null && open === null;
    if (!due && !isFree) return queued === null ? untilNext : Math.min(untilNext, QUEUED_LOOK);
    const process = this.parts.process();
    // Somebody else attends to it; unless that one is lost it is done by then.
    if (!(await this.parts.ledger().take(id, process, LEASE))) return Math.min(untilNext, QUEUED_LOOK);
    try {
      if (isFree) await this.#dequeue(record, queued);
      else if (due) return (await this.#fire(record, due)) ?? (due.more ? 0 : untilNext);
      return 0;
    } finally {
      await this.parts.ledger().leave(id, process);
    }
  }

  /**
   * Each tick in a transaction of its own, so that none is long. A number: what is to be run could not be said; ms until it is
   * asked again.
   */
  async #fire(record: ScheduleRecord, due: NonNullable<ReturnType<typeof dueTicks>>): Promise<number | undefined> {
    let { watermark } = record;
    for (const { tick: time, status, reason } of due.ticks) {
      const tick = { schedule: record.id, tick: new Date(time), status, reason };
      const said: Said | number = status === 'fired' ? await this.#say(record, tick) : { tick };
      if (typeof said === 'number') return said;
      crashPoint('before-tick');
      const runs = await this.parts.ledger().attend({ ...record, watermark }, said.tick, tick.tick);
      crashPoint('after-tick');
      // Somebody was ahead of it, or it was changed.
      if (!runs) return undefined;
      if (said.prepared) for (const run of runs) await this.parts.requester.recorded(said.prepared, run);
      watermark = tick.tick;
    }
    return undefined;
  }

  async #dequeue(record: ScheduleRecord, tick: Date): Promise<void> {
    const said = await this.#say(record, { schedule: record.id, tick, status: 'fired', reason: null });
    if (typeof said === 'number') return;
    const runs = await this.parts.ledger().dequeue(said.tick);
    if (runs && said.prepared) for (const run of runs) await this.parts.requester.recorded(said.prepared, run);
  }

  /** The tick with the run that it requests, or why there is none; a number: to be asked again in so many ms. */
  async #say(record: ScheduleRecord, tick: AttendedTick): Promise<Said | number> {
    const place = `${record.id} ${tick.tick.getTime()}`;
    try {
      const prepared = await this.prepare(record, tick.tick);
      this.#failures.delete(place);
      if (!prepared) return { tick: { ...tick, status: 'skipped', reason: 'there is no partition for it' } };
      return { tick: { ...tick, run: planned(prepared) }, prepared };
    } catch (error) {
      const failed = this.#failures.get(place) ?? 0;
      this.parts.failed(error);
      const again = ASK_AGAIN[failed];
      this.#failures.set(place, failed + 1);
      if (again !== undefined) return again;
      this.#failures.delete(place);
      return { tick: { ...tick, status: 'failed', reason: messageOf(error) } };
    }
  }

  async #ask(
    { name, hash }: Pick<ScheduleRecord, 'name' | 'hash'>,
    timeZone: string,
    at: Date,
  ): Promise<readonly PartitionKeyInput[]> {
    const own = this.#own.get(name);
    if (!own?.partition || own.hash !== hash) {
      throw new FlowStoneError(
        'FLOWSTONE_ASSET_CODE_ELSEWHERE',
        `The partitions of schedule ${name} are named by code that this process does not have. Ask a process that runs that version.`,
      );
    }
    const answer = await within(Promise.resolve(own.partition({ schedule: name, at, timeZone })), name);
    const keys = (Array.isArray(answer) ? answer : [answer]) as readonly PartitionKeyInput[];
    requireStorable(
      'partitions',
      keys.filter((key) => typeof key === 'string'),
    );
    return keys;
  }
}

function planned({ run, rows }: PreparedRun): NonNullable<AttendedTick['run']> {
  return { run, ...(rows && { plan: rows }) };
}

async function within<T>(answer: Promise<T>, name: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const seconds = LONGEST_ANSWER / 1000;
      const message = `Schedule ${name} did not say within ${seconds} s which partitions it means. Let its function answer sooner.`;
      reject(new FlowStoneError('FLOWSTONE_REQUEST_INVALID', message));
    }, LONGEST_ANSWER);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
