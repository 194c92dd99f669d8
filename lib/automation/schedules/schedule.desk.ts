// flowstone.schedules: what is run by the clock, what became of its ticks, and those that can be changed.
import { text, wholeFrom, type Expectation } from '../../assets/expectations.js';
import { FlowStoneError } from '../../flowstone.errors.js';
import { didYouMean } from '../../graph/did-you-mean.js';
import type { Ledger, Page } from '../../ledger/ledger.port.js';
import type { Act } from '../../ledger/records.js';
import type { ScheduleRecord, TickRecord } from '../../ledger/schedule.records.js';
import type { TickPage } from '../../ledger/schedules.port.js';
import type { PlanningModel } from '../../planning/planning-model.js';
import { elsewhere, requireOptions, requireStorable } from '../../request.options.js';
import type { RequestReader } from '../../runs/request.reader.js';
import { nextTicks } from '../cron-ticks.js';
import {
  clockOf,
  CREATED,
  definitionHash,
  readSchedule,
  scheduleDefinition,
  scheduleProblems,
  storedSchedule,
  type CreatedSchedule,
  type ScheduleDefinition,
} from './schedule.options.js';
import type { Scheduler } from './scheduler.js';
import { requestAt } from './scheduled.partitions.js';

/** Who acts, and why. */
export interface ScheduleAct {
  readonly by?: string;
  readonly reason?: string;
}

/** A schedule as it is now. */
export interface ScheduleView extends ScheduleDefinition {
  readonly name: string;
  /** Whether code declares it: it is changed there. */
  readonly declared: boolean;
  /** Whether a live process has the code that counts; without one it does not fire. */
  readonly live: boolean;
  readonly paused: { readonly by: string | null; readonly reason: string | null; readonly at: Date } | null;
  /** Null: it is paused, or there is none within nine years. */
  readonly nextTick: Date | null;
  readonly lastRun: number | null;
  /** The first tick that waits until that has ended. */
  readonly queued: Date | null;
  readonly createdAt: Date;
}

export interface ScheduleDeskParts {
  readonly ledger: Pick<Ledger, 'schedules'>;
  readonly scheduler: Scheduler;
  readonly reader: RequestReader;
  readonly model: () => Promise<PlanningModel>;
  readonly beforeUse: () => void;
}

const ACT: Readonly<Record<keyof ScheduleAct, Expectation>> = { by: text, reason: text };
const MOST_TICKS = 1000;

export class Schedules {
  /** @param parts found when they are used: the application may not have started yet */
  constructor(private readonly parts: () => ScheduleDeskParts) {}

  /** All schedules, by name. */
  async list(): Promise<readonly ScheduleView[]> {
    const { schedules, now } = await this.#used().ledger.schedules.all();
    return schedules.map((record) => viewOf(record, now));
  }

  /** @throws FlowStoneError FLOWSTONE_SCHEDULE_UNKNOWN */
  async get(name: string): Promise<ScheduleView> {
    const { record, now } = await this.#require(name);
    return viewOf(record, now);
  }

  /** The next so many ticks (10, at most 1,000), whether or not it is paused; after the present, or another moment. */
  async next(name: string, options: { readonly count?: number; readonly after?: Date } = {}): Promise<readonly Date[]> {
    requireOptions('schedules.next()', options, {
      count: wholeFrom(1, MOST_TICKS),
      after: (value) => (value instanceof Date && !Number.isNaN(value.getTime()) ? undefined : 'a date'),
    });
    const { record, now } = await this.#require(name);
    const { cron, timeZone } = readSchedule(record.definition);
    const after = options.after ?? now;
    return nextTicks(cron, timeZone, after.getTime(), options.count ?? 10).map((tick) => new Date(tick));
  }

  /** What became of its ticks, newest first: 50, or as the page says; `next` is the time to come before, ms. */
  async ticks(name: string, page: Partial<TickPage> = {}): Promise<Page<TickRecord>> {
    requireOptions('schedules.ticks()', page, { limit: wholeFrom(1, MOST_TICKS), before: elsewhere });
    const { record } = await this.#require(name);
    return this.#used().ledger.schedules.ticks(record.id, { limit: page.limit ?? 50, before: page.before });
  }

  /**
   * Creates a schedule, which is kept and can be changed. The first tick that fires is the next one.
   * @throws FlowStoneError FLOWSTONE_SCHEDULE_INVALID with each problem; FLOWSTONE_SCHEDULE_EXISTS
   */
  async create(name: string, options: CreatedSchedule, act: ScheduleAct = {}): Promise<void> {
    const definition = await this.#definitionOf(name, options);
    const { ledger } = this.#used();
    const hash = definitionHash(definition);
    const created = await ledger.schedules.create(name, storedSchedule(definition), hash, actIn('create', act));
    if (created) return this.#used().scheduler.wake();
    throw new FlowStoneError(
      'FLOWSTONE_SCHEDULE_EXISTS',
      `There is a schedule '${name}'. Choose another name, or change that one with schedules.update().`,
      { context: { schedule: name } },
    );
  }

