// Sensors on the database: which there are, and the transaction in which a cursor moves together with what it requests.
import { FlowStoneError } from '../../flowstone.errors.js';
import type { EventKind } from '../event.catalogue.js';
import type { JsonObject, JsonValue } from '../json.js';
import type { Page, PageRequest } from '../page.js';
import type { Act, RunRecord } from '../records.js';
import type {
  EvaluationRecord,
  EvaluationStatus,
  SensorPartitions,
  SensorRecord,
  SensorRun,
} from '../sensor.records.js';
import {
  KEPT_EVALUATIONS,
  type CommittedEvaluation,
  type DeclaredSensor,
  type EvaluationCause,
  type NewEvaluation,
  type SensorLedger,
  type SensorRequest,
  type TakenSensor,
} from '../sensors.port.js';
import type { Acts } from './acts.js';
import type { Database, Sql, Transaction } from './database.js';
import type { Requests } from './requests.js';
import {
  ADD_DELIVERY,
  ADD_EVALUATION,
  ADD_SENSOR_DEFINITIONS,
  ADD_SENSORS,
  ALL_SENSORS,
  DECLARE_SENSORS,
  DELIVERED,
  EVALUATIONS,
  FORGET_DELIVERIES,
  FORGET_EVALUATIONS,
  LEAVE_SENSOR,
  MOVE_SENSOR,
  OPEN_SENSOR,
  PAUSE_SENSOR,
  REMOVE_SENSOR,
  SET_CURSOR,
  SETTLE_SENSORS,
  TAKE_SENSOR,
  TELL_SENSOR,
} from './statements/sensing.js';
import { CLOCK } from './statements/timing.js';
import { json, storable } from './values.js';

interface SensorRow {
  readonly id: number;
  readonly name: string;
  readonly definition: JsonObject;
  readonly hash: string;
  readonly live: boolean;
  readonly cursor: JsonValue | null;
  readonly evaluated_at: Date | null;
  readonly next_at: Date;
  readonly failures: number;
  readonly last_error: string | null;
  readonly paused_at: Date | null;
  readonly paused_by: string | null;
  readonly paused_reason: string | null;
  readonly created_at: Date;
  readonly now: Date;
}

interface EvaluationRow {
  readonly name: string;
  readonly id: number;
  readonly status: EvaluationStatus;
  readonly reason: string | null;
  readonly detail: { readonly runs: readonly SensorRun[]; readonly partitions: readonly SensorPartitions[] };
  readonly by: string | null;
  readonly at: Date;
}

type TakenRow = Pick<SensorRow, 'id' | 'cursor' | 'evaluated_at' | 'failures' | 'now'> & {
  readonly generation: number;
};

/** Thrown to end a transaction that somebody else was ahead of; never leaves this file. */
class Overtaken extends Error {}

