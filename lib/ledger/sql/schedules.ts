// Schedules on the database: which there are, and the transaction in which a tick and its run are recorded.
import type { JsonObject } from '../json.js';
import type { Page } from '../page.js';
import type { Act, RunRecord } from '../records.js';
import type { ScheduleRecord, TickRecord, TickStatus } from '../schedule.records.js';
import type { AttendedTick, DeclaredSchedule, ReadSchedule, ScheduleLedger, TickPage } from '../schedules.port.js';
import type { Database, Sql, Transaction } from './database.js';
import type { Requests } from './requests.js';
import {
  ADD_DECLARED,
  ADD_SCHEDULE_DEFINITIONS,
  ADD_TICK,
  ADVANCE,
  ALL_SCHEDULES,
  CREATE_SCHEDULE,
  DECLARE_SCHEDULES,
  DEQUEUE,
  LEAVE_SCHEDULE,
  PAUSE_SCHEDULE,
  REMOVE_SCHEDULE,
  SETTLE_DEFINITIONS,
  TAKE_SCHEDULE,
  TELL_SCHEDULE,
  TELL_TICK,
  TICKS,
  UPDATE_SCHEDULE,
} from './statements/scheduling.js';
import { CLOCK } from './statements/timing.js';
import { json } from './values.js';

interface ScheduleRow {
  readonly id: number;
  readonly name: string;
  readonly declared: boolean;
  readonly definition: JsonObject;
  readonly hash: string;
  readonly live: boolean;
  readonly watermark: Date;
  readonly generation: number;
  readonly paused_at: Date | null;
  readonly paused_by: string | null;
  readonly paused_reason: string | null;
  readonly last_run: number | null;
  readonly last_status: RunRecord['status'] | null;
  readonly last_open: boolean | null;
  readonly queued: Date | null;
  readonly created_at: Date;
  readonly now: Date;
}

interface TickRow {
  readonly name: string;
  readonly tick: Date;
  readonly status: TickStatus;
  readonly run_id: number | null;
  readonly reason: string | null;
  readonly by: string | null;
  readonly at: Date;
}

/** Thrown to end a transaction that somebody else was ahead of; never leaves this file. */
class Overtaken extends Error {}

