// Beats: the outcomes of attempts are committed, many in one transaction, each fenced by its epoch, and in the same
// round trip ready work is claimed.
import { FlowStoneError } from '../../flowstone.errors.js';
import type { Beat, Claim, ClaimRequest, Fenced, Outcome, Verdict } from '../work.js';
import type { ErrorRecord } from '../records.js';
import type { Claims } from './claims.js';
import type { Database, Sql, Transaction } from './database.js';
import { isInDoubt, isOutage, isRepeatable, unavailable } from './failures.js';
import { packSchema, type ClaimColumns } from './rows.js';
import { BEAT } from './statements/claiming.js';
import { json, numbers, storable } from './values.js';

interface Standing {
  readonly id: number;
  readonly epoch: number;
  readonly status: string;
}

interface BeatRow {
  /** Of the outcomes that were not written: how their rows stand. */
  readonly standing: readonly Standing[] | null;
  readonly ended: readonly number[];
  readonly released: boolean;
  readonly fresh: boolean;
  readonly claims: ClaimColumns | null;
  readonly again: number | null;
  /** Null: the process is gone, or nothing was asked for. */
  readonly outdated: boolean | null;
  readonly rings: readonly string[];
}

const NOTHING: Beat = {
  ...{ verdicts: [], endedRuns: [], released: false, claims: [] },
  ...{ fresh: false, again: null, outdated: false, rings: [] },
};

const NO_ASSETS = Buffer.alloc(0);

/** Ends a transaction in which an outcome was not written. */
class NotMoved extends Error {
  constructor(readonly beat: Beat) {
    super('The outcome was not written.');
  }
}

/** What `write` threw: none of the ledger's failures. */
class WriteFailed extends Error {
  constructor(cause: unknown) {
    super('The value was not written.', { cause });
  }
}

