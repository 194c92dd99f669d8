// Beats: the outcomes of attempts are committed, many in one transaction, each fenced by its epoch, and in the same
// round trip ready work is claimed.
import { FlowStoneError } from '../../flowstone.errors.js';
import type { Beat, Claim, ClaimRequest, Outcome, Verdict } from '../ledger.port.js';
import type { ErrorRecord } from '../records.js';
import type { Claims } from './claims.js';
import type { Database } from './database.js';
import { isInDoubt, isOutage } from './failures.js';
import type { ClaimColumns } from './rows.js';
import { BEAT } from './statements/claiming.js';
import { json, storable } from './values.js';

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
  readonly claims: ClaimColumns | null;
  readonly again: number | null;
  /** Null: the process is gone, or nothing was asked for. */
  readonly outdated: boolean | null;
  readonly rings: readonly string[];
}

const NOTHING: Beat = {
  ...{ verdicts: [], endedRuns: [], released: false, claims: [] },
  ...{ again: null, outdated: false, rings: [] },
};

export class Beats {
  // Attempts whose commit was sent and never answered: until it is known, `fenced` would be a guess.
  readonly #inDoubt = new Set<string>();
  readonly #numbers = new WeakMap<readonly string[], readonly number[]>();

  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly claims: Claims,
  ) {}

  /**
   * See Ledger.beat. A group in which one member cannot be written (a value the database refuses) is committed one by
   * one; that member ends failed, its outcome is `fenced`. FLOWSTONE_LEDGER_UNAVAILABLE: repeat the call with the same
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
      const beat = await this.#beat(outcomes, request);
      for (const outcome of outcomes) this.#inDoubt.delete(attemptOf(outcome));
      // What is expired is held still: forgotten, it would be taken for a claim that nobody knows, and run again.
      const held = new Set(outcomes.filter((_, index) => beat.verdicts[index] === 'expired').map(attemptOf));
      this.claims.forget(outcomes.filter((outcome) => !held.has(attemptOf(outcome))));
      return beat;
    } catch (error) {
      if (isInDoubt(error)) for (const outcome of outcomes) this.#inDoubt.add(attemptOf(outcome));
      if (error instanceof FlowStoneError || isOutage(error) || outcomes.length === 0) throw error;
      const settled = await (outcomes.length > 1 ? this.#oneByOne(outcomes) : this.#refuse(outcomes[0]!, error));
      // Nothing was claimed: to be asked for again.
      return { ...settled, released: settled.released || request !== undefined };
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
    return { ...NOTHING, verdicts, endedRuns, released, rings: [...rings] };
  }

  /** The outcome was not written, and never can be: the materialization fails and says why, so that its run ends. */
  async #refuse(outcome: Outcome, cause: unknown): Promise<Beat> {
    const settled = await this.#beat([refusal(outcome, cause)], undefined);
    this.claims.forget([outcome]);
    return { ...settled, verdicts: ['fenced'] };
  }

  async #beat(outcomes: readonly Outcome[], request: ClaimRequest | undefined): Promise<Beat> {
    // Of one materialization the newest attempt's, since no other can be current; of one attempt the first.
    const first = new Map<number, Outcome>();
    for (const outcome of outcomes) {
      const known = first.get(outcome.id);
      if (!known || known.epoch < outcome.epoch) first.set(outcome.id, outcome);
    }
    const consumers: number[] = [];
    const consumed: number[] = [];
    for (const outcome of first.values()) {
      for (const id of outcome.kind === 'success' ? outcome.consumed : []) {
        consumers.push(outcome.id);
        consumed.push(id);
      }
    }
    const assets = request ? await this.#numbersOf(request.assets) : [];
    const batched = request && (await this.claims.batched(this.database, request));
    const [row] = await this.database.rows<BeatRow>(BEAT, [
      ...[this.namespace, [...first.keys()], json([...first.values()].map(columnsOf)), consumers, consumed],
      ...[request?.process ?? '', request?.limit ?? 0, assets, [], batched?.assets ?? null, batched?.sizes ?? null],
    ]);
    const { standing, ended: endedRuns, released, claims: claimed, again, outdated, rings } = row!;
    const verdictOf = this.#verdicts(first, standing ?? []);
    const verdicts = outcomes.map((outcome) =>
      first.get(outcome.id) === outcome ? (verdictOf.get(outcome.id) ?? 'committed') : 'fenced',
    );
    const claims = await this.claims.records(this.database, claimed);
    return { verdicts, endedRuns, released, claims, again, outdated: outdated === true, rings };
  }

  /** Kept by list: a process asks with the same one in every beat. */
  async #numbersOf(keys: readonly string[]): Promise<readonly number[]> {
    const kept = this.#numbers.get(keys);
    if (kept) return kept;
    const numbers = await this.claims.assets.known(this.database, keys);
    if (numbers.length === keys.length) this.#numbers.set(keys, numbers);
    return numbers;
  }

  /** What was not written is fenced; or past its deadline; or was written by a commit that lost its answer. */
  #verdicts(outcomes: ReadonlyMap<number, Outcome>, standing: readonly Standing[]): Map<number, Verdict> {
    const verdicts = new Map<number, Verdict>();
    for (const { id, epoch, status } of standing) {
      const outcome = outcomes.get(id)!;
      const same = epoch === outcome.epoch;
      const done = same && this.#inDoubt.has(attemptOf(outcome)) && status === columnsOf(outcome).status;
      verdicts.set(id, done ? 'committed' : same && status === 'running' ? 'expired' : 'fenced');
    }
    return verdicts;
  }
}

function attemptOf({ id, epoch }: { readonly id: number; readonly epoch: number }): string {
  return `${id}:${epoch}`;
}

/** What an outcome writes, by column of the beat's record. */
function columnsOf(outcome: Outcome): { readonly status: string } & Record<string, unknown> {
  const { id, epoch } = outcome;
  const fence = { id, epoch, attempts: 0, rescues: 0 };
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
      const { error, delay, infrastructure } = outcome;
      const counted = infrastructure ? { rescues: 1 } : { attempts: 1 };
      return { ...fence, status: 'pending', ...counted, error, delay, told: 'materialization.retrying' };
    }
    case 'handed_back':
      return { ...fence, status: 'pending' };
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
