// What this process has in hand: claims, each until its outcome is known. They are looked at, wait for a free place and
// are executed. What is claimed, and when outcomes go to the ledger, is decided in coordinator.ts.
import type { Claim } from '../ledger/work.js';
import { Abort, type AbortKind } from './abort.js';
import { Alarm } from './alarm.js';
import { AttemptMap } from './attempt.map.js';
import type { Ended, Examined, Execution, Finished, ToExecute } from './execution.port.js';
import { GATHER } from './gathering.js';
import { Places, type Place, type Placed } from './places.js';

/** Executions begun in one turn of the event loop at most: code that does little must not hold up the host. */
const BURST = 16;
/** What an execution takes before one was measured, ms. */
const USUAL = 10;
/** Executions that take so long are worth another process, ms. */
const LONG = 125;
/** After so long it is seen whether what waits for a place could begin sooner elsewhere, ms. */
const LONG_WAIT = 2 * LONG;

/** What names an attempt. */
interface AttemptName {
  readonly id: number;
  readonly epoch: number;
}

/** A claim of this process, from the claim until its outcome is known. */
interface InHand extends Placed {
  readonly claim: Claim;
  readonly abort: Abort;
  /** Known once it was examined. */
  execution: Execution | undefined;
}

/** A claim that was examined, and is to be executed. */
type Waiting = InHand & ToExecute;

/** What the executor is part of. */
export interface ExecutorHost {
  /** The claims in groups that are to be examined each by itself. */
  apart(claims: readonly Claim[]): readonly (readonly Claim[])[];
  examine(claims: readonly Claim[]): Promise<Examined>;
  /** Whether nothing of the asset is to be begun. */
  isPaused(asset: string): boolean;
  /** Whether another process may begin what is given back of the asset, and nothing is lost by that. */
  mayGiveBack(asset: string): boolean;
  /** Places that what is in hand is to have at most, as executions go now. */
  most(): number;
  /** The claim does not execute any more. */
  ended(claim: Claim): void;
  finished(finished: readonly Finished[]): void;
  /** `endsMore` may have become false. */
  calm(): void;
  /** A place is free, and there is no outcome to settle. */
  vacated(): void;
  broken(error: unknown): void;
}

export class Executor {
  readonly #inHand = new AttemptMap<InHand>();
  readonly #places = new Places();
  /** Examined, and to be executed when there is a free place. */
  #waiting: Waiting[] = [];
  /** Executions begun in this turn of the event loop; 0: there is none that could begin. */
  #burst = 0;
  /** Groups of claims that are being examined. */
  #examining = 0;
  #running = 0;
  #usual = USUAL;
  /** Since when executions are under way and none has ended. */
  #unended = 0;
  /** After what has ended while the event loop was blocked. */
  readonly #late = new Alarm(() => setImmediate(() => this.#giveBack()));
  #closed = false;
  #emptied: (() => void) | undefined;

  /** @param concurrency executions at once */
  constructor(
    private readonly host: ExecutorHost,
    private readonly concurrency: number,
  ) {}

  /** Places that what is in hand has, executed or not. */
  get taken(): number {
    return this.#places.taken;
  }

