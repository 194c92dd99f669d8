// The queue over Redis, by Bull: a Bull queue for each pool, whose jobs are rings. What Redis forgets or never hears of
// is made good by polling; what it does when it is away, comes back or lost its memory is decided here.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type Bull from 'bull';
import type { QueueHealth, Work, WorkQueue } from '../queue.port.js';
import { PoolQueue } from './pool.queue.js';
import { RedisConnections, renewIfDeaf, type RedisAddress } from './redis.connections.js';

/** With Redis there, this many poll intervals lie between two polls: they find what was lost, not what is new. */
const POLL_RARELY = 5;
/** How long a start waits to hear from Redis, ms. */
const HEAR_WITHIN = 2000;
/** The only policy under which Redis keeps what it was given. */
const POLICY = 'noeviction';

export interface BullQueueOptions {
  readonly redis: RedisAddress;
  /** Bull's prefix of all keys. */
  readonly prefix: string;
  readonly namespace: string;
  /** ms between polls while Redis is away. */
  readonly pollInterval: number;
  /** This process, as it signs its rings. */
  readonly sender: string;
  readonly logger: Record<'log' | 'warn' | 'debug', (message: string) => void>;
}

export class BullQueue implements WorkQueue {
  readonly #connections: RedisConnections;
  readonly #pools = new Map<string, PoolQueue>();
  /** Runs whose end others are about to be told. */
  readonly #ended: number[] = [];
  /** Pools that Redis was not there to be told of. */
  readonly #unsent = new Set<string>();
  /** Resolves when Redis was first heard of, for better or worse. */
  readonly #heard: Promise<void>;
  #hear: () => void = () => undefined;
  /** Whose deliveries this process takes. It rings others as well. */
  #served: readonly string[] = [];
  #work: Work | undefined;
  #poll: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #pollIntended = false;
  #wasDown = false;
  /** What the canary said when it was last seen. */
  #canary: string | undefined;
  #policy: string | undefined;
  #stopped: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  /** Why Redis, although connected, did not take the last ring. */
  #refused: string | undefined;

