// Approvals in SQL: materializations that wait for a decision, what happens to that, and what follows. The rules are
// those of approval.machine.ts, applied under the lock of the materialization.
import { isDeepStrictEqual } from 'node:util';
import { FlowStoneError } from '../../flowstone.errors.js';
import {
  decideApproval,
  isDecided,
  looksAtInputs,
  timersOf,
  type ApprovalCommand,
  type NewApprovalAct,
} from '../approval.machine.js';
import type { ApprovalAct, ApprovalInput, ApprovalRecord } from '../approval.records.js';
import type {
  ApprovalFilter,
  ApprovalLedger,
  ApprovalPage,
  ApprovalRequest,
  Asked,
  CommandedApproval,
  DecidedApproval,
  DeliveredSignal,
} from '../approvals.port.js';
import { approvalUnknown, refusal, refusalOfMoved, refusalOfSecond } from '../approval.refusals.js';
import type { Page } from '../ledger.port.js';
import type { JsonValue, MaterializationStatus } from '../records.js';
import type { Fenced } from '../work.js';
import { ApprovalReads, packed, type ApprovalRow, type NumberedPin } from './approval-reads.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Claims } from './claims.js';
import type { Database, Sql } from './database.js';
import {
  AWAIT_HEADS,
  CHANGE_APPROVAL,
  DATA_VERSIONS,
  DROP_TIMER,
  DUE_APPROVALS,
  HOLD_OWNER,
  IN_FORCE,
  KEPT_SIGNAL,
  KEEP_SIGNAL,
  LOCK_APPROVAL,
  LOCK_ATTEMPT,
  NOTE_ACT,
  NOTE_INPUTS,
  OF_TOKEN,
  OPEN_APPROVAL,
  PAUSE,
  RESUME,
  ROUNDS,
  SET_TIMERS,
  SHARE_HEADS,
  TAKE_SIGNAL,
  TAKE_TIMER,
} from './statements/approving.js';
import { json, storable } from './values.js';

interface AttemptRow {
  readonly id: number;
  readonly status: MaterializationStatus;
  readonly epoch: number;
  readonly cancel_requested: boolean;
}

type TimedCommand = Extract<ApprovalCommand, { kind: 'deadline' | 'escalation' | 'moved' }>;

/** What is due and handled in one call. */
const MOST_DUE = 100;

export class Approvals implements ApprovalLedger {
  /** The last command on an approval that somebody here has given. */
  readonly #commands = new Map<number, Promise<unknown>>();

