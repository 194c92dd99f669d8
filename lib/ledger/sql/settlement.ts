// Settling: the outcomes of attempts are committed, many in one transaction, each fenced by its epoch.
import type { Outcome, Settled, Verdict } from '../ledger.port.js';
import type { ErrorRecord } from '../records.js';
import type { Database, Sql } from './database.js';
import { countRuns, endWhatFollows, takeEffect, type Moved } from './effects.js';
import { isInDoubt, isOutage } from './failures.js';
import { FlowStoneError } from '../../flowstone.errors.js';
import { FENCE, LINEAGE, STANDING } from './statements/settling.js';
import { json, storable } from './values.js';

interface Standing {
  readonly id: number;
  readonly epoch: number;
  readonly status: string;
}

export class Settlement {
  // Attempts whose commit was sent and never answered: until it is known, `fenced` would be a guess.
  readonly #inDoubt = new Set<string>();

  constructor(
    readonly database: Database,
    readonly namespace: number,
  ) {}

  /**
   * See Ledger.settle. A group in which one member cannot be written (a value the database refuses) is committed one
   * by one; that member ends failed, its outcome is `fenced`. FLOWSTONE_LEDGER_UNAVAILABLE: repeat the call with the same outcomes; what was committed is recognised.
   */
  async settle(outcomes: readonly Outcome[]): Promise<Settled> {
    if (outcomes.length === 0) return { verdicts: [], endedRuns: [], released: false };
    try {
      const settled = await this.database.transaction((sql) => this.#settleIn(sql, outcomes));
      for (const outcome of outcomes) this.#inDoubt.delete(attemptOf(outcome));
      return settled;
    } catch (error) {
      if (isInDoubt(error)) for (const outcome of outcomes) this.#inDoubt.add(attemptOf(outcome));
      if (error instanceof FlowStoneError || isOutage(error)) throw error;
      return outcomes.length > 1 ? this.#oneByOne(outcomes) : this.#refuse(outcomes[0]!, error);
    }
  }

  async #oneByOne(outcomes: readonly Outcome[]): Promise<Settled> {
    const verdicts: Verdict[] = [];
    const endedRuns: number[] = [];
    let released = false;
    for (const outcome of outcomes) {
      const settled = await this.settle([outcome]);
      verdicts.push(...settled.verdicts);
      endedRuns.push(...settled.endedRuns);
      released ||= settled.released;
    }
    return { verdicts, endedRuns, released };
  }

  /** The outcome was not written, and never can be: the materialization fails and says why, so that its run ends. */
  async #refuse(outcome: Outcome, cause: unknown): Promise<Settled> {
    const failure = refusal(outcome, cause);
    const settled = await this.database.transaction((sql) => this.#settleIn(sql, [failure]));
    return { ...settled, verdicts: ['fenced'] };
  }