export class Schedules implements ScheduleLedger {
  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly requests: Requests,
  ) {}

  async declare(process: string, declared: readonly DeclaredSchedule[]): Promise<void> {
    const rows = json(declared);
    await this.database.transaction(async (sql) => {
      if (declared.length > 0) {
        await sql.rows(ADD_DECLARED, [this.namespace, rows]);
        await sql.rows(ADD_SCHEDULE_DEFINITIONS, [this.namespace, rows]);
        const values = [declared.map(({ name }) => name), declared.map(({ hash }) => hash)];
        await sql.rows(DECLARE_SCHEDULES, [this.namespace, process, ...values]);
      }
      await sql.rows(SETTLE_DEFINITIONS, [this.namespace]);
    });
  }

  async all(): Promise<{ readonly schedules: readonly ScheduleRecord[]; readonly now: Date }> {
    const rows = await this.database.rows<ScheduleRow>(ALL_SCHEDULES, [this.namespace]);
    const now = rows[0]?.now ?? (await this.database.rows<{ now: Date }>(CLOCK))[0]!.now;
    return { schedules: rows.map(scheduleRecord), now };
  }

  async take(schedule: number, process: string, lease: number): Promise<boolean> {
    return (await this.database.rows(TAKE_SCHEDULE, [schedule, process, lease])).length > 0;
  }

  async leave(schedule: number, process: string): Promise<void> {
    await this.database.rows(LEAVE_SCHEDULE, [schedule, process]);
  }

  attend(
    { id, generation, watermark: before }: ReadSchedule,
    tick: AttendedTick,
    watermark: Date,
  ): Promise<readonly RunRecord[] | undefined> {
    return this.#unlessOvertaken(async (sql) => {
      const advanced = await sql.rows(ADVANCE, [id, generation, before, watermark]);
      if (advanced.length === 0) throw new Overtaken();
      const run = await this.#request(sql, tick);
      const values = [tick.schedule, tick.tick, tick.status, run?.id ?? null, tick.reason, null];
      if ((await sql.rows(ADD_TICK, values)).length === 0) throw new Overtaken();
      await this.#tell(sql, tick, run, null);
      return run ? [run] : [];
    });
  }

  dequeue(tick: AttendedTick): Promise<readonly RunRecord[] | undefined> {
    return this.#unlessOvertaken(async (sql) => {
      const run = await this.#request(sql, tick);
      const values = [tick.schedule, tick.tick, tick.status, run?.id ?? null, tick.reason];
      if ((await sql.rows(DEQUEUE, values)).length === 0) throw new Overtaken();
      await this.#tell(sql, tick, run, null);
      return run ? [run] : [];
    });
  }

  runNow(
    schedule: number,
    { run, plan }: NonNullable<AttendedTick['run']>,
    { actor, reason }: Act,
  ): Promise<{ readonly run: RunRecord; readonly tick: Date }> {
    return this.database.transaction(async (sql) => {
      const inserted = (await this.requests.insertRun(run, plan ? { plan } : {}, sql)).run;
      for (;;) {
        const [row] = await sql.rows<{ now: Date }>(CLOCK);
        const tick = { schedule, tick: row!.now, status: 'fired' as const, reason };
        // Two within a millisecond: the next one.
        if ((await sql.rows(ADD_TICK, [schedule, tick.tick, 'fired', inserted.id, reason, actor])).length === 0)
          continue;
        await this.#tell(sql, tick, inserted, actor);
        return { run: inserted, tick: tick.tick };
      }
    });
  }

  create(name: string, definition: JsonObject, hash: string, act: Act): Promise<boolean> {
    return this.#act('schedule.created', name, act, (sql) =>
      sql.rows(CREATE_SCHEDULE, [this.namespace, name, json(definition), hash]),
    );
  }

  update(name: string, definition: JsonObject, hash: string, reset: boolean, act: Act): Promise<boolean> {
    return this.#act('schedule.updated', name, act, (sql) =>
      sql.rows(UPDATE_SCHEDULE, [this.namespace, name, json(definition), hash, reset]),
    );
  }

  pause(name: string, paused: boolean, act: Act): Promise<boolean> {
    return this.#act(paused ? 'schedule.paused' : 'schedule.resumed', name, act, (sql) =>
      sql.rows(PAUSE_SCHEDULE, [this.namespace, name, paused, act.actor, act.reason]),
    );
  }

  remove(name: string, act: Act): Promise<boolean> {
    return this.#act('schedule.deleted', name, act, (sql) => sql.rows(REMOVE_SCHEDULE, [this.namespace, name]));
  }

  async ticks(schedule: number, { limit, before }: TickPage): Promise<Page<TickRecord>> {
    const rows = await this.database.rows<TickRow>(TICKS, [schedule, before ?? null, limit + 1]);
    const items = rows.slice(0, limit).map(({ name, tick, status, run_id: run, reason, by, at }) => ({
      schedule: name,
      tick,
      status,
      run,
      reason,
      by,
      at,
    }));
    return { items, next: rows.length > limit ? items.at(-1)!.tick.getTime() : null };
  }

  async #unlessOvertaken(
    work: (sql: Transaction) => Promise<readonly RunRecord[]>,
  ): Promise<readonly RunRecord[] | undefined> {
    try {
      return await this.database.transaction(work);
    } catch (error) {
      if (error instanceof Overtaken) return undefined;
      throw error;
    }
  }

  async #request(sql: Transaction, { run }: AttendedTick): Promise<RunRecord | undefined> {
    return run && (await this.requests.insertRun(run.run, run.plan ? { plan: run.plan } : {}, sql)).run;
  }

  async #tell(
    sql: Sql,
    { schedule, tick, status, reason }: Pick<AttendedTick, 'schedule' | 'tick' | 'status' | 'reason'>,
    run: RunRecord | undefined,
    actor: string | null,
  ): Promise<void> {
    const detail = { tick: tick.toISOString(), reason };
    await sql.rows(TELL_TICK, [schedule, `schedule.${status}`, run?.id ?? null, actor, json(detail)]);
  }

  #act(kind: string, name: string, { actor, reason }: Act, change: (sql: Sql) => Promise<object[]>): Promise<boolean> {
    return this.database.transaction(async (sql) => {
      if ((await change(sql)).length === 0) return false;
      await sql.rows(TELL_SCHEDULE, [this.namespace, kind, name, actor, reason]);
      return true;
    });
  }
}

function scheduleRecord(row: ScheduleRow): ScheduleRecord {
  const { id, name, declared, definition, hash, live, watermark, generation, queued } = row;
  return {
    ...{ id, name, declared, definition, hash, live, watermark, generation, queued },
    paused: row.paused_at && { at: row.paused_at, actor: row.paused_by, reason: row.paused_reason },
    lastRun: row.last_run === null ? null : { id: row.last_run, open: row.last_open === true, status: row.last_status },
    createdAt: row.created_at,
  };
}
