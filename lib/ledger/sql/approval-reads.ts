// Approvals as they are read: records, what they are about, and what happened to them.
import type { ApprovalAct, ApprovalInput, ApprovalRecord, Audience } from '../approval.records.js';
import type { ApprovalFilter, ApprovalPage, ApprovalPin } from '../approvals.port.js';
import type { Page } from '../ledger.port.js';
import type { ApprovalActKind, JsonObject } from '../records.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database, Sql } from './database.js';
import { valueRecord, type VersionColumns } from './rows.js';
import { ACTS_OF, APPROVAL_OF, approvalsWhere, INPUTS_OF } from './statements/approving.js';

export interface ApprovalRow {
  readonly id: number;
  readonly run_id: number;
  readonly materialization_id: number;
  readonly epoch: number;
  readonly token: string | null;
  readonly asset_id: number;
  readonly partition: string;
  readonly status: ApprovalRecord['status'];
  readonly message: string;
  readonly requested_by: string | null;
  readonly rule: ApprovalRecord['rule'];
  readonly open_to: readonly string[];
  readonly opened_at: Date;
  readonly deadline: Date | null;
  readonly escalations: number;
  readonly extensions: number;
  readonly votes: readonly Timed<ApprovalRecord['votes'][number]>[];
  readonly proposal: Timed<NonNullable<ApprovalRecord['proposal']>> | null;
  readonly decision: Timed<NonNullable<ApprovalRecord['decision']>> | null;
  readonly closed_at: Date | null;
  readonly previous: number | null;
  readonly inputs: string;
  readonly upstreams: string;
}

/** As JSON: times are texts. */
type Timed<T> = Omit<T, 'at'> & { readonly at: string };

interface InputRow extends VersionColumns {
  readonly approval_id: number;
  readonly alias: string;
  readonly asset_id: number;
  readonly partition: string;
  readonly materialization_id: number | null;
}

/** A version that was shown, by the number of its asset. */
export type NumberedPin = ApprovalPin & { readonly number: number };

export class ApprovalReads {
  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly assets: AssetNumbers,
  ) {}

  async read(sql: Sql, id: number): Promise<{ approval: ApprovalRecord; now: Date } | undefined> {
    const [row] = await sql.rows<ApprovalRow & { now: Date }>(APPROVAL_OF, [this.namespace, id]);
    return row && { approval: (await this.records(sql, [row]))[0]!, now: row.now };
  }

  async approvals(filter: ApprovalFilter, page: ApprovalPage): Promise<Page<ApprovalRecord>> {
    const { kind, status, asset, run, materialization, audience } = filter;
    const conditions: [string, unknown][] = [];
    if (kind) conditions.push(['(a.token IS NULL) = ?', kind === 'checkpoint']);
    // As the index for what is due has it.
    if (status?.length === 1 && status[0] === 'open') conditions.push([`a.status = 'open' AND ?::boolean`, true]);
    else if (status) conditions.push(['a.status = ANY (?::text[])', status]);
    if (asset !== undefined) {
      const [number] = await this.assets.known(this.database, [asset]);
      conditions.push(['a.asset_id = ?', number ?? 0]);
    }
    if (run !== undefined) conditions.push(['a.run_id = ?', run]);
    if (materialization !== undefined) conditions.push(['a.materialization_id = ?', materialization]);
    if (audience) conditions.push([`(a.audience = '{}' OR a.audience && ?::text[])`, packed(audience)]);
    const listing = approvalsWhere(
      conditions.map(([sql]) => sql),
      page.order,
    );
    const values = [this.namespace, page.limit + 1, page.before ?? null, ...conditions.map(([, value]) => value)];
    const rows = await this.database.rows<ApprovalRow>(listing, values);
    const items = await this.records(this.database, rows.slice(0, page.limit));
    return { items, next: rows.length > page.limit ? items.at(-1)!.id : null };
  }

  async acts(approval: number): Promise<readonly ApprovalAct[]> {
    type Row = { id: number; kind: ApprovalActKind; at: Date; actor: string | null; detail: JsonObject | null };
    const rows = await this.database.rows<Row>(ACTS_OF, [approval]);
    return rows.map(({ id, kind, at, actor, detail }) => ({ id, approval, kind, at, actor, detail }));
  }

  /** What each of them is about. */
  async inputs(approvals: readonly number[]): Promise<Map<number, ApprovalInput[]>> {
    const rows = await this.database.rows<InputRow>(INPUTS_OF, [approvals]);
    const keyOf = await this.assets.keys(
      this.database,
      rows.map((row) => row.asset_id),
    );
    const inputs = new Map<number, ApprovalInput[]>(approvals.map((id) => [id, []]));
    for (const row of rows) {
      inputs.get(row.approval_id)!.push({
        alias: row.alias,
        asset: keyOf(row.asset_id),
        partition: row.partition,
        materialization: row.materialization_id,
        dataVersion: row.data_version,
        value: valueRecord(row),
        completedAt: row.completed_at,
      });
    }
    return inputs;
  }

  async pins(sql: Sql, approval: number): Promise<NumberedPin[]> {
    const rows = await sql.rows<InputRow>(INPUTS_OF, [[approval]]);
    return rows.map(({ alias, asset_id: number, partition, materialization_id: materialization, data_version }) => ({
      ...{ alias, asset: '', number, partition, materialization },
      dataVersion: data_version,
    }));
  }

  async records(sql: Sql, rows: readonly ApprovalRow[]): Promise<ApprovalRecord[]> {
    const keyOf = await this.assets.keys(
      sql,
      rows.map((row) => row.asset_id),
    );
    return rows.map((row) => ({
      id: row.id,
      kind: row.token === null ? 'checkpoint' : 'signal',
      run: row.run_id,
      materialization: row.materialization_id,
      epoch: row.epoch,
      asset: keyOf(row.asset_id),
      partition: row.partition,
      status: row.status,
      message: row.message,
      requestedBy: row.requested_by,
      rule: row.rule,
      audience: unpacked(row.open_to),
      openedAt: row.opened_at,
      deadline: row.deadline,
      escalations: row.escalations,
      extensions: row.extensions,
      votes: row.votes.map(timed),
      proposal: row.proposal && timed(row.proposal),
      decision: row.decision && timed(row.decision),
      closedAt: row.closed_at,
      previous: row.previous,
    }));
  }
}

const USER = 'user:';
const ROLE = 'role:';

export function packed({ users, roles }: Audience): string[] {
  return [...users.map((user) => USER + user), ...roles.map((role) => ROLE + role)];
}

function unpacked(names: readonly string[]): Audience {
  const of = (kind: string): string[] =>
    names.flatMap((name) => (name.startsWith(kind) ? [name.slice(kind.length)] : []));
  return { users: of(USER), roles: of(ROLE) };
}

function timed<T extends { readonly at: string }>(record: T): Omit<T, 'at'> & { readonly at: Date } {
  return { ...record, at: new Date(record.at) };
}
