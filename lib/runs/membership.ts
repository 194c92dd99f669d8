// This process as a member of the ledger: its lease, the definitions that count now, the rescue of lost members.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { AssetRegistration, Claimant, CurrentDefinition, Ledger } from '../ledger/ledger.port.js';
import { crashPoint } from './crash-points.js';

export interface MembershipOptions {
  readonly worker: boolean;
  /** All in ms (durability.md: 15 s, 5 s, 5 s). */
  readonly lease: number;
  readonly heartbeat: number;
  readonly sweep: number;
  /** Whether no other process can use the ledger: nobody could take over, so no silence costs the lease. */
  readonly alone: boolean;
}

/** The lease of a process that is alone; user code that blocks the event loop must not cost it. */
const LEASE_ALONE = 20 * 24 * 3_600_000;

/** What the heartbeat brings back. */
export interface MembershipNews {
  /** Attempts whose run was cancelled. */
  cancelled(attempts: readonly { id: number; epoch: number }[]): void;
  /** The lease was given up: whatever runs here is lost, and the process has entered anew. */
  lost(): void;
  rescued(count: number): void;
  failed(error: unknown): void;
}

export class Membership {
  #id = randomUUID() as string;
  #current = new Map<string, CurrentDefinition>();
  #timers: NodeJS.Timeout[] = [];
  #busy = new Set<Promise<void>>();

  constructor(
    private readonly ledger: Ledger,
    private readonly assets: readonly AssetRegistration[],
    private readonly options: MembershipOptions,
  ) {}

  /** Changes when the lease was lost. */
  get id(): string {
    return this.#id;
  }

  /** Enters the ledger; work may be claimed from now on. */
  async enter(): Promise<void> {
    const { worker, alone } = this.options;
    const lease = alone ? LEASE_ALONE : this.options.lease;
    // Who is alone takes over what its predecessor held as it enters, and sweeps nothing later.
    if (alone) crashPoint('before-rescue');
    await this.ledger.register({ id: this.#id, host: hostname(), pid: process.pid, worker, lease }, this.assets);
    await this.refresh();
  }

  keepAlive(news: MembershipNews): void {
    const every = (interval: number, beat: () => Promise<void>): void => {
      let running = false;
      const timer = setInterval(() => {
        if (running) return;
        running = true;
        const beating = beat()
          .catch((error: unknown) => news.failed(error))
          .finally(() => {
            running = false;
            this.#busy.delete(beating);
          });
        this.#busy.add(beating);
      }, interval);
      this.#timers.push(timer.unref());
    };
    every(this.options.heartbeat, () => this.#renew(news));
    if (this.options.alone) return;
    every(this.options.sweep, async () => {
      crashPoint('before-rescue');
      const count = await this.ledger.rescue();
      if (count > 0) news.rescued(count);
    });
  }

  async refresh(): Promise<void> {
    this.#current = new Map((await this.ledger.currentDefinitions()).map((definition) => [definition.key, definition]));
  }

  /** The definitions that count, by asset key. */
  get current(): ReadonlyMap<string, CurrentDefinition> {
    return this.#current;
  }

  /** This process with the assets it may claim: those it declares in their current definition. */
  claimant(): Claimant {
    const declared = this.options.worker ? this.assets : [];
    const current = declared.filter(({ key, hash }) => this.#current.get(key)?.hash === hash);
    return { process: this.#id, assets: current.map(({ key }) => key) };
  }

  async leave(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await Promise.all(this.#busy);
    crashPoint('before-hand-back');
    await this.ledger.unregister(this.#id);
  }

  async #renew(news: MembershipNews): Promise<void> {
    const { alive, cancelled } = await this.ledger.renew(this.#id);
    if (!alive) {
      this.#id = randomUUID();
      news.lost();
      await this.enter();
      return;
    }
    if (cancelled.length > 0) news.cancelled(cancelled);
    await this.refresh();
  }
}