  /**
   * Changes options of a schedule that was created; what is left out stays. With another `cron` or `timeZone` no past tick
   * fires. Errors as of create(); FLOWSTONE_SCHEDULE_DECLARED for one that code declares.
   */
  async update(name: string, options: Partial<CreatedSchedule>, act: ScheduleAct = {}): Promise<void> {
    const { record } = await this.#require(name);
    if (record.declared) throw isDeclared(name, 'change it there');
    const before = readSchedule(record.definition);
    const definition = await this.#definitionOf(name, { ...optionsOf(before), ...options });
    const hash = definitionHash(definition);
    const reset = clockOf(definition) !== clockOf(before);
    const { ledger } = this.#used();
    const acted = actIn('update', act);
    if (!(await ledger.schedules.update(name, storedSchedule(definition), hash, reset, acted))) throw unknown(name, []);
    this.#used().scheduler.wake();
  }

  /** No tick fires until it is resumed; what is requested already goes on. Whether that changed anything. */
  async pause(name: string, act: ScheduleAct = {}): Promise<boolean> {
    return this.#pause(name, true, act);
  }

  /** Ticks from now on fire; those that came meanwhile do not, whatever `catchUp` says. Whether that changed anything. */
  async resume(name: string, act: ScheduleAct = {}): Promise<boolean> {
    return this.#pause(name, false, act);
  }

  /** Removes it with its ticks; runs stay. FLOWSTONE_SCHEDULE_DECLARED for one that a live process declares. */
  async delete(name: string, act: ScheduleAct = {}): Promise<void> {
    await this.#require(name);
    if (await this.#used().ledger.schedules.remove(name, actIn('delete', act))) return;
    throw isDeclared(name, 'remove it there first');
  }

  /** Requests now what it would at a tick, also while it is paused; answers with the run. */
  async runNow(name: string, act: ScheduleAct = {}): Promise<number> {
    const { record } = await this.#require(name);
    return this.#used().scheduler.runNow(record, actIn('runNow', act));
  }

  async #pause(name: string, paused: boolean, act: ScheduleAct): Promise<boolean> {
    await this.#require(name);
    const { ledger, scheduler } = this.#used();
    const changed = await ledger.schedules.pause(name, paused, actIn(paused ? 'pause' : 'resume', act));
    scheduler.wake();
    return changed;
  }

  async #require(name: string): Promise<{ readonly record: ScheduleRecord; readonly now: Date }> {
    const { schedules, now } = await this.#used().ledger.schedules.all();
    const record = schedules.find((schedule) => schedule.name === name);
    if (record) return { record, now };
    throw unknown(
      name,
      schedules.map((schedule) => schedule.name),
    );
  }

  async #definitionOf(name: string, options: CreatedSchedule): Promise<ScheduleDefinition> {
    const { reader, model } = this.#used();
    const problems = scheduleProblems(options, CREATED);
    if (text(name) !== undefined) problems.push(`its name is '${name}': give it a non-empty text`);
    if (problems.length > 0) throw invalid(name, problems);
    requireStorable('name and targets', [name, options.targets].flat());
    const { targets, ...others } = options;
    const definition = scheduleDefinition(others, [targets].flat());
    // As if it ticked now: names that are none, and partitions that are needed.
    await requestAt(reader, await model(), definition, new Date(), undefined).catch((error: unknown) => {
      throw invalid(name, [error instanceof Error ? error.message : String(error)]);
    });
    return definition;
  }

  #used(): ScheduleDeskParts {
    const parts = this.parts();
    parts.beforeUse();
    return parts;
  }
}

function viewOf(record: ScheduleRecord, now: Date): ScheduleView {
  const { name, declared, live, paused, lastRun, queued, createdAt } = record;
  const definition = readSchedule(record.definition);
  const [next] = paused ? [] : nextTicks(definition.cron, definition.timeZone, now.getTime(), 1);
  return {
    ...definition,
    ...{ name, declared, live, queued, createdAt },
    paused: paused && { by: paused.actor, reason: paused.reason, at: paused.at },
    nextTick: next === undefined ? null : new Date(next),
    lastRun: lastRun?.id ?? null,
  };
}

/** The options that give this definition. */
function optionsOf({ description, maxConcurrency, partitions, ...others }: ScheduleDefinition): CreatedSchedule {
  return {
    ...others,
    ...(description !== null && { description }),
    ...(maxConcurrency !== null && { maxConcurrency }),
    ...(partitions !== 'window' && partitions !== 'function' && { partitions }),
  };
}

function actIn(method: string, act: ScheduleAct): Act {
  requireOptions(`schedules.${method}()`, act, ACT);
  requireStorable('by and reason', [act.by, act.reason]);
  return { actor: act.by ?? null, reason: act.reason ?? null };
}

function invalid(name: string, problems: readonly string[]): FlowStoneError {
  return new FlowStoneError('FLOWSTONE_SCHEDULE_INVALID', `Schedule '${name}' cannot be: ${problems.join('; ')}.`, {
    context: { schedule: name, problems },
  });
}

function unknown(name: string, names: readonly string[]): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_SCHEDULE_UNKNOWN',
    `There is no schedule '${name}'${didYouMean(name, names)}. schedules.list() names all.`,
    { context: { schedule: name } },
  );
}

function isDeclared(name: string, fix: string): FlowStoneError {
  return new FlowStoneError('FLOWSTONE_SCHEDULE_DECLARED', `Schedule '${name}' is declared by code: ${fix}.`, {
    context: { schedule: name },
  });
}
