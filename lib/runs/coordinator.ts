// The beat of one process: when outcomes go to the ledger and claims come back. What becomes of claims stands in
// executor.ts, runs to plan in plan.watch.ts, what is due in timer.watch.ts; this file only keeps the loop fed.
import type { Ledger } from '../ledger/ledger.port.js';
import type { Beat, Claim, ClaimRequest, DueDeadline, Verdict } from '../ledger/work.js';
import type { Delivery, WorkQueue } from '../queue/queue.port.js';
import type { AbortKind } from './abort.js';
import { Alarm } from './alarm.js';
import type { AttemptHost } from './attempt.host.js';
import { crashPoint } from './crash-points.js';
import type { ClaimDesk, Finished } from './execution.port.js';
import { Executor } from './executor.js';
import type { Failure } from './failure.js';
import { Gathering } from './gathering.js';
import type { Membership } from './membership.js';
import { isOutage, withPatience } from './patience.js';
import { PlanWatch, type PlanNews } from './plan.watch.js';
import type { RunSignals } from './run.signals.js';
import { TimerWatch } from './timer.watch.js';
import type { AttemptTracing } from './tracing.port.js';
import { commitValue } from './value.commit.js';

/** Outcomes settled in one transaction at most. */
const SETTLE_AT_MOST = 512;
/** Claims beyond those that are executed at most. */
const MOST_AHEAD = 2 * SETTLE_AT_MOST;
/** So many outcomes do not wait for the exchange under way to end, unless that settles more than twice as many. */
const SETTLE_BESIDE = 32;
/** What one exchange with the ledger takes before it was measured, and most that is reckoned with, ms. */
const BEAT = 10;
const LONG_BEAT = 50;
/** Shortest time until work is looked for that nobody rings for, ms: what comes meanwhile is taken together. */
const LEAST_LOOK = 25;

/**
 * News for which there is no place here, or that may be of work for others, is passed on after so long, ms, by how often
 * that was done: it goes to one process, perhaps this one again. After the last time others have most likely heard of it,
 * and it would come later than a poll: it is dropped. Who gets a free place looks by itself.
 */
const PASS_ON: readonly number[] = [250, 250, 500, 1000, 2000];

/** What happens and someone may want to tell. */
export interface CoordinatorNews {
  runEnded(run: number): void;
  failed(failure: Failure): void;
  /** The ledger cannot be reached; tried again soon. */
  outage(error: unknown): void;
  /** It answers, now and then. */
  answered(): void;
  /** Something may be in the outbox. */
  posted(): void;
  /** With telemetry: how outcomes were settled. */
  readonly settled?: AttemptTracing['settled'] | undefined;
  /** A bug or a broken ledger: the beat goes on at the next ring. */
  broken(error: unknown): void;
}

export interface CoordinatorOptions {
  /** Executions at once. */
  readonly concurrency: number;
  /** Whether this process executes; else the queue's news is for others. */
  readonly worker: boolean;
  /** Whether each exchange with the ledger may put something into the outbox. */
  readonly tellsAttempts: boolean;
  /** The pool of each declared asset. */
  readonly pools: ReadonlyMap<string, string>;
  /** Of those that are computed in batches. */
  readonly batchSizes: ReadonlyMap<string, number>;
  /** Whether no other process can use the ledger, which then works on one exchange at a time. */
  readonly alone: boolean;
  /** Pools with a rate: each claim takes a token, which nobody gets back. */
  readonly rated: ReadonlySet<string>;
  /** Whether there is work in the pool that other processes do, and this one does not. */
  isShared(pool: string): boolean;
  /** Whether nothing of the asset is to be begun here. */
  isHeld(asset: string): boolean;
}

export class Coordinator {
  readonly #executor: Executor;
  /** Outcomes that are not sent yet. */
  #finished: Finished[] = [];
  readonly #gathering: Gathering;
  /** Exchanges under way, outcomes that they settle, and claims asked for in them. */
  #exchanging = 0;
  #settling = 0;
  #asked = 0;
  /** What an exchange takes, ms: a moving average. */
  #beatTime = BEAT;
  /** Whether there may be ready work that was not claimed. */
  #more = true;
  /** The beat under way, and whether another one is wanted after it. */
  #beating: Promise<void> | undefined;
  /** Exchanges beside it. */
  #beside: Promise<void> | undefined;
  #wantsBeat = false;
  /** Pools with a delivery that lasts until nothing of them is in hand, and how to end it. */
  readonly #lasting = new Map<string, () => void>();
  #started = false;
  #queueStopped: Promise<void> | undefined;
  readonly #stopping = new AbortController();
  readonly #pools: readonly string[];
  readonly #timers: TimerWatch;
  readonly #plans: PlanWatch;
  /** Pools of which news came that is for others as well, and how often that was passed on. */
  readonly #unserved = new Map<string, number>();
  readonly #passing = new Alarm(() => this.#passOn());
  /** Pools of which it was told that there is more than this process takes: nothing has become ready since. */
  readonly #known = new Set<string>();
  /** When work is looked for that nobody rings for. */
  readonly #unrung = new Alarm(() => void this.#look());

