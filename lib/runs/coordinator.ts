// The beat of one process: settle what has finished, claim what is ready, plan what was requested.
// What to execute and how, and what is due, stands elsewhere (claim.desk.ts, attempt.ts, timer.watch.ts); this file only
// keeps the loop fed.
import type { Beat, Claim, ClaimRequest, DueDeadline, Ledger, Outcome, Verdict } from '../ledger/ledger.port.js';
import type { Delivery, WorkQueue } from '../queue/queue.port.js';
import { Abort, type AbortKind } from './abort.js';
import { AttemptMap } from './attempt.map.js';
import { crashPoint } from './crash-points.js';
import type { Failure } from './failure.js';
import type { Membership } from './membership.js';
import { withPatience } from './patience.js';
import { Places, type Place, type Placed } from './places.js';
import type { RunSignals } from './run.signals.js';
import { TimerWatch } from './timer.watch.js';

/** Outcomes settled in one transaction at most. */
const SETTLE_AT_MOST = 256;
/** Claims beyond those that are executed at most. */
const MOST_AHEAD = 2 * SETTLE_AT_MOST;
/** So many outcomes do not wait for the exchange under way to end, unless that settles more than twice as many. */
const SETTLE_BESIDE = 32;
/** What one exchange with the ledger takes before it was measured, and most that is reckoned with, ms. */
const BEAT = 10;
const LONG_BEAT = 50;
/** Executions begun in one turn of the event loop at most: code that does little must not hold up the host. */
const BURST = 16;
/**
 * What begins and ends at once is settled together for so long, ms: about what an exchange costs besides. Executions that
 * take longer are not waited for.
 */
const GATHER = 2;
/** Time between looks for requests of other processes, ms. */
const PLAN_LOOK = 500;
/** Shortest time until work is looked for that nobody rings for, ms: what comes meanwhile is taken together. */
const LEAST_LOOK = 25;
/** What a timer of Node can wait at most, ms. */
const MOST_TIMEOUT = 2_147_483_647;

/** A claim that is to be executed. It aborts by itself when its timeout passes. */
export interface Execution {
  readonly claim: Claim;
  /** So many of its asset are executed together at most, in one place; 1: it is executed alone. */
  readonly batchSize: number;
  /**
   * Resolves when the place is free, and never rejects. `ended` is told each outcome, its own and those of its `fellows`:
   * others of its asset that are executed with it.
   */
  run(abort: Abort, fellows: readonly ToExecute[], ended: Ended): Promise<unknown>;
}

/** An execution, and how it is told to stop. */
export interface ToExecute {
  readonly execution: Execution;
  readonly abort: Abort;
}

/** Hears how an execution ended. Does not throw. */
export type Ended = (claim: Claim, outcome: Outcome) => void;

/** An outcome on its way to the ledger, and whose run is to be told of it. */
export interface Finished {
  readonly outcome: Outcome;
  readonly run: number;
  /** What was executed, if it was here. */
  readonly claim?: Claim;
  /** A failure that nobody has told yet: told once the outcome is committed. */
  readonly failure?: Failure;
}

/** What is done with claims: those to execute, and outcomes for those that need not be. */
export interface ClaimDesk {
  examine(claims: readonly Claim[]): Promise<{ executions: readonly Execution[]; settled: readonly Finished[] }>;
  /** Its outcome is recorded: it has a value now. */
  succeeded(claim: Claim): void;
  /** What becomes of an attempt whose timeout passed without a word from it. */
  afterTimeout(due: DueDeadline): Finished;
}

/** What happens and someone may want to tell. */
export interface CoordinatorNews {
  runEnded(run: number): void;
  failed(failure: Failure): void;
  /** The ledger cannot be reached; tried again after `pause` ms. */
  outage(error: unknown, pause: number): void;
  /** A bug or a broken ledger: the beat goes on at the next ring. */
  broken(error: unknown): void;
}