  async #settleIn(sql: Sql, outcomes: readonly Outcome[]): Promise<Settled> {
    const first = new Map<number, Outcome>();
    for (const outcome of outcomes) if (!first.has(outcome.id)) first.set(outcome.id, outcome);
    const moved = await sql.rows<Moved>(FENCE, [
      [...first.keys()],
      json([...first.values()].map((outcome) => columnsOf(outcome))),
    ]);
    const verdictOf = await this.#verdicts(sql, first, moved);
    const verdicts = outcomes.map((outcome) =>
      first.get(outcome.id) === outcome ? verdictOf.get(outcome.id)! : 'fenced',
    );
    if (moved.length === 0) return { verdicts, endedRuns: [], released: false };
    await consume(sql, first, moved);
    const all = [...moved, ...(await endWhatFollows(sql, this.namespace, moved))];
    const retries = moved.flatMap(({ id, epoch, status }) => {
      const outcome = first.get(id)!;
      return status === 'pending' && outcome.kind === 'retry' ? [{ id, epoch, delay: outcome.delay }] : [];
    });
    const told = retries.map(({ id }) => ({ id, kind: 'materialization.retrying' as const }));
    const { released, deltas } = await takeEffect(sql, this.namespace, all, told, retries);
    const back = moved.some(({ id, status }) => status === 'pending' && first.get(id)!.kind === 'handed_back');
    const freed = moved.some(({ limited }) => limited);
    const endedRuns = await countRuns(sql, this.namespace, deltas);
    return { verdicts, endedRuns, released: back || freed || released > 0 };
  }

  /** What was not written is fenced; or past its deadline; or was written by a commit that lost its answer. */
  async #verdicts(
    sql: Sql,
    outcomes: ReadonlyMap<number, Outcome>,
    moved: readonly Moved[],
  ): Promise<Map<number, Verdict>> {
    const verdicts = new Map<number, Verdict>(moved.map(({ id }) => [id, 'committed']));
    const open = [...outcomes.values()].filter(({ id }) => !verdicts.has(id));
    if (open.length === 0) return verdicts;
    const rows = await sql.rows<Standing>(STANDING, [open.map(({ id }) => id)]);
    const standing = new Map(rows.map((row) => [row.id, row]));
    for (const outcome of open) {
      const row = standing.get(outcome.id);
      const same = row?.epoch === outcome.epoch;
      const done = same && this.#inDoubt.has(attemptOf(outcome)) && row.status === columnsOf(outcome).status;
      verdicts.set(outcome.id, done ? 'committed' : same && row.status === 'running' ? 'expired' : 'fenced');
    }
    return verdicts;
  }
}

function attemptOf({ id, epoch }: { readonly id: number; readonly epoch: number }): string {
  return `${id}:${epoch}`;
}

/** The edges of successes become what they consumed. */
async function consume(sql: Sql, outcomes: ReadonlyMap<number, Outcome>, moved: readonly Moved[]): Promise<void> {
  const successes = moved.filter(({ status }) => status === 'success').map(({ id }) => id);
  if (successes.length === 0) return;
  const downstream: number[] = [];
  const upstream: number[] = [];
  for (const id of successes) {
    const outcome = outcomes.get(id)!;
    for (const consumed of outcome.kind === 'success' ? outcome.consumed : []) {
      downstream.push(id);
      upstream.push(consumed);
    }
  }
  await sql.rows(LINEAGE, [successes, downstream, upstream]);
}

/** What an outcome writes, by column of the fence's record. */
function columnsOf(outcome: Outcome): { readonly status: string } & Record<string, unknown> {
  const fence = { id: outcome.id, epoch: outcome.epoch, ready: false, attempts: 0, rescues: 0 };
  switch (outcome.kind) {
    case 'success':
      return {
        ...fence,
        status: 'success',
        attempts: 1,
        started_at: outcome.startedAt,
        data_version: outcome.dataVersion,
        code_version: outcome.codeVersion,
        inputs: outcome.inputs,
        upstreams: outcome.upstreams,
        metadata: outcome.metadata,
        ...outcome.value,
      };
    case 'skipped':
      return { ...fence, status: 'skipped', skip_reason: outcome.reason, joined: outcome.joined };
    case 'failed':
      return { ...fence, status: 'failed', attempts: 1, error: outcome.error, started_at: outcome.startedAt };
    case 'retry': {
      const counted = outcome.infrastructure ? { rescues: 1 } : { attempts: 1 };
      return { ...fence, status: 'pending', ...counted, error: outcome.error };
    }
    case 'handed_back':
      return { ...fence, status: 'pending', ready: true };
    case 'cancelled':
      return { ...fence, status: 'cancelled' };
  }
}

function refusal(outcome: Outcome, cause: unknown): Outcome {
  const message = storable(cause instanceof Error ? cause.message : String(cause));
  const error: ErrorRecord = {
    code: 'FLOWSTONE_LEDGER_OUTCOME_REFUSED',
    family: 'infrastructure',
    message: `The outcome of materialization ${outcome.id} could not be recorded (${message}). Look at its metadata and location.`,
    retryable: false,
  };
  return { kind: 'failed', id: outcome.id, epoch: outcome.epoch, error, startedAt: null };
}
