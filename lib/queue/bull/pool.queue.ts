// The Bull queue of one pool: rings go in as jobs, jobs come out as deliveries. When to do so is decided by bull.queue.ts.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import Bull from 'bull';
import type { Work } from '../queue.port.js';
import { FAREWELL, renewIfDeaf, type Redis, type RedisConnections } from './redis.connections.js';

/** Deliveries at a time: one lasts as long as the work does, the other takes the news. */
const OVERLAP = 2;
/** Rings that wait to be taken: with so many, one more tells nobody anything. */
const PLENTY = 16;

/** Bull's own timing, ms. A delivery that two processes have is harmless, so that nothing here is tight. */
const SETTINGS: Bull.AdvancedSettings = {
  // An event loop that is blocked for less keeps its jobs.
  lockDuration: 60_000,
  stalledInterval: 30_000,
  // A ring is never given up.
  maxStalledCount: Number.MAX_SAFE_INTEGER,
  // For delayed jobs, of which there are none.
  guardInterval: 60_000,
  retryProcessDelay: 1000,
};

export interface PoolQueueOptions {
  readonly pool: string;
  /** Name of the Bull queue. */
  readonly name: string;
  readonly prefix: string;
  /** Who rings, for people who look at a job. */
  readonly sender: string;
  readonly trouble: (error: Error) => void;
}

export class PoolQueue {
  readonly bull: Bull.Queue;
  #paused = false;
  #adding: Promise<void> | undefined;
  /** Of a ring that is to be added: how often it was passed on. */
  #due: number | undefined;
  #crowded = false;
  #taking = false;
  #stopped = false;
  #waiting: Redis | undefined;
  readonly #deliveries = new Set<Promise<void>>();

  constructor(
    connections: RedisConnections,
    private readonly options: PoolQueueOptions,
  ) {
    const { name, prefix, trouble } = options;
    this.bull = new Bull(name, {
      prefix,
      settings: SETTINGS,
      defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
      createClient: (kind) => {
        const connection = connections.create(kind, this.bull.clientName());
        if (kind === 'bclient') this.#waiting = connection;
        return connection;
      },
      // Asking for the version of a server that is away would only fail.
      ...{ skipVersionCheck: true },
    });
    // The connection names itself; Bull would do it with a promise nobody hears when it fails.
    this.bull.setWorkerName = async () => undefined;
    this.bull.on('error', (error: Error) => {
      trouble(error);
      if (this.#waiting && !this.#stopped) renewIfDeaf(this.#waiting, error);
    });
    this.bull.on('lock-extension-failed', (_job, error: Error) => trouble(error));
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Channels that say the queue was paused or resumed. */
  get channels(): readonly string[] {
    return ['paused', 'resumed'].map((event) => this.bull.toKey(event));
  }

  /** Adds a ring, at most one at a time; rejects if Redis did not take it. @param passed see Delivery */
  ring(passed: number): Promise<void> {
    this.#due = Math.min(passed, this.#due ?? passed);
    return (this.#adding ??= this.#add().finally(() => {
      this.#adding = undefined;
    }));
  }

  /** Takes jobs from now on; `work` never rejects. Once, with Redis there. */
  take(work: Work): void {
    if (this.#taking) return;
    this.#taking = true;
    // Whatever its name: a job that a person added by hand rings as well.
    this.bull.process('*', OVERLAP, ({ data }) => this.#deliver(work, data)).catch(this.options.trouble);
  }

  /** Asks whether the queue is paused, everywhere or here; true if that changed. */
  async refresh(): Promise<boolean> {
    const here = !this.#stopped && (await this.bull.isPaused(true));
    const paused = (await this.bull.isPaused()) || here;
    if (paused === this.#paused) return false;
    this.#paused = paused;
    return true;
  }

  /** Takes no more jobs; resolves when the deliveries under way have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const { bull, options } = this;
    const waiting = this.#waiting;
    // Bull connects anew after it has broken off its wait for a job.
    if (waiting) waiting.connect = async () => undefined;
    // Also before Bull waits for jobs: it may be about to.
    const paused = bull.pause(true, true);
    // Bull's own way waits for half a second.
    if (waiting) setImmediate(() => waiting.disconnect());
    await paused.catch(options.trouble);
    await Promise.all(this.#deliveries);
  }

  /** After stop(): what is under way is sent, nothing of Bull goes on. */
  async close(): Promise<void> {
    const { bull, options } = this;
    await Promise.race([this.#adding?.catch(() => undefined), pause(FAREWELL, undefined, { ref: false })]);
    // A turn of the event loop, in which Bull sends what became of the last jobs.
    await new Promise(setImmediate);
    await bull.close(true).catch(options.trouble);
    // Bull sets it anew when it was just looking for delayed jobs.
    clearTimeout((bull as Bull.Queue & { delayTimer?: NodeJS.Timeout }).delayTimer);
  }

  /** Rings that wait, and how long the oldest has waited, ms. */
  async backlog(): Promise<{ waiting: number; oldest: number }> {
    const [waiting, [oldest]] = await Promise.all([
      this.bull.getWaitingCount(),
      this.bull.getJobs(['waiting', 'paused'], 0, 0, true),
    ]);
    return { waiting, oldest: oldest ? Math.max(0, Date.now() - oldest.timestamp) : 0 };
  }

  async #add(): Promise<void> {
    while (this.#due !== undefined) {
      const passed = this.#due;
      this.#due = undefined;
      if (this.#crowded) this.#crowded = (await this.bull.getWaitingCount()) >= PLENTY;
      if (this.#crowded) continue;
      // Fresh and prefixed: Bull ignores an id that it has, and one of its own words would break the queue.
      const added = this.bull.add('ring', { from: this.options.sender, passed }, { jobId: `ring-${randomUUID()}` });
      const [waiting] = await Promise.all([this.bull.getWaitingCount(), added]);
      this.#crowded = waiting >= PLENTY;
    }
  }

  #deliver(work: Work, { passed }: { passed?: unknown }): Promise<void> {
    // What a person added by hand, or an older version, says nothing of it.
    const times = Number.isInteger(passed) ? (passed as number) : 0;
    const delivery = work({ pool: this.options.pool, passed: times }).finally(() => this.#deliveries.delete(delivery));
    this.#deliveries.add(delivery);
    return delivery;
  }
}