  constructor(private readonly options: BullQueueOptions) {
    this.#heard = new Promise((resolve) => {
      this.#hear = resolve;
    });
    this.#connections = new RedisConnections(options.redis, {
      up: () => void this.#up(),
      down: (error) => this.#down(error),
      // What was said before it listened was not heard.
      listening: () => void this.#attend(),
      trouble: (error) => this.#trouble(error),
    });
  }

  async start(pools: readonly string[], work: Work | undefined, poll: () => void): Promise<void> {
    if (this.#stopped) return;
    for (const pool of pools) this.#poolOf(pool);
    this.#served = pools;
    this.#work = work;
    // Before anything begins, it should be known which pools are paused.
    const patience = new AbortController();
    await Promise.race([this.#heard, pause(HEAR_WITHIN, undefined, patience).catch(() => undefined)]);
    patience.abort();
    if (this.#connections.up) await this.#attend();
    if (this.#stopped) return;
    this.#poll = poll;
    this.#timer = setInterval(() => void this.#tick(), this.options.pollInterval).unref();
    poll();
  }

  ring(pool: string, passed = 0): void {
    if (this.#closed) return;
    if (!this.#connections.up) return this.#lose(pool);
    void this.#send(pool, passed);
  }

  tellEnd(run: number): void {
    if (this.#ended.push(run) > 1) return;
    setImmediate(() => {
      const runs = this.#ended.splice(0).join();
      if (!this.#connections.up) return;
      void this.#quietly(async () => void (await this.#connections.client.publish(this.#endsChannel, runs)));
    });
  }

  hearEnds(ended: (run: number) => void): void {
    this.#connections.listen([this.#endsChannel], (runs) => runs.split(',').forEach((run) => ended(Number(run))));
  }

  isPaused(pool: string): boolean {
    return this.#pools.get(pool)?.paused ?? false;
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async health(): Promise<QueueHealth> {
    const problems: string[] = [];
    const pools: Record<string, QueueHealth['pools'][string]> = {};
    try {
      if (!this.#connections.up) throw new Error('not connected');
      await this.#readPolicy();
      for (const [pool, queue] of this.#pools) {
        await this.#refresh(queue);
        pools[pool] = { paused: queue.paused, ...(await queue.backlog()) };
      }
      if (this.#refused !== undefined) problems.push(refusal(this.#refused));
    } catch (error) {
      problems.push(`Redis cannot be reached (${(error as Error).message}): work is found by polling.`);
    }
    const degraded = problems.length > 0;
    if (this.#policy !== undefined && this.#policy !== POLICY) problems.push(policyProblem(this.#policy));
    return {
      transport: 'bull',
      status: degraded ? 'degraded' : 'up',
      problems,
      ...(this.#policy !== undefined && { maxmemoryPolicy: this.#policy }),
      pools,
    };
  }

  /** The Bull queue of a pool, to look at, pause and resume. It is closed with this one. */
  bull(pool: string): Bull.Queue {
    return this.#poolOf(pool).bull;
  }

  async #stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(Array.from(this.#pools.values(), (queue) => queue.stop()));
  }

  async #close(): Promise<void> {
    await this.stop();
    await Promise.all(Array.from(this.#pools.values(), (queue) => queue.close()));
    await this.#connections.close();
  }

  get #endsChannel(): string {
    return `${this.options.prefix}:flowstone.${this.options.namespace}:ended`;
  }

  #poolOf(pool: string): PoolQueue {
    const known = this.#pools.get(pool);
    if (known) return known;
    const { prefix, namespace, sender } = this.options;
    const name = `flowstone.${namespace}.${pool}`;
    const trouble = (error: Error): void => this.#trouble(error);
    const queue = new PoolQueue(this.#connections, { pool, name, prefix, sender, trouble });
    this.#pools.set(pool, queue);
    const refresh = (): void => void this.#quietly(() => this.#refresh(queue));
    this.#connections.listen(queue.channels, refresh);
    // What is paused for this process alone, Bull tells it alone.
    for (const event of ['paused', 'resumed']) queue.bull.on(event, () => this.#stopped ?? refresh());
    return queue;
  }

  async #send(pool: string, passed: number): Promise<void> {
    try {
      await this.#poolOf(pool).ring(passed);
      this.#refused = undefined;
    } catch (error) {
      this.#refuse(error as Error);
      this.#lose(pool);
    }
  }

  async #up(): Promise<void> {
    if (this.#wasDown) this.options.logger.log('Redis is back.');
    this.#wasDown = false;
    this.#hear();
    await this.#quietly(async () => {
      await this.#readPolicy();
      if (this.#policy !== POLICY && this.#policy !== undefined) this.options.logger.warn(policyProblem(this.#policy));
    });
    await this.#attend();
  }

  #down(error: Error | undefined): void {
    this.#wasDown = true;
    this.options.logger.warn(
      `Redis cannot be reached (${error?.message ?? 'connection closed'}): work is found by polling until it is back.`,
    );
    this.#hear();
    this.#pollSoon();
  }

  /** Brings up to date what may have changed unheard: memory lost, queues paused, rings not sent. */
  async #attend(): Promise<void> {
    await this.#quietly(async () => {
      await this.#seeCanary();
      for (const queue of this.#pools.values()) await this.#refresh(queue);
      if (this.#work && !this.#stopped) for (const pool of this.#served) this.#poolOf(pool).take(this.#work);
      const unsent = [...this.#unsent];
      this.#unsent.clear();
      for (const pool of unsent) this.ring(pool);
    });
    this.#pollSoon();
  }

  async #tick(): Promise<void> {
    this.#ticks++;
    if (!this.#connections.up) return this.#pollSoon();
    if (this.#ticks % POLL_RARELY === 0) return this.#attend();
    await this.#quietly(async () => {
      if (await this.#seeCanary()) await this.#attend();
    });
  }

  async #refresh(queue: PoolQueue): Promise<void> {
    // Resumed: what waited meanwhile may begin.
    if ((await queue.refresh()) && !queue.paused) this.#pollSoon();
  }

  /** A key that is there as long as Redis remembers; true if it does not. */
  async #seeCanary(): Promise<boolean> {
    const key = `${this.options.prefix}:flowstone.${this.options.namespace}:canary`;
    const { client } = this.#connections;
    await client.set(key, randomUUID(), 'NX');
    const seen = (await client.get(key)) ?? undefined;
    const lost = this.#canary !== undefined && seen !== this.#canary;
    this.#canary = seen;
    if (lost) {
      this.options.logger.warn('Redis lost its memory: work is looked for in the ledger, no queue is paused any more.');
    }
    return lost;
  }

  async #readPolicy(): Promise<void> {
    // CONFIG is often forbidden, INFO is not.
    const info = await this.#connections.client.info('memory');
    this.#policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  }

  #lose(pool: string): void {
    this.#unsent.add(pool);
    this.#pollSoon();
  }

  /** Redis is there and takes no news, e.g. since its memory is full: told once, until it does again. */
  #refuse(error: Error & { readonly previousErrors?: readonly Error[] }): void {
    if (!this.#connections.up) return;
    // Of a transaction that was discarded, ioredis tells apart what was wrong with it.
    const { message } = error.previousErrors?.[0] ?? error;
    if (this.#refused === undefined) this.options.logger.warn(refusal(message));
    this.#refused = message;
  }

  #pollSoon(): void {
    if (this.#pollIntended || this.#stopped) return;
    this.#pollIntended = true;
    setImmediate(() => {
      this.#pollIntended = false;
      if (!this.#stopped) this.#poll?.();
    });
  }

  /** Whatever fails here is tried again at the next tick. */
  async #quietly(act: () => Promise<void>): Promise<void> {
    await act().catch((error: Error) => {
      this.#trouble(error);
      renewIfDeaf(this.#connections.client, error);
    });
  }

  #trouble(error: Error): void {
    // An outage is told once, not by each connection and attempt.
    if (!this.#connections.up) return;
    this.options.logger.debug(`Redis: ${error?.message}`);
  }
}

function refusal(reason: string): string {
  return `Redis takes no news (${reason}): work is found by polling.`;
}

function policyProblem(policy: string): string {
  return `Redis may evict what the queues hold (maxmemory-policy ${policy}): set it to ${POLICY}.`;
}