export class Beats {
  // Attempts whose commit was sent and never answered, by id the newest epoch: until it is known, `fenced` would be a guess.
  readonly #inDoubt = new Map<number, number>();

  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly claims: Claims,
  ) {}

  /**
   * See Ledger.beat. A group in which one member cannot be written (a value the database refuses) is committed one by
   * one; that member ends failed, its outcome is `refused`. FLOWSTONE_LEDGER_UNAVAILABLE: repeat the call with the same
   * outcomes; what was committed is recognised.
   */
  async beat(outcomes: readonly Outcome[], request: ClaimRequest | undefined): Promise<Beat> {
    const wants = request !== undefined && request.limit > 0;
    if (!wants) return outcomes.length === 0 ? NOTHING : this.#settling(outcomes, undefined);
    if (this.claims.isInDoubt(request.process)) {
      const settled = await this.beat(outcomes, undefined);
      return { ...settled, claims: await this.#foundAgain(request.process), again: 0 };
    }
    let beat = NOTHING;
    await this.claims.recording(request.process, async () => (beat = await this.#settling(outcomes, request)).claims);
    return beat;
  }

  /**
   * See LedgerValues.settle. What is not committed is undone with it; so is what was written once more after a commit that
   * lost its answer: a newer value may have taken its place since.
   */
  async joined(attempt: Fenced, write: (sql: Transaction) => Promise<Outcome>): Promise<Beat> {
    try {
      return await this.#exchanging([attempt], () => this.#joined(write));
    } catch (error) {
      if (error instanceof WriteFailed) throw error.cause;
      if (passes(error)) throw error;
      return this.#refuse(attempt, error);
    }
  }

  async #joined(write: (sql: Transaction) => Promise<Outcome>): Promise<Beat> {
    try {
      return await this.database.transaction(async (sql) => {
        const outcome = await write(sql).catch((error: unknown) => {
          throw isOutage(error) || isRepeatable(error) ? error : new WriteFailed(error);
        });
        const { moved, ...beat } = await this.#exchange(sql, [outcome], undefined);
        if (!moved) throw new NotMoved(beat);
        return beat;
      });
    } catch (error) {
      if (error instanceof NotMoved) return error.beat;
      // A deadlock again and again is no refusal: it may go well a while later.
      throw isRepeatable(error) ? unavailable(error, false) : error;
    }
  }

  /** Comes after the settling: once found, claims are known, and an outage must not keep them from the caller. */
  async #foundAgain(process: string): Promise<readonly Claim[]> {
    try {
      return (await this.claims.recovered(process)) ?? [];
    } catch (error) {
      // Still in doubt: looked for again in the next beat.
      if (error instanceof FlowStoneError && error.code === 'FLOWSTONE_LEDGER_UNAVAILABLE') return [];
      throw error;
    }
  }

  async #settling(outcomes: readonly Outcome[], request: ClaimRequest | undefined): Promise<Beat> {
    try {
      return await this.#exchanging(outcomes, () => this.#beat(outcomes, request));
    } catch (error) {
      if (passes(error) || outcomes.length === 0) throw error;
      const settled = await (outcomes.length > 1 ? this.#oneByOne(outcomes) : this.#refuse(outcomes[0]!, error));
      // Nothing was claimed: to be asked for again.
      return { ...settled, released: settled.released || request !== undefined };
    }
  }

  /** Keeps in mind which of the attempts are over by an exchange, and which are in doubt. */
  async #exchanging(attempts: readonly Fenced[], exchange: () => Promise<Beat>): Promise<Beat> {
    try {
      const beat = await exchange();
      // What is expired is held still: forgotten, it would be taken for a claim that nobody knows, and run again.
      const held = new Set<number>();
      attempts.forEach(({ id }, index) => beat.verdicts[index] === 'expired' && held.add(id));
      for (const attempt of attempts) {
        if (this.#isInDoubt(attempt)) this.#inDoubt.delete(attempt.id);
        if (!held.has(attempt.id)) this.claims.forget(attempt);
      }
      return beat;
    } catch (error) {
      if (isInDoubt(error)) {
        for (const { id, epoch } of attempts) this.#inDoubt.set(id, Math.max(epoch, this.#inDoubt.get(id) ?? 0));
      }
      throw error;
    }
  }

  async #oneByOne(outcomes: readonly Outcome[]): Promise<Beat> {
    const verdicts: Verdict[] = [];
    const endedRuns: number[] = [];
    let released = false;
    const rings = new Set<string>();
    for (const outcome of outcomes) {
      const settled = await this.#settling([outcome], undefined);
      verdicts.push(...settled.verdicts);
      endedRuns.push(...settled.endedRuns);
      released ||= settled.released;
      for (const pool of settled.rings) rings.add(pool);
    }
    return { ...NOTHING, verdicts, endedRuns, released, fresh: released, rings: [...rings] };
  }

  /** The outcome was not written, and never can be: the materialization fails and says why, so that its run ends. */
  async #refuse(attempt: Fenced, cause: unknown): Promise<Beat> {
    const refused = refusal(attempt, cause);
    const { id, epoch } = attempt;
    const { code, family, message, retryable } = refused;
    const error: ErrorRecord = { code, family, message, retryable };
    const settled = await this.#beat([{ kind: 'failed', id, epoch, error, startedAt: null }], undefined);
    this.claims.forget(attempt);
    return settled.verdicts[0] === 'committed' ? { ...settled, verdicts: [{ refused }] } : settled;
  }

  #isInDoubt({ id, epoch }: Fenced): boolean {
    return this.#inDoubt.get(id) === epoch;
  }

  async #beat(outcomes: readonly Outcome[], request: ClaimRequest | undefined): Promise<Beat> {
    return this.#exchange(this.database, outcomes, request);
  }

  /** `moved`: whether all outcomes were written by this statement. */
  async #exchange(
    sql: Sql,
    outcomes: readonly Outcome[],
    request: ClaimRequest | undefined,
  ): Promise<Beat & { readonly moved: boolean }> {
    // Of one materialization the newest attempt's, since no other can be current; of one attempt the first.
    const first = new Map<number, Outcome>();
    for (const outcome of outcomes) {
      const known = first.get(outcome.id);
      if (!known || known.epoch < outcome.epoch) first.set(outcome.id, outcome);
    }
    const ids: number[] = [];
    const rows: OutcomeColumns[] = [];
    const consumers: number[] = [];
    const consumed: number[] = [];
    const documented: number[] = [];
    const documents: string[] = [];
    for (const outcome of first.values()) {
      ids.push(outcome.id);
      rows.push(columnsOf(outcome));
      if (outcome.kind !== 'success') continue;
      for (const id of outcome.consumed) {
        consumers.push(outcome.id);
        consumed.push(id);
      }
      if (outcome.document === undefined) continue;
      documented.push(outcome.id);
      documents.push(outcome.document);
    }
    const assets = request ? await this.claims.assets.bits(this.database, request.assets) : NO_ASSETS;
    const batched = request && (await this.claims.batched(this.database, request));
    const [row] = await sql.rows<BeatRow>(BEAT, [
      ...[this.namespace, numbers(ids), json(rows), numbers(consumers), numbers(consumed)],
      ...[numbers(documented), documents],
      ...[request?.process ?? '', request?.limit ?? 0, assets, batched?.assets ?? null, batched?.sizes ?? null],
    ]);
    const { standing, ended: endedRuns, released, fresh, claims: claimed, again, outdated, rings } = row!;
    const verdictOf = this.#verdicts(first, standing ?? []);
    const verdicts = outcomes.map((outcome) =>
      first.get(outcome.id) === outcome ? (verdictOf.get(outcome.id) ?? 'committed') : 'fenced',
    );
    const claims = await this.claims.records(this.database, claimed);
    const moved = standing === null;
    return { verdicts, endedRuns, released, fresh, claims, again, outdated: outdated === true, rings, moved };
  }

  /** What was not written is fenced; or past its deadline; or was written by a commit that lost its answer. */
  #verdicts(outcomes: ReadonlyMap<number, Outcome>, standing: readonly Standing[]): Map<number, Verdict> {
    const verdicts = new Map<number, Verdict>();
    for (const { id, epoch, status } of standing) {
      const outcome = outcomes.get(id)!;
      const same = epoch === outcome.epoch;
      const done = same && this.#isInDoubt(outcome) && status === columnsOf(outcome).status;
      verdicts.set(id, done ? 'committed' : same && status === 'running' ? 'expired' : 'fenced');
    }
    return verdicts;
  }
}