  constructor(
    private readonly ledger: Ledger,
    private readonly membership: Membership,
    private readonly queue: WorkQueue,
    private readonly desk: ClaimDesk,
    planNext: PlanNews['planNext'],
    private readonly signals: RunSignals,
    private readonly news: CoordinatorNews,
    private readonly options: CoordinatorOptions,
  ) {
    this.#pools = [...new Set(options.pools.values())];
    this.#executor = new Executor(
      {
        apart: (claims) => desk.apart(claims),
        examine: (claims) => this.#patiently(() => desk.examine(claims)),
        isPaused: (asset) => queue.isPaused(this.#poolOf(asset)) || options.isHeld(asset),
        mayGiveBack: (asset) => !options.alone && !options.rated.has(this.#poolOf(asset)),
        most: () => this.#most(),
        ended: (claim) => signals.forget(claim.run, claim.id),
        finished: (finished) => this.#finish(finished),
        calm: () => this.#gathering.look(),
        vacated: () => void this.#look(),
        broken: (error) => this.#stumble(error),
      },
      options.concurrency,
    );
    this.#gathering = new Gathering(() => this.#finished.length < SETTLE_AT_MOST && this.#executor.endsMore);
    this.#plans = new PlanWatch({
      planNext: () => this.#patiently(planNext),
      planned: (readyIn) => {
        void this.#look();
        this.offer(readyIn);
      },
      broken: (error) => this.#stumble(error),
    });
    this.#timers = new TimerWatch(ledger, {
      passed: (deadline) => this.#passed(deadline),
      cancelled: (attempts) => this.cancel(attempts),
      released: (pools) => this.offer(pools),
      posted: () => news.posted(),
      runEnded: (run) => news.runEnded(run),
      failed: (error) => (isOutage(error) ? news.outage(error) : this.#stumble(error)),
      answered: () => news.answered(),
    });
  }

  async start(): Promise<void> {
    this.#timers.look(0);
    const { worker } = this.options;
    await this.queue.start(
      this.#pools,
      worker ? (delivery) => this.#work(delivery) : undefined,
      () => void this.#look(),
    );
    this.#started = true;
  }

  /** There may be work for this process, or a run to plan, of which nobody could tell it. */
  lookAround(): void {
    this.#plans.expect();
    if (this.#started) void this.#look();
  }

  /** A plan or the like made something ready in these pools: who works for them is told, this process included. */
  offer(pools: Iterable<string>): void {
    for (const pool of pools) this.queue.ring(pool);
  }

  /**
   * A run waits to be planned. It is planned here if that can be at once, else by whoever works for one of the pools.
   * @param pools of its targets
   * @param here whether this process has the code for it
   */
  awaitPlan(pools: readonly string[], here: boolean): void {
    this.#plans.expect();
    if (here && this.#started && this.#works && this.#plans.isFree) return void this.#look();
    // The queue of a pool that is paused brings nobody anything.
    const pool = pools.find((name) => !this.queue.isPaused(name)) ?? pools[0];
    if (pool !== undefined) this.queue.ring(pool);
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
    return this.#works ? Math.max(0, this.options.concurrency - this.#executor.taken) : 0;
  }

  /** Takes claims: those of the beat, and those made with the insertion of their run. */
  accept(claims: readonly Claim[]): void {
    if (claims.length === 0) return;
    // What has finished goes first, unless it gathers these as well.
    this.#executor.accept(claims, this.#finished.length > 0 && !this.#executor.isQuick);
  }

  /** A person cancelled these attempts. */
  cancel(attempts: readonly { id: number; epoch: number }[]): void {
    this.#executor.abort(attempts, 'cancelled');
  }

  /** The process lost its lease: nothing in hand can commit any more. */
  abortAll(kind: AbortKind): void {
    this.#executor.abortAll(kind);
  }

  /** Claims nothing more. */
  close(): void {
    this.#stopping.abort();
    this.#timers.close();
    this.#unrung.close();
    this.#passing.close();
    this.#passOn();
    this.#queueStopped ??= this.queue.stop();
    this.#executor.close();
  }

  /**
   * After close(): resolves when what runs has ended and is settled, or after `deadline` ms. An outage of the ledger
   * rejects; then as well nothing goes on here.
   */
  async drain(deadline: number): Promise<void> {
    await this.#executor.emptied(deadline);
    await this.#plans.over();
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
  async #work({ pool, passed }: Delivery): Promise<void> {
    // An idle process looks for runs to plan at once; a busy one every now and then, but nobody else has heard of this.
    if (!this.#lasting.has(pool)) this.#plans.expect();
    else if (this.#plans.dueIn > 0) this.#unrung.set(Math.max(this.#plans.dueIn, LEAST_LOOK));
    // What it told itself may have come back to it.
    const isFull = this.#wanted() === 0 || this.#known.has(pool);
    if (isFull) this.#passLater(pool, passed);
    await this.#look();
    // Who else works for it, the look may have found out.
    if (!isFull && (this.options.isShared(pool) || this.#holdsIn(pool))) this.#passLater(pool, passed);
    if (this.#lasting.has(pool) || this.#stopping.signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#lasting.set(pool, resolve);
      this.#endDeliveries();
    });
    this.#lasting.delete(pool);
  }

  /** @param passed how often that was done before */
  #passLater(pool: string, passed: number): void {
    const after = PASS_ON[passed];
    if (after === undefined || !this.#works) return;
    this.#unserved.set(pool, Math.min(passed, this.#unserved.get(pool) ?? passed));
    this.#passing.set(after);
  }

  /** A ring wakes one process, which may be the very one that rang and has no place: another one may have. */
  #passOn(): void {
    for (const [pool, passed] of this.#unserved) this.queue.ring(pool, passed + 1);
    this.#unserved.clear();
  }

  /** Ends the deliveries of the pools of which nothing is in hand. */
  #endDeliveries(): void {
    if (this.#lasting.size === 0 || this.#finished.length > 0 || this.#exchanging > 0) return;
    const busy = new Set(Array.from(this.#executor.assets, (asset) => this.#poolOf(asset)));
    for (const [pool, end] of this.#lasting) if (!busy.has(pool)) end();
  }

  /** Whether others may begin what this process may not. */
  #holdsIn(pool: string): boolean {
    for (const [asset, of] of this.options.pools) if (of === pool && this.options.isHeld(asset)) return true;
    return false;
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
      await this.#beat().catch((error: unknown) => this.#stumble(error));
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
      if (this.#more && this.#works) this.#plans.planIfDue();
      await this.#gathering.over();
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
        await this.#gathering.over();
        if (!this.#isMuch()) break;
        await this.#exchange(this.#wanted());
      }
    } catch (error) {
      this.#stumble(error);
    }
    this.#beside = undefined;
    // What it asked for and did not get, the beat may have left to it.
    if (this.#more) void this.#look();
    else this.#endDeliveries();
  }

  /**
   * Whether it is worth an exchange beside the one under way. A ledger that works on one at a time would only have to do
   * with smaller ones; a full one waits for it, so that it need not wait for us.
   */
  #isMuch(): boolean {
    const least = this.options.alone ? SETTLE_AT_MOST : Math.max(SETTLE_BESIDE, this.#settling / 2);
    return this.#finished.length >= least;
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

  /** See AttemptHost.commit. It is in hand until then, so that its place bounds how much waits here. */
  async commit(...commit: Parameters<AttemptHost['commit']>): Promise<void> {
    const { values } = this.ledger;
    if (!values) throw new Error('The value was to join the ledger, which has no database.');
    const { outcome, beat } = await commitValue(values, (operation) => this.#patiently(operation), ...commit);
    const [claim] = commit;
    await this.#takeUp([{ outcome, run: claim.run, claim }], 0, beat);
  }

  /** See AttemptHost.ask. */
  async ask(...[claim, request]: Parameters<AttemptHost['ask']>): ReturnType<AttemptHost['ask']> {
    crashPoint('before-ask');
    const asked = await this.#patiently(() => this.ledger.approvals.ask(claim, request));
    crashPoint('after-ask');
    if (asked.kind !== 'waiting') return asked.kind;
    this.offer(asked.rings);
    this.news.posted();
    this.signals.changed(claim.run);
    this.#timers.look(0);
    return 'waiting';
  }

  /** See AttemptHost.supersede. */
  async supersede(...[claim, approval]: Parameters<AttemptHost['supersede']>): Promise<void> {
    await this.#patiently(() => this.ledger.approvals.supersede(claim, approval));
  }

  /** What a beat answered. An attempt that is `expired` is left to its timer, one that is `fenced` has nothing to say any more. */
  async #takeUp(batch: readonly Finished[], limit: number, beat: Beat): Promise<void> {
    const { verdicts, endedRuns, released, fresh, claims, again, outdated, rings } = beat;
    const full = limit > 0 && claims.length >= limit;
    if (full || released) this.#more = true;
    if (this.options.tellsAttempts) this.news.posted();
    if (fresh || claims.length < limit) this.#known.clear();
    for (const pool of rings) this.#ring(pool);
    if (full) this.#ringFor(claims);
    if (again !== null) this.#unrung.set(Math.max(again, LEAST_LOOK));
    this.accept(claims);
    this.news.settled?.(batch, verdicts);
    this.#tell(batch, verdicts, endedRuns);
    if (outdated) await this.#catchUp();
  }

  /** Other definitions may count now: claimed and planned again once that is known. */
  async #catchUp(): Promise<void> {
    await this.#patiently(() => this.membership.refresh());
    this.#more = true;
    this.#plans.expect();
  }

  #tell(batch: readonly Finished[], verdicts: readonly Verdict[], endedRuns: readonly number[]): void {
    batch.forEach((finished, index) => {
      const { outcome, claim } = finished;
      const verdict = verdicts[index]!;
      const isRefused = typeof verdict === 'object';
      if (!isRefused && verdict !== 'committed') return;
      const failure = isRefused ? this.desk.refused(finished, verdict.refused) : finished.failure;
      if (failure) this.news.failed(failure);
      if (claim && outcome.kind === 'success' && !isRefused) this.desk.succeeded(claim);
    });
    for (const { outcome } of batch) {
      if (outcome.kind === 'retry' || outcome.kind === 'repinned') this.#timers.look(outcome.delay ?? 0);
    }
    for (const run of new Set(batch.map((finished) => finished.run))) this.signals.changed(run);
    for (const run of endedRuns) this.news.runEnded(run);
  }

  /** Whether it claims and plans. */
  get #works(): boolean {
    return this.options.worker && !this.#stopping.signal.aborted;
  }

  #wanted(): number {
    return this.#works ? Math.max(0, this.#most() - this.#executor.taken - this.#asked) : 0;
  }

  /**
   * Beside those that execute, as many as would end while a statement is in flight and until what it claims can begin:
   * they keep the places busy. Where code takes long, next to none, since what one process claimed no other can begin.
   */
  #most(): number {
    const { concurrency } = this.options;
    const ahead = Math.ceil((concurrency * (this.#beatTime + BEAT)) / Math.max(this.#executor.usual, 0.01));
    return concurrency + Math.min(Math.max(concurrency, MOST_AHEAD), ahead);
  }

  #finish(finished: readonly Finished[]): void {
    if (finished.length === 0) return;
    this.#finished.push(...finished);
    void this.#look();
    if (this.#exchanging > 0 && this.#isMuch()) this.#beside ??= this.#settleBeside();
  }

  /** There may be more than this process takes. */
  #ringFor(claims: readonly Claim[]): void {
    for (const { asset } of claims) {
      const pool = this.#poolOf(asset);
      if (!this.#known.has(pool)) this.#ring(pool);
    }
  }

  #ring(pool: string): void {
    this.#known.add(pool);
    this.queue.ring(pool);
  }

  #passed(deadline: DueDeadline): void {
    const { id, epoch, run, kind } = deadline;
    const ours = this.#executor.has(deadline);
    this.#executor.abort([deadline], kind === 'cancel' ? 'cancelled' : 'timeout');
    if (kind === 'cancel') this.#finish([{ run, outcome: { kind: 'cancelled', id, epoch } }]);
    // An attempt of this process ends by its own abort; one of another process may never answer.
    else if (!ours) {
      const finished = this.desk.afterTimeout(deadline);
      if (finished) this.#finish([finished]);
    }
  }

  /** An outage is a reason to give up only once it closes: then drain() finds it as well, and tells whoever closes. */
  #stumble(error: unknown): void {
    if (!(this.#stopping.signal.aborted && isOutage(error))) this.news.broken(error);
  }

  #patiently<T>(operation: () => Promise<T>): Promise<T> {
    return withPatience(operation, this.#stopping.signal, (error) => this.news.outage(error));
  }
}
