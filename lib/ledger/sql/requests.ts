// Requests for runs: recording them, once per run key or open retry, and planning them.
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { FlowStoneError } from '../../flowstone.errors.js';
import type { Transactional } from '../ledger.port.js';
import type { Claim, Claimant, ClaimRequest, PlanningClaim, PlanRows } from '../work.js';
import type { ErrorRecord, JsonValue, NewRun, RunRecord } from '../records.js';
import type { Claims } from './claims.js';
import type { Database, Sql, Transaction } from './database.js';
import { doubtful, isInDoubt } from './failures.js';
import { copyRows } from './plan-copy.js';
import { addKeysAhead } from './plan-lanes.js';
import { numberAssets, PlanNumbers } from './plan-numbers.js';
import { beginPlan, insertRows, NO_PLAN, type PlanStart } from './plan-rows.js';
import { removedRunRow, runRecord, type ClaimColumns, type RunRow } from './rows.js';
import { runsWhere } from './statements/reading.js';
import {
  CLAIM_PLANNING,
  END_PLANNING,
  INSERT_RUN,
  INSERT_RUNNING,
  OPEN_RETRY,
  PLANNING_HELD,
  RUN_KEY,
  TAKE_RUN_KEY,
} from './statements/requesting.js';
import { json, storable } from './values.js';

interface Recorded {
  readonly run: RunRecord;
  readonly created: boolean;
  readonly claims: readonly Claim[];
}

/** A run of one materialization, recorded as running, with the claim of it. */
interface RunningRow extends RunRow {
  readonly claims: ClaimColumns;
}

/** Rows from which on a plan is copied. */
const LARGE = 1000;

/** A plan ready to be inserted. */
interface Prepared {
  readonly plan: PlanRows;
  readonly start: PlanStart;
  /** Of a large one, being found. */
  readonly numbers: PlanNumbers | undefined;
}

type InsertOptions = Transactional & { readonly plan?: PlanRows; readonly claim?: ClaimRequest };

/** Thrown to roll back what lost against an equal request; never leaves this file. */
class Existing extends Error {
  constructor(readonly find: (sql: Sql) => Promise<RunRow | undefined>) {
    super('an equal request was recorded first');
  }
}

/** Thrown to roll back the plan of a planner that lost its run; never leaves this file. */
class Fenced extends Error {}

export class Requests {
  /** Whether a plan is inserted while its numbers are still being found. */
  #besides = false;