  readonly reads: ApprovalReads;

  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly assets: AssetNumbers,
    readonly claims: Claims,
  ) {
    this.reads = new ApprovalReads(database, namespace, assets);
  }

  async ask(attempt: Fenced, request: ApprovalRequest): Promise<Asked> {
    const asked = await this.database.transaction((sql) => this.#ask(sql, attempt, request));
    if (asked.kind === 'waiting') this.claims.forget(attempt);
    return asked;
  }

  async #ask(sql: Sql, { id, epoch }: Fenced, request: ApprovalRequest): Promise<Asked> {
    const { rule, pins } = request;
    const [row] = await sql.rows<AttemptRow>(LOCK_ATTEMPT, [this.namespace, id]);
    if (row?.status === 'waiting_approval' && row.epoch === epoch) {
      // It did ask: the answer was lost.
      const [open] = await sql.rows<ApprovalRow>(IN_FORCE, [[id]]);
      return { kind: 'waiting', approval: open!.id, rings: [] };
    }
    if (row?.status !== 'running' || row.epoch !== epoch) return { kind: 'fenced' };
    if (row.cancel_requested) return { kind: 'cancelled' };
    const numberOf = await this.assets.require(
      sql,
      pins.map(({ asset }) => asset),
    );
    const numbered = pins.map((pin) => ({ ...pin, number: numberOf(pin.asset) }));
    if (rule.pinInputs) {
      const absent = numbered.filter(({ materialization }) => materialization === null);
      const places = [absent.map(({ number }) => number), absent.map(({ partition }) => partition)];
      if (absent.length > 0) await sql.rows(AWAIT_HEADS, places);
      if (await this.#haveMoved(sql, numbered)) return { kind: 'moved' };
    }
    const [opened] = await sql.rows<{ id: number }>(OPEN_APPROVAL, [
      ...[this.namespace, id, epoch, storable(request.message), json(rule), packed(rule.assignees), rule.timeout],
      ...[request.inputs, request.upstreams, request.signal ?? null],
    ]);
    await sql.rows(NOTE_INPUTS, [
      opened!.id,
      numbered.map(({ alias }) => alias),
      numbered.map(({ number }) => number),
      numbered.map(({ partition }) => partition),
      numbered.map(({ materialization }) => materialization),
      numbered.map(({ dataVersion }) => dataVersion),
      rule.pinInputs,
    ]);
    const [paused] = await sql.rows<{ paused: boolean; rings: string[] }>(PAUSE, [this.namespace, id, epoch]);
    const { approval } = (await this.reads.read(sql, opened!.id))!;
    await this.#setTimers(sql, approval);
    await this.#note(sql, approval, { kind: 'requested', actor: approval.requestedBy, detail: null, notify: [] });
    const rings = request.signal === undefined ? [] : await this.#takeEarly(sql, approval.id, request.signal);
    return { kind: 'waiting', approval: approval.id, rings: [...paused!.rings, ...rings] };
  }

  /** A signal that came too early is there now. */
  async #takeEarly(sql: Sql, approval: number, token: string): Promise<readonly string[]> {
    const [early] = await sql.rows<{ payload: JsonValue }>(TAKE_SIGNAL, [token]);
    return early ? (await this.#carryOut(sql, approval, { kind: 'receive', value: early.payload })).rings : [];
  }

  async rounds(materializations: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const rows = await this.database.rows<{ id: number; count: number }>(ROUNDS, [materializations]);
    return new Map(rows.map(({ id, count }) => [id, count]));
  }

  async receive(signal: DeliveredSignal): ReturnType<ApprovalLedger['receive']> {
    const done = await this.database.transaction((sql) => this.#receive(sql, signal));
    if (done?.refusal) throw done.refusal;
    return done;
  }

  async #receive(
    sql: Sql,
    { token, materialization, round, value }: DeliveredSignal,
  ): Promise<{ run: number; rings: readonly string[]; refusal?: FlowStoneError } | undefined> {
    const [row] = await sql.rows<AttemptRow & { run_id: number }>(LOCK_ATTEMPT, [this.namespace, materialization]);
    if (!row) return undefined;
    const [known] = await sql.rows<{ id: number }>(OF_TOKEN, [this.namespace, token]);
    if (known) return { run: row.run_id, ...(await this.#carryOut(sql, known.id, { kind: 'receive', value })) };
    const [{ count } = { count: 0 }] = await sql.rows<{ count: number }>(ROUNDS, [[materialization]]);
    if (count !== round || (row.status !== 'running' && row.status !== 'pending')) return undefined;
    await sql.rows(KEEP_SIGNAL, [token, materialization, json(value)]);
    const [kept] = await sql.rows<{ payload: JsonValue }>(KEPT_SIGNAL, [token]);
    const same = isDeepStrictEqual(kept!.payload, value);
    return { run: row.run_id, rings: [], ...(!same && { refusal: refusalOfSecond(materialization) }) };
  }

  /** One after the other: the lock would have them wait anyway, each with a connection that others need. */
  async command(id: number, command: ApprovalCommand): Promise<CommandedApproval> {
    const former = this.#commands.get(id);
    const next = async (): Promise<CommandedApproval> =>
      (await this.#afterwards(id, command)) ?? this.#command(id, command);
    const done = former ? former.then(next, next) : this.#command(id, command);
    this.#commands.set(id, done);
    try {
      return await done;
    } finally {
      if (this.#commands.get(id) === done) this.#commands.delete(id);
    }
  }

  /** What one is told that is closed by now, which is for ever: no lock, one look. Undefined: it is open. */
  async #afterwards(id: number, command: ApprovalCommand): Promise<CommandedApproval | undefined> {
    const found = await this.reads.read(this.database, id);
    if (!found || found.approval.status === 'open') return undefined;
    const answer = decideApproval(found.approval, command, found.now);
    if (answer.kind === 'refused') throw refusal(answer);
    return answer.kind === 'unchanged' ? { approval: found.approval, rings: [] } : undefined;
  }

  async #command(id: number, command: ApprovalCommand): Promise<CommandedApproval> {
    const done = await this.database.transaction(async (sql) => {
      const [locked] = await sql.rows<AttemptRow>(LOCK_APPROVAL, [this.namespace, id]);
      if (!locked) throw approvalUnknown(id);
      return this.#carryOut(sql, id, command);
    });
    if (done.refusal) throw done.refusal;
    return done;
  }

  async fireDue(): ReturnType<ApprovalLedger['fireDue']> {
    type Due = {
      owner: number;
      kind: 'deadline' | 'escalation' | 'inputs';
      generation: number;
      approval: number | null;
    };
    const due = await this.database.rows<Due>(DUE_APPROVALS, [this.namespace, MOST_DUE]);
    const rings = new Set<string>();
    let fired = 0;
    for (const { owner, kind, generation, approval } of due) {
      const timer = [owner, kind, generation];
      const done = await this.database.transaction(async (sql) => {
        const [held] = await sql.rows(HOLD_OWNER, [owner]);
        if (!held) return approval === null ? void (await sql.rows(DROP_TIMER, timer)) : undefined;
        // Before the timer: who moves a head sets one, and would wait for this while this waits for the head.
        if (approval !== null && kind === 'inputs') await this.#haveMoved(sql, await this.reads.pins(sql, approval));
        const [taken] = await sql.rows(TAKE_TIMER, timer);
        if (!taken) return undefined;
        fired++;
        const command: TimedCommand = { kind: kind === 'inputs' ? 'moved' : kind };
        return approval === null ? undefined : this.#carryOut(sql, approval, command);
      });
      for (const pool of done?.rings ?? []) rings.add(pool);
    }
    return { rings: [...rings], fired: fired > 0, more: due.length === MOST_DUE && fired > 0 };
  }

  async decided(materializations: readonly number[]): Promise<ReadonlyMap<number, DecidedApproval>> {
    const rows = await this.database.rows<ApprovalRow>(IN_FORCE, [materializations]);
    const records = await this.reads.records(this.database, rows);
    const decided = records.filter(isDecided);
    if (decided.length === 0) return new Map();
    const inputs = await this.reads.inputs(decided.map(({ id }) => id));
    const kept = new Map(rows.map((row) => [row.id, row]));
    return new Map(
      decided.map((approval) => {
        const { inputs: fingerprint, upstreams } = kept.get(approval.id)!;
        const pins = inputs.get(approval.id) ?? [];
        return [approval.materialization, { approval, inputs: fingerprint, upstreams, pins }];
      }),
    );
  }

  async supersede({ id, epoch }: Fenced, approval: number): Promise<boolean> {
    return this.database.transaction(async (sql) => {
      const [row] = await sql.rows<AttemptRow>(LOCK_ATTEMPT, [this.namespace, id]);
      if (row?.status !== 'running' || row.epoch !== epoch) return false;
      const found = await this.reads.read(sql, approval);
      if (!found || found.approval.materialization !== id || !isDecided(found.approval)) return false;
      const act: NewApprovalAct = { kind: 'superseded', actor: null, detail: null, notify: [] };
      await this.#change(sql, { ...found.approval, status: 'superseded' }, act);
      return true;
    });
  }

  async approval(id: number): Promise<ApprovalRecord | undefined> {
    return (await this.reads.read(this.database, id))?.approval;
  }

  approvals(filter: ApprovalFilter, page: ApprovalPage): Promise<Page<ApprovalRecord>> {
    return this.reads.approvals(filter, page);
  }

  async inputs(approval: number): Promise<readonly ApprovalInput[]> {
    return (await this.reads.inputs([approval])).get(approval) ?? [];
  }

  acts(approval: number): Promise<readonly ApprovalAct[]> {
    return this.reads.acts(approval);
  }

  /** Under the lock of its materialization. */
  async #carryOut(
    sql: Sql,
    id: number,
    command: ApprovalCommand,
  ): Promise<CommandedApproval & { readonly refusal?: FlowStoneError }> {
    const { approval, now } = (await this.reads.read(sql, id))!;
    const judged = looksAtInputs(approval, command);
    const moved = judged && (await this.#haveMoved(sql, await this.reads.pins(sql, id)));
    if (command.kind === 'moved' && !moved) return { approval, rings: [] };
    const answer = decideApproval(approval, moved ? { kind: 'moved' } : command, now);
    if (answer.kind === 'refused') return { approval, rings: [], refusal: refusal(answer) };
    if (answer.kind === 'unchanged') {
      // Its timer has come too early, and was taken.
      await this.#setTimers(sql, approval);
      return { approval, rings: [] };
    }
    const rings = await this.#change(sql, answer.approval, answer.act);
    const refused =
      moved && ('by' in command || command.kind === 'receive') ? { refusal: refusalOfMoved(approval) } : {};
    return { approval: answer.approval, rings, ...refused };
  }

  async #change(sql: Sql, approval: ApprovalRecord, act: NewApprovalAct): Promise<readonly string[]> {
    if (act.kind !== 'commented') {
      await sql.rows(CHANGE_APPROVAL, [
        ...[approval.id, approval.status, packed(approval.audience), approval.deadline, approval.escalations],
        ...[approval.extensions, json(approval.votes), approval.proposal && json(approval.proposal)],
        ...[approval.decision && json(approval.decision), approval.closedAt],
        approval.status === 'open' || isDecided(approval),
      ]);
    }
    await this.#note(sql, approval, act);
    if (approval.status === 'open') await this.#setTimers(sql, approval);
    else if (act.kind !== 'commented') {
      const values = [this.namespace, approval.materialization, approval.epoch];
      const [resumed] = await sql.rows<{ resumed: boolean; rings: readonly string[] }>(RESUME, values);
      return resumed!.rings;
    }
    return [];
  }

  async #setTimers(sql: Sql, approval: ApprovalRecord): Promise<void> {
    if (approval.status !== 'open') return;
    const { deadline, escalation } = timersOf(approval);
    await sql.rows(SET_TIMERS, [this.namespace, approval.materialization, approval.epoch, deadline, escalation]);
  }

  async #note(sql: Sql, { id }: ApprovalRecord, { kind, actor, detail, notify }: NewApprovalAct): Promise<void> {
    const act = [kind, actor && storable(actor), detail && json(detail), notify];
    await sql.rows(NOTE_ACT, [this.namespace, id, ...act]);
  }

  /** Whether one of these versions has been replaced by another; the heads stay as they are until the transaction ends. */
  async #haveMoved(sql: Sql, pins: readonly NumberedPin[]): Promise<boolean> {
    if (pins.length === 0) return false;
    type Head = { asset_id: number; partition: string; materialization_id: number | null };
    const heads = await sql.rows<Head>(SHARE_HEADS, [
      pins.map(({ number }) => number),
      pins.map(({ partition }) => partition),
    ]);
    const name = (asset: number, partition: string): string => `${asset} ${partition}`;
    const current = new Map(heads.map((head) => [name(head.asset_id, head.partition), head.materialization_id]));
    const replaced = pins.flatMap(({ number, partition, materialization, dataVersion }) => {
      const head = current.get(name(number, partition)) ?? null;
      // One that was deleted has no other version.
      return head === null || head === materialization ? [] : [{ head, dataVersion }];
    });
    if (replaced.length === 0) return false;
    const ids = replaced.map(({ head }) => head);
    const rows = await sql.rows<{ id: number; data_version: string }>(DATA_VERSIONS, [ids]);
    const versions = new Map(rows.map((row) => [row.id, row.data_version]));
    return replaced.some(({ head, dataVersion }) => versions.get(head) !== dataVersion);
  }
}