export interface CoordinatorOptions {
  /** Executions at once. */
  readonly concurrency: number;
  /** Whether this process executes; else the queue's news is for others. */
  readonly worker: boolean;
  /** The pool of each declared asset. */
  readonly pools: ReadonlyMap<string, string>;
  /** Of those that are computed in batches. */
  readonly batchSizes: ReadonlyMap<string, number>;
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

export class Coordinator {
  readonly #inHand = new AttemptMap<InHand>();
  readonly #places = new Places();
  /** Examined, and to be executed when there is a free place. */
  #waiting: Waiting[] = [];
  /** Not sent yet. */
  #finished: Finished[] = [];
  /** Exchanges under way, outcomes that they settle, and claims asked for in them. */
  #exchanging = 0;
  #settling = 0;
  #asked = 0;
  /** Executions begun in this turn of the event loop; 0: there is none that could begin. */
  #burst = 0;
  /** Groups of claims that are being examined. */
  #examining = 0;
  /** Who waits until what begins and ends at once has ended. */
  readonly #gathering: (() => void)[] = [];
  #running = 0;
  /** What an execution takes, ms: a moving average. */
  #usual = BEAT;
  /** What an exchange takes, ms: a moving average. */
  #beatTime = BEAT;
  /** Whether there may be ready work that was not claimed. */
  #more = true;
  /** Whether a run may wait for planning. */
  #requested = true;
  #nextPlanLook = 0;
  #claimTimer: NodeJS.Timeout | undefined;
  #nextClaim = Infinity;
  #drained: (() => void) | undefined;
  /** The beat under way, and whether another one is wanted after it. */
  #beating: Promise<void> | undefined;
  /** Exchanges beside it. */
  #beside: Promise<void> | undefined;
  #wantsBeat = false;
  /** Pools with a delivery that lasts until nothing of them is in hand, and how to end it. */
  readonly #lasting = new Map<string, () => void>();
  #queueStopped: Promise<void> | undefined;
  #planning: Promise<void> | undefined;
  readonly #stopping = new AbortController();
  readonly #pools: readonly string[];
  readonly #timers: TimerWatch;