  /**
   * What an execution takes, ms: a moving average, or more where nothing has ended for long. What is under way then is of
   * another kind than what has ended.
   */
  get usual(): number {
    if (this.#running === 0) return this.#usual;
    const unended = performance.now() - this.#unended;
    return unended < LONG ? this.#usual : Math.max(this.#usual, unended);
  }

  /** Whether executions end as soon as they begin. */
  get isQuick(): boolean {
    return this.#usual < GATHER;
  }

  /** Whether more is about to end: what is being begun, and where that takes no time, what is being looked at. */
  get endsMore(): boolean {
    return this.#burst > 0 || (this.#examining > 0 && this.isQuick);
  }

  has(attempt: AttemptName): boolean {
    return this.#inHand.get(attempt) !== undefined;
  }

  /** Assets of what is in hand. */
  get assets(): ReadonlySet<string> {
    return new Set(Array.from(this.#inHand.values(), ({ claim }) => claim.asset));
  }

  /** Takes claims in hand. @param later examines them in the next turn of the event loop: something else goes first */
  accept(claims: readonly Claim[], later: boolean): void {
    const ofBatches = new Map<number, Place>();
    for (const claim of claims) {
      const place = (claim.batch === null ? undefined : ofBatches.get(claim.batch)) ?? { claims: 0 };
      if (claim.batch !== null) ofBatches.set(claim.batch, place);
      this.#inHand.add({ claim, abort: new Abort(), place, execution: undefined });
      this.#places.enter(place);
    }
    for (const group of this.host.apart(claims)) void this.#examine(group, later);
  }

  abort(attempts: readonly AttemptName[], kind: AbortKind): void {
    for (const attempt of attempts) this.#inHand.get(attempt)?.abort.abort(kind);
  }

  abortAll(kind: AbortKind): void {
    for (const { abort } of this.#inHand.values()) abort.abort(kind);
  }

  /** Begins nothing more: what has not begun is handed back. */
  close(): void {
    this.#closed = true;
    this.#late.close();
    this.#handBack(this.#waiting.splice(0).map(({ claim }) => claim));
  }

  /** After close(): resolves when nothing is in hand any more. After `deadline` ms all that is gets aborted and is left. */
  async emptied(deadline: number): Promise<void> {
    if (this.#inHand.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.abortAll('shutdown');
        resolve();
      }, deadline);
      this.#emptied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #examine(claims: readonly Claim[], later: boolean): Promise<void> {
    this.#examining++;
    try {
      if (later) await new Promise((resolve) => setImmediate(resolve));
      if (this.#closed) return this.#handBack(claims);
      const { executions, settled } = await this.host.examine(claims);
      if (this.#closed) return this.#handBack(claims);
      for (const execution of executions) {
        const inHand = this.#inHand.get(execution.claim);
        if (inHand) this.#waiting.push(Object.assign(inHand, { execution }));
      }
      for (const { outcome } of settled) this.#letGo(outcome);
      this.host.finished(settled);
      this.#startWaiting();
    } catch (error) {
      this.host.broken(error);
      this.#handBack(claims);
    } finally {
      this.#examining--;
      this.host.calm();
    }
  }

  #startWaiting(): void {
    while (this.#running < this.concurrency && this.#waiting.length > 0) {
      if (this.#burst === BURST) return;
      if (this.#burst++ === 0) setImmediate(() => this.#endBurst());
      const waiting = this.#waiting.shift()!;
      if (this.host.isPaused(waiting.claim.asset)) {
        this.#handBack([waiting.claim]);
        continue;
      }
      if (this.#running++ === 0) this.#unended = performance.now();
      this.#execute(waiting, this.#fellowsOf(waiting));
    }
    if (this.#waiting.length > 0) this.#late.set(LONG_WAIT);
  }

  /** What was claimed ahead of executions that turn out to take long goes back: another process may have a place for it. */
  #giveBack(): void {
    const most = this.host.most();
    for (let at = this.#waiting.length - 1; at >= 0 && this.taken > most; at--) {
      const { claim } = this.#waiting[at]!;
      if (!this.host.mayGiveBack(claim.asset)) continue;
      this.#waiting.splice(at, 1);
      this.#handBack([claim]);
    }
    this.#startWaiting();
  }

  /** What waits and is executed with it. */
  #fellowsOf(first: Waiting): readonly Waiting[] {
    const { batchSize } = first.execution;
    if (batchSize === 1) return [];
    const fellows = new Set(this.#places.gather(first, this.#waiting, batchSize));
    this.#waiting = this.#waiting.filter((other) => !fellows.has(other));
    return [...fellows];
  }

  #endBurst(): void {
    this.#burst = 0;
    this.#startWaiting();
    this.host.calm();
  }

  /** What is executed in one place. */
  #execute({ execution, abort }: Waiting, fellows: readonly Waiting[]): void {
    const start = performance.now();
    void execution.run(abort, fellows, this.#ended).then(() => this.#vacate(start));
  }

  /** The place of what began at `start` is free. */
  #vacate(start: number): void {
    this.#unended = performance.now();
    this.#usual += (this.#unended - start - this.#usual) / 16;
    this.#running--;
    this.#startWaiting();
  }

  readonly #ended: Ended = (claim, outcome, failure) => {
    this.#letGo(claim);
    this.host.ended(claim);
    if (outcome) this.host.finished([{ outcome, run: claim.run, claim, failure }]);
    else this.host.vacated();
  };

  #handBack(claims: readonly Claim[]): void {
    for (const claim of claims) this.#letGo(claim);
    this.host.finished(claims.map(({ id, epoch, run }) => ({ run, outcome: { kind: 'handed_back', id, epoch } })));
  }

  #letGo(attempt: AttemptName): void {
    const inHand = this.#inHand.get(attempt);
    if (inHand) this.#places.leave(inHand.place);
    this.#inHand.delete(attempt);
    if (this.#inHand.size === 0) this.#emptied?.();
  }
}
