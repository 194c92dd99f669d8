// Approvals in memory. Timers and inputs that move are not noted: whoever fires looks at all that is open.
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
import {
  isEverybody,
  type ApprovalAct,
  type ApprovalInput,
  type ApprovalRecord,
  type Audience,
} from '../approval.records.js';
import { approvalUnknown, refusal, refusalOfMoved, refusalOfSecond } from '../approval.refusals.js';
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
import type { Page } from '../ledger.port.js';
import type { Fenced } from '../work.js';
import { located, type ApprovalRow, type Row } from './memory-rows.js';
import type { MemoryState } from './memory-state.js';

export class MemoryApprovals implements ApprovalLedger {
  readonly #acts: ApprovalAct[] = [];
  /** Signals that came before their attempt waited, by token. */
  readonly #early = new Map<string, DeliveredSignal>();

  constructor(private readonly state: MemoryState) {
    state.approvalClosed = (row) => this.#cancelled(row);
  }

  async ask({ id, epoch }: Fenced, request: ApprovalRequest): Promise<Asked> {
    const row = this.state.rows.get(id);
    if (row?.status !== 'running' || row.epoch !== epoch) return { kind: 'fenced' };
    if (row.cancelRequested) return { kind: 'cancelled' };
    if (request.rule.pinInputs && this.#haveMoved(request)) return { kind: 'moved' };
    const { approvals } = this.state;
    const now = new Date(this.state.clock());
    const run = this.state.runs.get(row.run!)!;
    const previous = [...approvals.values()].findLast(({ record }) => record.materialization === id);
    const record: ApprovalRecord = {
      id: approvals.size + 1,
      kind: request.signal === undefined ? 'checkpoint' : 'signal',
      ...{ run: run.id, materialization: id, epoch, asset: row.asset, partition: row.partition },
      ...{ status: 'open', message: request.message, requestedBy: run.requestedBy, rule: request.rule },
      audience: request.rule.assignees,
      openedAt: now,
      deadline: request.rule.timeout === null ? null : new Date(now.getTime() + request.rule.timeout),
      ...{ escalations: 0, extensions: 0, votes: [], proposal: null, decision: null, closedAt: null },
      previous: previous?.record.id ?? null,
    };
    approvals.set(record.id, { record, request });
    this.state.pause(row);
    this.#note(record, { kind: 'requested', actor: run.requestedBy, detail: null, notify: [] });
    const early = request.signal === undefined ? undefined : this.#early.get(request.signal);
    if (early) {
      this.#early.delete(request.signal!);
      this.#carryOut(approvals.get(record.id)!, { kind: 'receive', value: early.value });
    }
    return { kind: 'waiting', approval: record.id, rings: this.state.readyPools() };
  }

  async rounds(materializations: readonly number[]): Promise<ReadonlyMap<number, number>> {
    return new Map(materializations.map((id) => [id, this.#askedBy(id).length]));
  }

  async receive(signal: DeliveredSignal): ReturnType<ApprovalLedger['receive']> {
    const { token, materialization, round, value } = signal;
    const row = this.state.rows.get(materialization);
    if (!row) return undefined;
    const asked = this.#askedBy(materialization);
    const waiting = asked.find(({ request }) => request.signal === token);
    if (waiting) {
      const { rings, refusal: refused } = this.#carryOut(waiting, { kind: 'receive', value });
      if (refused) throw refused;
      return { run: row.run!, rings };
    }
    if (asked.length !== round || (row.status !== 'running' && row.status !== 'pending')) return undefined;
    const known = this.#early.get(token);
    if (known && !isDeepStrictEqual(known.value, value)) throw refusalOfSecond(materialization);
    this.#early.set(token, signal);
    return { run: row.run!, rings: [] };
  }

  #askedBy(id: number): ApprovalRow[] {
    return [...this.state.approvals.values()].filter(({ record }) => record.materialization === id);
  }

  async command(id: number, command: ApprovalCommand): Promise<CommandedApproval> {
    const row = this.state.approvals.get(id);
    if (!row) throw approvalUnknown(id);
    const done = this.#carryOut(row, command);
    if (done.refusal) throw done.refusal;
    return done;
  }

  async fireDue(): ReturnType<ApprovalLedger['fireDue']> {
    const now = this.state.clock();
    const rings = new Set<string>();
    const before = this.#acts.length;
    for (const row of this.state.approvals.values()) {
      if (row.record.status !== 'open') continue;
      const { deadline, escalation } = timersOf(row.record);
      const commands: ApprovalCommand['kind'][] = [];
      if (row.record.rule.pinInputs && this.#haveMoved(row.request)) commands.push('moved');
      if (escalation && escalation.getTime() <= now) commands.push('escalation');
      if (deadline && deadline.getTime() <= now) commands.push('deadline');
      for (const kind of commands) {
        for (const pool of this.#carryOut(row, { kind } as ApprovalCommand).rings) rings.add(pool);
      }
    }
    return { rings: [...rings], fired: this.#acts.length > before, more: false };
  }

  async decided(materializations: readonly number[]): Promise<ReadonlyMap<number, DecidedApproval>> {
    const wanted = new Set(materializations);
    const decided = [...this.state.approvals.values()].filter(
      ({ record }) => wanted.has(record.materialization) && isDecided(record),
    );
    return new Map(
      decided.map(({ record, request: { inputs, upstreams, pins } }) => [
        record.materialization,
        { approval: record, inputs, upstreams, pins: pins.map((pin) => this.#input(pin)) },
      ]),
    );
  }

  async supersede({ id, epoch }: Fenced, approval: number): Promise<boolean> {
    const row = this.state.rows.get(id);
    const found = this.state.approvals.get(approval);
    if (row?.status !== 'running' || row.epoch !== epoch) return false;
    if (found?.record.materialization !== id || !isDecided(found.record)) return false;
    found.record = { ...found.record, status: 'superseded' };
    this.#note(found.record, { kind: 'superseded', actor: null, detail: null, notify: [] });
    return true;
  }

  async approval(id: number): Promise<ApprovalRecord | undefined> {
    return this.state.approvals.get(id)?.record;
  }

  async approvals(filter: ApprovalFilter, { limit, before, order }: ApprovalPage): Promise<Page<ApprovalRecord>> {
    const { kind, status, asset, run, materialization, audience } = filter;
    const all = Array.from(this.state.approvals.values(), ({ record }) => record).filter(
      (record) =>
        (!kind || record.kind === kind) &&
        (!status || status.includes(record.status)) &&
        (asset === undefined || record.asset === asset) &&
        (run === undefined || record.run === run) &&
        (materialization === undefined || record.materialization === materialization) &&
        (!audience || concerns(record.audience, audience)),
    );
    const due = ({ deadline }: ApprovalRecord): number => deadline?.getTime() ?? Number.MAX_SAFE_INTEGER;
    const compare = (a: ApprovalRecord, b: ApprovalRecord): number =>
      order === 'newest' ? b.id - a.id : due(a) - due(b) || a.id - b.id;
    const last = before === undefined ? undefined : this.state.approvals.get(before)?.record;
    const rest = all.sort(compare).filter((record) => !last || compare(record, last) > 0);
    return { items: rest.slice(0, limit), next: rest.length > limit ? rest[limit - 1]!.id : null };
  }

  async inputs(approval: number): Promise<readonly ApprovalInput[]> {
    return (this.state.approvals.get(approval)?.request.pins ?? []).map((pin) => this.#input(pin));
  }

  async acts(approval: number): Promise<readonly ApprovalAct[]> {
    return this.#acts.filter((act) => act.approval === approval);
  }

  #carryOut(row: ApprovalRow, command: ApprovalCommand): CommandedApproval & { readonly refusal?: FlowStoneError } {
    const { record } = row;
    const judged = looksAtInputs(record, command);
    const moved = judged && this.#haveMoved(row.request);
    if (command.kind === 'moved' && !moved) return { approval: record, rings: [] };
    const answer = decideApproval(record, moved ? { kind: 'moved' } : command, new Date(this.state.clock()));
    if (answer.kind === 'refused') return { approval: record, rings: [], refusal: refusal(answer) };
    if (answer.kind === 'unchanged') return { approval: record, rings: [] };
    row.record = answer.approval;
    this.#note(answer.approval, answer.act);
    if (record.status === 'open' && answer.approval.status !== 'open') {
      const waiting = this.state.rows.get(record.materialization)!;
      this.state.giveBack(waiting, true);
      waiting.epoch++;
    }
    const refused = moved && ('by' in command || command.kind === 'receive') ? { refusal: refusalOfMoved(record) } : {};
    return { approval: answer.approval, rings: this.state.readyPools(), ...refused };
  }

  /** Its materialization was cancelled. */
  #cancelled({ id }: Row): void {
    for (const row of this.state.approvals.values()) {
      if (row.record.materialization !== id || row.record.status !== 'open') continue;
      const answer = decideApproval(row.record, { kind: 'cancel' }, new Date(this.state.clock()));
      if (answer.kind !== 'changed') continue;
      row.record = answer.approval;
      this.#note(answer.approval, answer.act);
    }
  }

  #haveMoved({ pins }: ApprovalRequest): boolean {
    return pins.some(({ asset, partition, dataVersion }) => {
      const { materialization } = this.state.head(asset, partition);
      return materialization !== null && this.state.rows.get(materialization)!.dataVersion !== dataVersion;
    });
  }

  #input({ alias, asset, partition, materialization, dataVersion }: ApprovalRequest['pins'][number]): ApprovalInput {
    const version = materialization === null ? undefined : this.state.rows.get(materialization);
    const value = located(version?.value ?? null);
    return { alias, asset, partition, materialization, dataVersion, value, completedAt: version?.completedAt ?? null };
  }

  #note(record: ApprovalRecord, { kind, actor, detail, notify }: NewApprovalAct): void {
    const { id: approval, run, materialization, asset, partition } = record;
    this.#acts.push({ id: this.#acts.length + 1, approval, kind, at: new Date(this.state.clock()), actor, detail });
    const at = new Date(this.state.clock()).toISOString();
    const payload = { approval, kind, actor, detail, notify, at };
    if (record.kind === 'checkpoint') this.state.outbox.post('approval', payload);
    const place = { run, materialization, asset, partition };
    this.state.tell(`approval.${kind}`, { ...place, actor, detail: { ...detail, approval } });
  }
}

function concerns(audience: Audience, { users, roles }: Audience): boolean {
  if (isEverybody(audience)) return true;
  return users.some((user) => audience.users.includes(user)) || roles.some((role) => audience.roles.includes(role));
}