  constructor(
    private readonly ledger: Ledger,
    private readonly membership: Membership,
    private readonly queue: WorkQueue,
    private readonly desk: ClaimDesk,
    private readonly plan: () => Promise<boolean>,
    private readonly signals: RunSignals,
    private readonly news: CoordinatorNews,
    private readonly options: CoordinatorOptions,
  ) {
    this.#pools = [...new Set(options.pools.values())];
    this.#timers = new TimerWatch(ledger, {
      passed: (deadline) => this.#passed(deadline),
      cancelled: (attempts) => this.cancel(attempts),
      released: () => this.ring(),
      runEnded: (run) => news.runEnded(run),
      outage: (error, pause) => news.outage(error, pause),
    });
  }

  async start(): Promise<void> {
    this.#timers.look(0);
    if (!this.options.worker) return;
    await this.queue.start(
      this.#pools,
      (delivery) => this.#work(delivery),
      () => void this.#look(),
    );
  }

  /** There may be work, or a run to plan. */
  ring(): void {
    this.#requested = true;
    for (const pool of this.#pools) this.queue.ring(pool);
  }

  /** This process with the assets it may claim: of pools that are not paused. */
  claimant(): Omit<ClaimRequest, 'limit'> {
    const { batchSizes } = this.options;
    const claimant = { ...this.membership.claimant(), batchSizes };
    if (!this.#pools.some((pool) => this.queue.isPaused(pool))) return claimant;
    return { ...claimant, assets: claimant.assets.filter((asset) => !this.queue.isPaused(this.#poolOf(asset))) };
  }

  /** The ledger's clock may have jumped: something may be due. */
  clockChanged(): void {
    this.#timers.look(0);
  }

  /** Places a requester may claim for what it inserts. */
  get free(): number {
    return this.#stopping.signal.aborted ? 0 : Math.max(0, this.options.concurrency - this.#places.taken);
  }

  /** Takes claims: those of the beat, and those made with the insertion of their run. */
  accept(claims: readonly Claim[]): void {
    if (claims.length === 0) return;
    const ofBatches = new Map<number, Place>();
    for (const claim of claims) {
      const place = (claim.batch === null ? undefined : ofBatches.get(claim.batch)) ?? { claims: 0 };
      if (claim.batch !== null) ofBatches.set(claim.batch, place);
      this.#inHand.add({ claim, abort: new Abort(), place, execution: undefined });
      this.#places.enter(place);
    }
    void this.#examine(claims);
  }

  /** Beside the beat, so that the next statement is under way while inputs are looked up. */
  async #examine(claims: readonly Claim[]): Promise<void> {
    this.#examining++;
    try {
      // It goes first, unless it gathers these as well.
      if (this.#usual >= GATHER && this.#finished.length > 0) await new Promise((resolve) => setImmediate(resolve));
      if (this.#stopping.signal.aborted) return this.#handBack(claims);
      const { executions, settled } = await this.#patiently(() => this.desk.examine(claims));
      if (this.#stopping.signal.aborted) return this.#handBack(claims);
      for (const execution of executions) {
        const inHand = this.#inHand.get(execution.claim);
        if (inHand) this.#waiting.push(Object.assign(inHand, { execution }));
      }
      for (const { outcome } of settled) this.#letGo(outcome);
      this.#finish(...settled);
      this.#startWaiting();
    } catch (error) {
      this.news.broken(error);
      this.#handBack(claims);
    } finally {
      this.#examining--;
      this.#goOn();
    }
  }

  /** Aborts executions whose run was cancelled. */
  abort(attempts: readonly { id: number; epoch: number }[], kind: AbortKind): void {
    for (const attempt of attempts) this.#inHand.get(attempt)?.abort.abort(kind);
  }

  /** A person cancelled these attempts. */
  cancel(attempts: readonly { id: number; epoch: number }[]): void {
    this.abort(attempts, 'cancelled');
  }

  /** The process lost its lease: nothing in hand can commit any more. */
  abortAll(kind: AbortKind): void {
    for (const { abort } of this.#inHand.values()) abort.abort(kind);
  }

  /** Claims nothing more. */
  close(): void {
    this.#stopping.abort();
    this.#timers.close();
    clearTimeout(this.#claimTimer);
    this.#queueStopped ??= this.queue.stop();
    this.#handBack(this.#waiting.splice(0).map(({ claim }) => claim));
  }

  /**
   * After close(): resolves when what runs has ended and is settled, or after `deadline` ms. An outage of the ledger
   * rejects; then as well nothing goes on here.
   */
  async drain(deadline: number): Promise<void> {
    if (this.#inHand.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          this.abortAll('shutdown');
          resolve();
        }, deadline);
        this.#drained = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    await this.#planning;
    await this.#beating;
    await this.#beside;
    try {
      while (this.#finished.length > 0) await this.#exchange(0);
    } finally {
      for (const end of this.#lasting.values()) end();
      await this.#queueStopped;
    }
  }

  /**
   * What a delivery asks for. The first of a pool lasts until nothing of the pool is in hand, so that the queue shows
   * that this process works for it; one that comes meanwhile only looks.
   */
  async #work({ pool }: Delivery): Promise<void> {
    // An idle process looks for runs to plan at once, a busy one every now and then.
    if (!this.#lasting.has(pool)) this.#requested = true;
    await this.#look();
    if (this.#lasting.has(pool) || this.#stopping.signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#lasting.set(pool, resolve);
      this.#endDeliveries();
    });
    this.#lasting.delete(pool);
  }

  /** Ends the deliveries of the pools of which nothing is in hand. */
  #endDeliveries(): void {
    if (this.#lasting.size === 0 || this.#finished.length > 0 || this.#exchanging > 0) return;
    const busy = new Set(Array.from(this.#inHand.values(), ({ claim }) => this.#poolOf(claim.asset)));
    for (const [pool, end] of this.#lasting) if (!busy.has(pool)) end();
  }

  #poolOf(asset: string): string {
    return this.options.pools.get(asset) ?? 'default';
  }

  /** A beat that also claims. */
  #look(): Promise<void> {
    this.#more = true;
    this.#wantsBeat = true;
    return (this.#beating ??= this.#keepBeating());
  }

  /** Who asks during a beat is served by the next. */
  async #keepBeating(): Promise<void> {
    while (this.#wantsBeat) {
      this.#wantsBeat = false;
      await this.#beat().catch((error: unknown) => this.news.broken(error));
    }
    this.#beating = undefined;
    this.#endDeliveries();
  }

  /**
   * While a statement is in flight, what finishes collects; when it returns, all that goes in the next. No timer: the
   * ledger's own pace is the clock.
   */
  async #beat(): Promise<void> {
    do {
      if (this.#more) this.#planIfDue();
      await this.#gathered();
      // What is settled may release work, which the same statement then claims.
      const limit = this.#more || this.#finished.length > 0 ? this.#wanted() : 0;
      if (this.#finished.length === 0 && limit === 0) return;
      await this.#exchange(limit);
    } while (this.#finished.length > 0 || (this.#more && this.#wanted() > 0));
  }

  /** Where much has finished while an exchange is under way, the ledger works on two at a time. */
  async #settleBeside(): Promise<void> {
    try {
      for (;;) {
        await this.#gathered();
        if (!this.#isMuch()) break;
        await this.#exchange(this.#wanted());
      }
    } catch (error) {
      this.news.broken(error);
    }
    this.#beside = undefined;
    // What it asked for and did not get, the beat may have left to it.
    if (this.#more) void this.#look();
    else this.#endDeliveries();
  }

  /** Once what begins and ends at once has, what was just claimed included: it need not go one by one. */
  async #gathered(): Promise<void> {
    if (!this.#gathers()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, GATHER);
      this.#gathering.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #gathers(): boolean {
    if (this.#finished.length >= SETTLE_AT_MOST) return false;
    return this.#burst > 0 || (this.#examining > 0 && this.#usual < GATHER);
  }

  #goOn(): void {
    if (!this.#gathers()) for (const goOn of this.#gathering.splice(0)) goOn();
  }

  /** Whether it is worth an exchange beside the one under way. */
  #isMuch(): boolean {
    return this.#finished.length >= Math.max(SETTLE_BESIDE, this.#settling / 2);
  }

  /** One exchange with the ledger: outcomes for claims. */
  async #exchange(limit: number): Promise<void> {
    const batch = this.#finished.splice(0, SETTLE_AT_MOST);
    if (limit > 0) this.#more = false;
    this.#asked += limit;
    this.#exchanging++;
    this.#settling += batch.length;
    let beat: Beat;
    try {
      if (batch.length > 0) crashPoint('before-commit');
      const outcomes = batch.map(({ outcome }) => outcome);
      const start = performance.now();
      beat = await this.#patiently(() => this.ledger.beat(outcomes, { ...this.claimant(), limit }));
      this.#beatTime += (Math.min(performance.now() - start, LONG_BEAT) - this.#beatTime) / 16;
      if (batch.length > 0) crashPoint('after-commit');
      if (beat.claims.length > 0) crashPoint('after-claim');
    } catch (error) {
      this.#finished.unshift(...batch);
      throw error;
    } finally {
      this.#asked -= limit;
      this.#exchanging--;
      this.#settling -= batch.length;
    }
    // What fails from here on must not settle again what is settled.
    await this.#takeUp(batch, limit, beat);
  }

  /** What a beat answered. An attempt that is `expired` is left to its timer, one that is `fenced` has nothing to say any more. */
  async #takeUp(batch: readonly Finished[], limit: number, beat: Beat): Promise<void> {
    const { verdicts, endedRuns, released, claims, again, outdated, rings } = beat;
    const full = limit > 0 && claims.length >= limit;
    if (full || released) this.#more = true;
    // There may be more than this process takes.
    if (full) this.#ringFor(claims);
    for (const pool of rings) this.queue.ring(pool);
    if (again !== null) this.#lookAgain(again);
    this.accept(claims);
    this.#tell(batch, verdicts, endedRuns);
    if (outdated) await this.#catchUp();
  }

  /** Other definitions may count now: claimed and planned again once that is known. */
  async #catchUp(): Promise<void> {
    await this.#patiently(() => this.membership.refresh());
    this.#more = true;
    this.#requested = true;
  }

  #tell(batch: readonly Finished[], verdicts: readonly Verdict[], endedRuns: readonly number[]): void {
    batch.forEach(({ outcome, claim, failure }, index) => {
      if (verdicts[index] !== 'committed') return;
      if (failure) this.news.failed(failure);
      if (claim && outcome.kind === 'success') this.desk.succeeded(claim);
    });
    for (const { outcome } of batch) if (outcome.kind === 'retry') this.#timers.look(outcome.delay);
    for (const run of new Set(batch.map((finished) => finished.run))) this.signals.changed(run);
    for (const run of endedRuns) this.news.runEnded(run);
  }

  /** Requests are heard of by ring(); those of other processes by looking every now and then. Work goes on meanwhile. */
  #planIfDue(): void {
    if (this.#planning || (!this.#requested && performance.now() < this.#nextPlanLook)) return;
    if (!this.options.worker || this.#stopping.signal.aborted) return;
    this.#requested = false;
    this.#nextPlanLook = performance.now() + PLAN_LOOK;
    this.#planning = this.#planNext().finally(() => (this.#planning = undefined));
  }

  async #planNext(): Promise<void> {
    try {
      if (!(await this.#patiently(this.plan))) return;
      // Another one may wait behind it.
      this.#requested = true;
      queueMicrotask(() => void this.#look());
    } catch (error) {
      this.news.broken(error);
    }
  }

  /**
   * Beside those that execute, as many as would end while a statement is in flight and until what it claims can begin:
   * they keep the places busy. Where code takes long, next to none, since what one process claimed no other can begin.
   */
  #wanted(): number {
    if (!this.options.worker || this.#stopping.signal.aborted) return 0;
    const { concurrency } = this.options;
    const ahead = Math.ceil((concurrency * (this.#beatTime + BEAT)) / Math.max(this.#usual, 0.01));
    const most = concurrency + Math.min(Math.max(concurrency, MOST_AHEAD), ahead);
    return Math.max(0, most - this.#places.taken - this.#asked);
  }

  #finish(...finished: readonly Finished[]): void {
    if (finished.length === 0) return;
    this.#finished.push(...finished);
    void this.#look();
    if (this.#exchanging > 0 && this.#isMuch()) this.#beside ??= this.#settleBeside();
  }

  #ringFor(claims: readonly Claim[]): void {
    for (const pool of new Set(claims.map(({ asset }) => this.#poolOf(asset)))) this.queue.ring(pool);
  }

  #handBack(claims: readonly Claim[]): void {
    for (const claim of claims) this.#letGo(claim);
    this.#finish(
      ...claims.map(({ id, epoch, run }) => ({ run, outcome: { kind: 'handed_back', id, epoch } as const })),
    );
  }

  #startWaiting(): void {
    while (this.#running < this.options.concurrency && this.#waiting.length > 0) {
      if (this.#burst === BURST) return;
      if (this.#burst++ === 0) setImmediate(() => this.#endBurst());
      const waiting = this.#waiting.shift()!;
      if (this.queue.isPaused(this.#poolOf(waiting.claim.asset))) {
        this.#handBack([waiting.claim]);
        continue;
      }
      this.#running++;
      this.#execute(waiting, this.#fellowsOf(waiting));
    }
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
    this.#goOn();
  }

  /** What is executed in one place. */
  #execute({ execution, abort }: Waiting, fellows: readonly Waiting[]): void {
    const start = performance.now();
    void execution.run(abort, fellows, this.#ended).then(() => this.#vacate(start));
  }

  /** The place of what began at `start` is free. */
  #vacate(start: number): void {
    this.#usual += (performance.now() - start - this.#usual) / 16;
    this.#running--;
    this.#startWaiting();
  }

  readonly #ended: Ended = (claim, outcome) => {
    this.#letGo(claim);
    this.signals.forget(claim.run, claim.id);
    this.#finish({ outcome, run: claim.run, claim });
  };

  #letGo(attempt: { readonly id: number; readonly epoch: number }): void {
    const inHand = this.#inHand.get(attempt);
    if (inHand) this.#places.leave(inHand.place);
    this.#inHand.delete(attempt);
    if (this.#inHand.size === 0) this.#drained?.();
  }

  /** Looks for work in so many ms, or sooner if that is already intended; for what nobody rings. */
  #lookAgain(delay: number): void {
    const at = performance.now() + Math.max(delay, LEAST_LOOK);
    if (this.#stopping.signal.aborted || at >= this.#nextClaim) return;
    clearTimeout(this.#claimTimer);
    this.#nextClaim = at;
    this.#claimTimer = setTimeout(
      () => {
        this.#nextClaim = Infinity;
        void this.#look();
      },
      Math.min(at - performance.now(), MOST_TIMEOUT),
    ).unref();
  }

  #passed(deadline: DueDeadline): void {
    const { id, epoch, run, kind } = deadline;
    const ours = this.#inHand.get(deadline) !== undefined;
    this.abort([deadline], kind === 'cancel' ? 'cancelled' : 'timeout');
    if (kind === 'cancel') this.#finish({ run, outcome: { kind: 'cancelled', id, epoch } });
    // An attempt of this process ends by its own abort; one of another process may never answer.
    else if (!ours) this.#finish(this.desk.afterTimeout(deadline));
  }

  #patiently<T>(operation: () => Promise<T>): Promise<T> {
    return withPatience(operation, this.#stopping.signal, (error, pause) => this.news.outage(error, pause));
  }
}