  /** @param spare whether there are connections enough for a transaction to wait for what happens on another one */
  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly claims: Claims,
    private readonly spare: boolean,
  ) {}

  /** See Ledger.insertRun. */
  async insertRun(run: NewRun, options: InsertOptions, joined: Transaction | undefined): Promise<Recorded> {
    const existing = await this.#existing(joined ?? this.database, run);
    if (existing) return { run: runRecord(existing), created: false, claims: [] };
    try {
      const { plan, claim } = options;
      const prepared = plan && (await this.#prepare(plan, run.failFast, joined === undefined));
      await prepared?.numbers?.complete();
      if (joined) return await this.#insert(joined, run, prepared, claim);
      const insert = () =>
        advised(
          run,
          this.database.transaction((sql) => this.#insert(sql, run, prepared, claim)),
        );
      if (!claim) return await insert();
      let recorded: Recorded | undefined;
      await this.claims.recording(claim.process, async () => {
        recorded = (await this.#insertRunning(run, options)) ?? (await insert());
        return recorded.claims;
      });
      return recorded!;
    } catch (error) {
      if (!(error instanceof Existing)) throw error;
      const found = await error.find(joined ?? this.database);
      if (found) return { run: runRecord(found), created: false, claims: [] };
      return this.insertRun(run, options, joined);
    }
  }

  /** What asks for one materialization that can begin at once is one statement; undefined where it is not that. */
  async #insertRunning(run: NewRun, { plan, claim }: InsertOptions): Promise<Recorded | undefined> {
    if (run.runKey !== null || run.retryOf !== null || run.maxConcurrency !== null) return undefined;
    if (plan?.size !== 1 || plan.isBlockedAt(0)) return undefined;
    const asset = plan.assetAt(0);
    if (!claim || claim.limit < 1 || !claim.assets.includes(asset)) return undefined;
    const number = (await this.claims.assets.require(this.database, [asset]))(asset);
    const { request, ...columns } = run;
    const inserted = this.database.rows<RunningRow>(INSERT_RUNNING, [
      ...[this.namespace, json(columns), json(request), claim.process],
      ...[number, plan.partitionAt(0), plan.forcedAt(0), plan.priorityAt(0)],
    ]);
    const [row] = await advised(run, inserted);
    if (!row) return undefined;
    const claims = await this.claims.records(this.database, row.claims);
    return { run: runRecord(row), created: true, claims };
  }

  async #insert(
    sql: Transaction,
    run: NewRun,
    prepared: Prepared | undefined,
    claim: ClaimRequest | undefined,
  ): Promise<Recorded> {
    const { request, ...columns } = run;
    const counts = prepared?.start.counts ?? { ...NO_PLAN, status: 'planning' };
    // The key first: in a host's transaction nothing could take the run back.
    const id = run.runKey === null ? null : await this.#takeRunKey(sql, run);
    const values = [this.namespace, json(columns), json(request), json(counts), id];
    const [row] = await sql.rows<RunRow>(INSERT_RUN, values);
    if (!row) throw new Existing((again) => this.#openRetry(again, run));
    if (prepared) await this.#insertPlan(sql, row.id, prepared);
    const claims = claim && prepared ? await this.claims.claimIn(sql, row.id, claim) : [];
    const record = runRecord({ ...row, running: claims.length });
    return { run: record, created: true, claims };
  }

  /** @param alone whether it is inserted in a transaction of our own, ahead of which others may be made */
  async #prepare(plan: PlanRows, failFast: boolean, alone: boolean): Promise<Prepared> {
    const start = await beginPlan(plan, failFast);
    if (!alone || plan.size < LARGE) return { plan, start, numbers: undefined };
    const assets = await numberAssets(this.database, plan, this.claims.assets);
    await addKeysAhead(this.database, this.namespace, plan, assets);
    return { plan, start, numbers: new PlanNumbers(this.database, plan, assets) };
  }

  /** @param between see copyRows */
  async #insertPlan(
    sql: Transaction,
    run: number,
    { plan, start, numbers }: Prepared,
    between: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const place = { namespace: this.namespace, run };
    if (numbers) await copyRows(sql, place, plan, start, numbers, between);
    else await insertRows(sql, place, plan, start, this.claims.assets);
  }

  async #takeRunKey(sql: Sql, run: NewRun): Promise<number> {
    const values = [this.namespace, storable(run.runKey!), requestHash(run)];
    const [taken] = await sql.rows<{ run_id: number }>(TAKE_RUN_KEY, values);
    if (!taken) throw new Existing((again) => this.#existing(again, run));
    return taken.run_id;
  }

  /** The run this request would repeat, if there is one. */
  async #existing(sql: Sql, run: NewRun): Promise<RunRow | undefined> {
    const retry = run.retryOf === null ? undefined : await this.#openRetry(sql, run);
    if (retry || run.runKey === null) return retry;
    type KeyRow = { run_id: number; request_hash: string; removed_run: JsonValue };
    const [key] = await sql.rows<KeyRow>(RUN_KEY, [this.namespace, storable(run.runKey)]);
    if (!key) return undefined;
    if (key.request_hash === requestHash(run)) {
      return key.removed_run === null ? this.#runRow(sql, key.run_id) : removedRunRow(key.removed_run);
    }
    throw new FlowStoneError(
      'FLOWSTONE_RUN_KEY_CONFLICT',
      `Run key "${run.runKey}" was used by run ${key.run_id} for another request. Choose another run key, or repeat that request unchanged.`,
      { context: { runKey: run.runKey, run: key.run_id } },
    );
  }

  async #openRetry(sql: Sql, run: NewRun): Promise<RunRow | undefined> {
    const [open] = await sql.rows<{ id: number }>(OPEN_RETRY, [this.namespace, run.retryOf]);
    return open && this.#runRow(sql, open.id);
  }

  async #runRow(sql: Sql, id: number): Promise<RunRow | undefined> {
    return (await sql.rows<RunRow>(runsWhere(['r.namespace = ?', 'r.id = ?']), [1, this.namespace, id]))[0];
  }

  /** See Ledger.claimPlanning. */
  async claimPlanning({ process, assets }: Claimant): Promise<PlanningClaim | undefined> {
    const [row] = await this.database.rows<RunRow>(CLAIM_PLANNING, [this.namespace, process, assets]);
    return row && { run: runRecord(row), epoch: row.planning_epoch };
  }

  /** See Ledger.commitPlan. The run's row is locked last and shortly: cancelling never waits for a large plan. */
  async commitPlan({ run, epoch }: PlanningClaim, plan: PlanRows): Promise<boolean> {
    const held = async (sql: Sql): Promise<void> => {
      if ((await sql.rows(PLANNING_HELD, [run.id, epoch])).length === 0) throw new Fenced();
    };
    try {
      await held(this.database);
      const prepared = await this.#prepare(plan, run.failFast, true);
      const fence = [this.namespace, run.id, epoch, json(prepared.start.counts), null];
      await this.#besideNumbers(prepared.numbers, () =>
        this.database.transaction(async (sql) => {
          await this.#insertPlan(sql, run.id, prepared, () => held(sql));
          if ((await sql.rows(END_PLANNING, fence)).length === 0) throw new Fenced();
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof Fenced) return false;
      throw error;
    }
  }

  /**
   * Inserts while numbers and heads are found on another connection, for one plan at a time: several that hold theirs and
   * wait for another could hold all there are. Nobody waits for the locks of such a transaction, as somebody might for a
   * run key, with the connection that it needs.
   */
  async #besideNumbers(numbers: PlanNumbers | undefined, insert: () => Promise<void>): Promise<void> {
    if (!numbers || !this.spare || this.#besides) {
      await numbers?.complete();
      return insert();
    }
    this.#besides = true;
    try {
      await insert();
    } finally {
      this.#besides = false;
      await numbers.stop();
    }
  }

  /** See Ledger.failPlanning. */
  async failPlanning({ run, epoch }: PlanningClaim, error: ErrorRecord): Promise<boolean> {
    const failed = { ...NO_PLAN, status: 'failed' };
    const rows = await this.database.rows(END_PLANNING, [this.namespace, run.id, epoch, json(failed), json(error)]);
    return rows.length > 0;
  }
}

/** Where the commit of a request lost its answer: whoever asked knows no run, and is told how to find it. */
async function advised<T>({ runKey, retryOf }: NewRun, inserted: Promise<T>): Promise<T> {
  try {
    return await inserted;
  } catch (error) {
    if (!isInDoubt(error)) throw error;
    const advice =
      runKey !== null || retryOf !== null
        ? 'Repeat the request once it can: it finds the run.'
        : 'Look in runs() once it can, before you repeat the request; one with a runKey finds its run when it is repeated.';
    throw doubtful(error, `The run may have been recorded all the same. ${advice}`);
  }
}

/** What must be equal for a run key to mean the same request, as a short text. */
function requestHash({ request, priority, tags, maxConcurrency, failFast }: NewRun): string {
  const same = canonicalize([request, priority, tags, maxConcurrency, failFast]);
  return createHash('sha256').update(same!).digest('base64url');
}