export class Sensors implements SensorLedger {
  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly requests: Requests,
    readonly acts: Acts,
  ) {}

  async declare(process: string, declared: readonly DeclaredSensor[]): Promise<void> {
    const rows = json(declared);
    await this.database.transaction(async (sql) => {
      await sql.rows(ADD_SENSORS, [this.namespace, rows]);
      await sql.rows(ADD_SENSOR_DEFINITIONS, [this.namespace, rows]);
      const values = [declared.map(({ name }) => name), declared.map(({ hash }) => hash)];
      await sql.rows(DECLARE_SENSORS, [this.namespace, process, ...values]);
      await sql.rows(SETTLE_SENSORS, [this.namespace]);
    });
  }

  async all(): Promise<{ readonly sensors: readonly SensorRecord[]; readonly now: Date }> {
    const rows = await this.database.rows<SensorRow>(ALL_SENSORS, [this.namespace]);
    const now = rows[0]?.now ?? (await this.database.rows<{ now: Date }>(CLOCK))[0]!.now;
    return { sensors: rows.map(sensorRecord), now };
  }

  async take(
    name: string,
    hash: string,
    process: string,
    lease: number,
    cause: EvaluationCause,
  ): Promise<TakenSensor | undefined> {
    const values = [this.namespace, name, hash, process, lease, cause];
    const [row] = await this.database.rows<TakenRow>(TAKE_SENSOR, values);
    if (!row) return undefined;
    const { evaluated_at: evaluatedAt, ...taken } = row;
    return { ...taken, evaluatedAt };
  }

  async leave({ id, generation }: TakenSensor): Promise<void> {
    await this.database.rows(LEAVE_SENSOR, [id, generation]);
  }

  commit(taken: TakenSensor, evaluation: NewEvaluation, next: number): Promise<CommittedEvaluation | undefined> {
    const { id, generation, failures } = taken;
    const { status, cursor, stop = false } = evaluation;
    const reason = evaluation.reason === null ? null : storable(evaluation.reason);
    const error = status === 'failed' ? (reason ?? '') : null;
    return this.#unlessOvertaken(async (sql) => {
      const moves = [cursor !== undefined, (cursor ?? null) === null ? null : json(cursor)];
      const values = [id, generation, ...moves, error, next, stop];
      const [moved] = await sql.rows<{ name: string; failures: number }>(MOVE_SENSOR, values);
      if (!moved) throw new Overtaken();
      const { name: sensor } = moved;
      if (error !== null) await this.#tell(sql, 'sensor.failed', { sensor, reason, failures: moved.failures });
      else if (failures > 0) await this.#tell(sql, 'sensor.recovered', { sensor, failures });
      if (stop) await this.#tell(sql, 'sensor.paused', { sensor, reason });
      return this.#record(sql, { id, name: sensor }, { ...evaluation, reason });
    });
  }

  async deliver(
    sensor: number,
    delivery: string,
    evaluation: NewEvaluation,
    keep: number,
  ): Promise<(CommittedEvaluation & { readonly repeated: boolean }) | undefined> {
    const committed = await this.#unlessOvertaken(async (sql) => {
      const [open] = await sql.rows<{ name: string }>(OPEN_SENSOR, [sensor]);
      if (!open) throw new Overtaken();
      const recorded = await this.#record(sql, { id: sensor, name: open.name }, evaluation);
      const values = [sensor, delivery, json(recorded.evaluation)];
      if ((await sql.rows(ADD_DELIVERY, values)).length === 0) throw new Overtaken();
      await sql.rows(FORGET_DELIVERIES, [sensor, keep]);
      return recorded;
    });
    if (committed) return { ...committed, repeated: false };
    const before = await this.delivered(sensor, delivery);
    return before && { evaluation: before, created: [], repeated: true };
  }

  async delivered(sensor: number, delivery: string): Promise<EvaluationRecord | undefined> {
    const [row] = await this.database.rows<{ evaluation: EvaluationRecord }>(DELIVERED, [sensor, delivery]);
    return row && { ...row.evaluation, at: new Date(row.evaluation.at) };
  }

  pause(name: string, paused: boolean, { actor, reason }: Act): Promise<boolean> {
    return this.database.transaction(async (sql) => {
      const changed = await sql.rows(PAUSE_SENSOR, [this.namespace, name, paused, actor, reason]);
      if (changed.length === 0) return false;
      await this.#tell(sql, paused ? 'sensor.paused' : 'sensor.resumed', { sensor: name, reason }, actor);
      return true;
    });
  }

  async setCursor(name: string, cursor: JsonValue | null, { actor, reason }: Act): Promise<boolean> {
    const values = [this.namespace, name, cursor === null ? null : json(cursor), actor, reason];
    return (await this.database.rows(SET_CURSOR, values)).length > 0;
  }

  remove(name: string, { actor, reason }: Act): Promise<boolean> {
    return this.database.transaction(async (sql) => {
      if ((await sql.rows(REMOVE_SENSOR, [this.namespace, name])).length === 0) return false;
      await this.#tell(sql, 'sensor.deleted', { sensor: name, reason }, actor);
      return true;
    });
  }

  async evaluations(sensor: number, { limit, before }: PageRequest): Promise<Page<EvaluationRecord>> {
    const rows = await this.database.rows<EvaluationRow>(EVALUATIONS, [sensor, before ?? null, limit + 1]);
    const items = rows
      .slice(0, limit)
      .map(({ name, detail, ...evaluation }) => ({ ...evaluation, sensor: name, ...detail }));
    return { items, next: rows.length > limit ? items.at(-1)!.id : null };
  }

  async #record(
    sql: Transaction,
    sensor: { readonly id: number; readonly name: string },
    { status, reason, by, runs: asked, partitions: wanted }: NewEvaluation,
  ): Promise<CommittedEvaluation> {
    const partitions: SensorPartitions[] = [];
    for (const { scheme, keys } of wanted) {
      const added = await this.acts.addPartitions(sql, scheme, keys, { actor: `sensor ${sensor.name}`, reason: null });
      partitions.push({ scheme, added });
    }
    const runs: SensorRun[] = [];
    const created: (RunRecord | undefined)[] = [];
    for (const request of asked) {
      const { run, outcome } = await this.#request(sql, request);
      runs.push(outcome);
      created.push(run);
    }
    const values = [sensor.id, status, reason, json({ runs, partitions }), by];
    const [row] = await sql.rows<{ id: number; at: Date }>(ADD_EVALUATION, values);
    const { id, at } = row!;
    if (status === 'requested') {
      const detail = { sensor: sensor.name, evaluation: id, runs: created.flatMap((run) => run?.id ?? []), partitions };
      await this.#tell(sql, 'sensor.requested', detail, by);
    }
    const did = status === 'requested';
    await sql.rows(FORGET_EVALUATIONS, [sensor.id, did, did ? KEPT_EVALUATIONS.requested : KEPT_EVALUATIONS.others]);
    return { evaluation: { id, sensor: sensor.name, status, reason, runs, partitions, by, at }, created };
  }

  async #request(
    sql: Transaction,
    { run, plan, runKey }: SensorRequest,
  ): Promise<{ readonly run: RunRecord | undefined; readonly outcome: SensorRun }> {
    try {
      const inserted = await this.requests.insertRun(run, plan ? { plan } : {}, sql);
      const outcome = inserted.created ? ('requested' as const) : ('repeated' as const);
      return {
        run: inserted.created ? inserted.run : undefined,
        outcome: { run: inserted.run.id, runKey, outcome },
      };
    } catch (error) {
      // Told before anything is written: the transaction goes on.
      if (!(error instanceof FlowStoneError) || error.code !== 'FLOWSTONE_RUN_KEY_CONFLICT') throw error;
      return { run: undefined, outcome: { run: Number(error.context['run']), runKey, outcome: 'conflict' } };
    }
  }

  async #unlessOvertaken<T>(work: (sql: Transaction) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.database.transaction(work);
    } catch (error) {
      if (error instanceof Overtaken) return undefined;
      throw error;
    }
  }

  async #tell(sql: Sql, kind: EventKind, detail: object, actor: string | null = null): Promise<void> {
    await sql.rows(TELL_SENSOR, [this.namespace, kind, actor, json(detail)]);
  }
}

function sensorRecord(row: SensorRow): SensorRecord {
  const { id, name, definition, hash, live, cursor, failures } = row;
  return {
    ...{ id, name, definition, hash, live, cursor, failures },
    evaluatedAt: row.evaluated_at,
    nextAt: row.next_at,
    lastError: row.last_error,
    paused: row.paused_at && { at: row.paused_at, actor: row.paused_by, reason: row.paused_reason },
    createdAt: row.created_at,
  };
}
