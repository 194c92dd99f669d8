// This process as a member of the ledger: its lease, the definitions that count now, the rescue of lost members.
// What renews the lease stands in heartbeat/.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { Ledger } from '../ledger/ledger.port.js';
import type { HeldAsset } from '../ledger/process.records.js';
import type {
  AssetRegistration,
  CurrentDefinition,
  PoolRegistration,
  Renewal,
  TakenBack,
} from '../ledger/registrations.js';
import type { Claimant } from '../ledger/work.js';
import { crashPoint } from './crash-points.js';
import type { Heartbeat, HeartbeatNews, MakeHeartbeat } from './heartbeat/heartbeat.port.js';
import { withPatience } from './patience.js';

export interface MembershipOptions {
  readonly worker: boolean;
  /** See ProcessRegistration. */
  readonly tellsAttempts: boolean;
  /** All in ms (durability.md: 15 s, 5 s). */
  readonly lease: number;
  readonly sweep: number;
  /** Whether no other process can use the ledger: nobody could take over, so no silence costs the lease. */
  readonly alone: boolean;
  /** Told when it changes of which assets this worker has a definition that does not count: it may claim less, or more. */
  superseded(assets: readonly string[]): void;
}

/** The lease of a process that is alone; user code that blocks the event loop must not cost it. */
const LEASE_ALONE = 20 * 24 * 3_600_000;

/** Between two tries to enter anew, where that is refused for another reason than an outage, ms. */
const ENTER_AGAIN = 5000;

/** What the heartbeat brings back. */
export interface MembershipNews {
  /** Attempts whose run was cancelled. */
  cancelled(attempts: readonly { id: number; epoch: number }[]): void;
  /** The lease was given up: whatever runs here is lost, and the process enters anew. */
  lost(): void;
  /** It has entered anew after that. */
  entered(): void;
  /** What processes that were lost held was taken from them. */
  rescued(taken: TakenBack): void;
  failed(error: unknown): void;
  /** The lease was renewed; whether other processes listen to what is recorded here. */
  listened(listened: boolean): void;
  /** See HeartbeatNews. */
  blocked: HeartbeatNews['blocked'];
  timedOut: HeartbeatNews['timedOut'];
}

export class Membership {
  #id = randomUUID() as string;
  #current = new Map<string, CurrentDefinition>();
  #counting: readonly string[] = [];
  #claimable: readonly string[] = [];
  #heldHere: ReadonlySet<string> = new Set();
  #held: ReadonlyMap<string, HeldAsset> = new Map();
  #superseded: readonly string[] = [];
  #heartbeat: Heartbeat | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  readonly #busy = new Map<string, Promise<void>>();
  readonly #leaving = new AbortController();

  constructor(
    private readonly ledger: Ledger,
    private readonly assets: readonly AssetRegistration[],
    private readonly pools: readonly PoolRegistration[],
    private readonly options: MembershipOptions,
    private readonly makeHeartbeat: MakeHeartbeat,
  ) {}

  /** Changes when the lease was lost. */
  get id(): string {
    return this.#id;
  }