/** Whether an error says nothing of the outcomes themselves. */
function passes(error: unknown): boolean {
  return error instanceof FlowStoneError || isOutage(error);
}

/** What an outcome writes, by column of the beat's record; what is left out is null. */
interface OutcomeColumns {
  readonly id: number;
  readonly epoch: number;
  readonly status: string;
  /** Added to those that count. */
  readonly attempts: number;
  readonly rescues: number;
  readonly [column: string]: unknown;
}

// Without spreads, since it is made of every outcome: they would give each object a shape of its own. What is undefined
// is not in the JSON, so that neither side reads it.
function columnsOf(outcome: Outcome): OutcomeColumns {
  const { id, epoch } = outcome;
  switch (outcome.kind) {
    case 'success':
      return {
        id,
        epoch,
        status: 'success',
        attempts: 1,
        rescues: 0,
        started_at: outcome.startedAt,
        data_version: outcome.dataVersion,
        code_version: outcome.codeVersion ?? undefined,
        inputs: outcome.inputs,
        upstreams: outcome.upstreams,
        metadata: outcome.metadata ?? undefined,
        io: outcome.value?.io ?? undefined,
        location: outcome.value?.location ?? undefined,
        size: outcome.value?.size ?? undefined,
        rows: outcome.value?.rows ?? undefined,
        hash: outcome.value?.hash ?? undefined,
        format: outcome.format,
        schema: outcome.schema && packSchema(outcome.schema),
      };
    case 'skipped': {
      const { reason: skip_reason, joined } = outcome;
      return { id, epoch, status: 'skipped', attempts: 0, rescues: 0, skip_reason, joined };
    }
    case 'failed': {
      const { error, startedAt: started_at, combination } = outcome;
      const { inputs, codeVersion, definition } = combination ?? {};
      const code_version = codeVersion ?? undefined;
      return {
        ...{ id, epoch, status: 'failed', attempts: 1, rescues: 0, error, started_at },
        ...{ inputs, code_version, definition },
      };
    }
    case 'retry': {
      const { error, delay, infrastructure } = outcome;
      const [attempts, rescues] = infrastructure ? [0, 1] : [1, 0];
      return { id, epoch, status: 'pending', attempts, rescues, error, delay, told: 'materialization.retrying' };
    }
    case 'handed_back':
      return { id, epoch, status: 'pending', attempts: 0, rescues: 0 };
    case 'repinned':
      return { id, epoch, status: 'pending', attempts: 0, rescues: 0, repins: 1, delay: outcome.delay ?? undefined };
    case 'cancelled':
      return { id, epoch, status: 'cancelled', attempts: 0, rescues: 0 };
  }
}

function refusal({ id }: Fenced, cause: unknown): FlowStoneError {
  const reason = storable(cause instanceof Error ? cause.message : String(cause));
  return new FlowStoneError(
    'FLOWSTONE_LEDGER_OUTCOME_REFUSED',
    `The outcome of materialization ${id} could not be recorded (${reason}). Look at its metadata and location.`,
    { cause, context: { materialization: id } },
  );
}