  /** Enters the ledger; work may be claimed from now on. What its predecessors held is taken back, where it is alone. */
  async enter(): Promise<TakenBack> {
    const { worker, alone, tellsAttempts } = this.options;
    const lease = alone ? LEASE_ALONE : this.options.lease;
    // Who is alone takes over what its predecessor held as it enters, and sweeps nothing later.
    if (alone) crashPoint('before-rescue');
    const registration = { id: this.#id, host: hostname(), pid: process.pid, worker, lease, tellsAttempts };
    const taken = await this.ledger.register(registration, this.assets, this.pools);
    await this.refresh();
    return taken;
  }

  keepAlive(news: MembershipNews): void {
    this.#heartbeat = this.makeHeartbeat({
      renewed: (process, renewal) => this.#renewed(process, renewal, news),
      failed: (error) => news.failed(error),
      blocked: (milliseconds, executing) => news.blocked(milliseconds, executing),
      timedOut: (settled) => news.timedOut(settled),
    });
    this.#heartbeat.keep(this.#id);
    if (!this.options.alone) this.#sweeper = setInterval(() => this.#sweep(news), this.options.sweep).unref();
  }

  async refresh(): Promise<void> {
    this.#current = new Map(
      (await this.ledger.currentDefinitions(this.#id)).map((definition) => [definition.key, definition]),
    );
    const declared = this.options.worker ? this.assets : [];
    const counts = ({ key, hash }: AssetRegistration): boolean => this.#current.get(key)?.hash === hash;
    this.#counting = declared.filter(counts).map(({ key }) => key);
    this.#limit();
    this.#held = new Map((await this.ledger.processes.heldAssets()).map((held) => [held.asset, held]));
    const superseded = declared.filter((asset) => !counts(asset)).map(({ key }) => key);
    if (superseded.join() === this.#superseded.join()) return;
    this.#superseded = superseded;
    this.options.superseded(superseded);
  }

  /** The definitions that count, by asset key. */
  get current(): ReadonlyMap<string, CurrentDefinition> {
    return this.#current;
  }

  /** Assets of this worker of which another definition counts. */
  get superseded(): readonly string[] {
    return this.#superseded;
  }

  /** Assets that no worker can begin, since something they require is not healthy. */
  get held(): ReadonlyMap<string, HeldAsset> {
    return this.#held;
  }

  /** Whether this worker may not begin the asset, since something it requires is not healthy here. */
  isHeld(asset: string): boolean {
    return this.#heldHere.has(asset);
  }

  /** From now on nothing of these assets is claimed. */
  hold(assets: ReadonlySet<string>): void {
    this.#heldHere = assets;
    this.#limit();
  }

  /** This process with the assets that it may plan: those it declares in their current definition. */
  planner(): Claimant {
    return { process: this.#id, assets: this.#counting };
  }

  /** The same with those that it may begin. */
  claimant(): Claimant {
    return { process: this.#id, assets: this.#claimable };
  }

  #limit(): void {
    const held = this.#heldHere;
    // The list is kept while it is the same: what is derived of it is, too.
    this.#claimable = held.size === 0 ? this.#counting : this.#counting.filter((asset) => !held.has(asset));
  }

  /** What it still held is given back to others. */
  async leave(): Promise<TakenBack> {
    clearInterval(this.#sweeper);
    this.#leaving.abort();
    await this.#heartbeat?.stop();
    await Promise.all(this.#busy.values());
    crashPoint('before-hand-back');
    return this.ledger.unregister(this.#id);
  }

  #renewed(process: string, { alive, held, cancelled, listened }: Renewal, news: MembershipNews): void {
    // Told of a lease that was lost before.
    if (process !== this.#id) return;
    if (cancelled.length > 0) news.cancelled(cancelled);
    if (alive) news.listened(listened);
    if (alive) this.ledger.recall(process, held);
    if (alive) return this.#once('refresh', () => this.refresh(), news);
    this.#id = randomUUID();
    news.lost();
    this.#once('enter', () => this.#enterAnew(news), news);
  }

  async #enterAnew(news: MembershipNews): Promise<void> {
    const { signal } = this.#leaving;
    const failed = (error: unknown): void => news.failed(error);
    while (!signal.aborted) {
      try {
        await withPatience(() => this.enter(), signal, failed);
        this.#heartbeat!.keep(this.#id);
        return news.entered();
      } catch (error) {
        failed(error);
      }
      // Whatever keeps it from entering: without a membership it would do nothing for ever.
      await pause(ENTER_AGAIN, undefined, { signal }).catch(() => undefined);
    }
  }

  #sweep(news: MembershipNews): void {
    this.#once(
      'sweep',
      async () => {
        crashPoint('before-rescue');
        news.rescued(await this.ledger.rescue(this.#id));
      },
      news,
    );
  }

  /** Does it unless it is being done. */
  #once(name: string, work: () => Promise<void>, news: MembershipNews): void {
    if (this.#busy.has(name)) return;
    const working = work()
      .catch((error: unknown) => news.failed(error))
      .finally(() => this.#busy.delete(name));
    this.#busy.set(name, working);
  }
}
