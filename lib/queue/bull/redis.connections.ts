// The connections of one process to Redis: one for commands and one for events that all queues share, and one that
// waits for each queue. What travels over them stands in the files beside.
import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import type Bull from 'bull';

/** A connection. Named by way of Bull, whose dependency ioredis is: an application need not install it. */
export type Redis = Bull.Queue['client'];
type RedisClass = new (...address: [string, RedisOptions] | [RedisOptions]) => Redis;
type RedisOptions = NonNullable<Exclude<Bull.QueueOptions['redis'], string>>;
type ConnectionKind = Parameters<NonNullable<Bull.QueueOptions['createClient']>>[0];

/** Where Redis is: a redis:// or rediss:// url, or options of ioredis. */
export type RedisAddress = string | Readonly<Record<string, unknown>>;

/** Longest pause between attempts to connect, ms. */
const LONGEST_PAUSE = 2000;
/** A command that has no answer by then has none, ms: a half-open connection must not hold anything up. */
const ANSWER_WITHIN = 5000;
/** The same for a connection that waits for jobs, ms. Bull asks for an answer after 5 s at most. */
const JOB_OR_NOTHING_WITHIN = 15_000;
/** How long a process that closes waits for what it has sent, ms. */
export const FAREWELL = 1000;

/** What happens to the connection for commands. */
export interface ConnectionNews {
  up(): void;
  /** Told once per outage, and at the first attempt that fails. */
  down(error: Error | undefined): void;
  /** The connection for events is there, and `up`; again after each outage. */
  listening(): void;
  /** A connection failed in a way that nobody waits for. */
  trouble(error: Error): void;
}

export class RedisConnections {
  readonly client: Redis;
  readonly #subscriber: Redis;
  readonly #waiting: Redis[] = [];
  #down = false;
  #closed = false;

  constructor(
    private readonly address: RedisAddress,
    private readonly news: ConnectionNews,
  ) {
    // Fails at once while Redis is away, rather than keep commands for later: rings are made good by polls.
    const commands = { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: ANSWER_WITHIN };
    this.client = this.#connect(commands);
    this.#subscriber = this.#connect({ enableReadyCheck: false, maxRetriesPerRequest: null });
    this.#subscriber.on('ready', () => {
      if (this.up) this.news.listening();
    });
    let last: Error | undefined;
    this.client.on('error', (error: Error) => {
      last = error;
      this.#lost(error);
    });
    this.client.on('close', () => this.#lost(last));
    this.client.on('ready', () => {
      last = undefined;
      this.#down = false;
      this.news.up();
    });
  }

  get up(): boolean {
    return this.client.status === 'ready';
  }

  /** What Bull calls `createClient`. `name`: how a connection that waits for jobs calls itself (CLIENT LIST). */
  create(kind: ConnectionKind, name: string): Redis {
    if (kind === 'client') return this.client;
    if (kind === 'subscriber') return this.#subscriber;
    const waiting = this.#connect({
      enableReadyCheck: false,
      maxRetriesPerRequest: null,
      commandTimeout: JOB_OR_NOTHING_WITHIN,
      connectionName: name,
      // Bull may ask for it when it is closed already.
      lazyConnect: this.#closed,
    });
    this.#waiting.push(waiting);
    return waiting;
  }

  /** Hears the messages of `channels`, also after reconnecting. */
  listen(channels: readonly string[], heard: (message: string) => void): void {
    this.#subscriber.on('message', (channel: string, message: string) => {
      if (channels.includes(channel)) heard(message);
    });
    this.#subscriber.subscribe(...channels).catch((error: Error) => {
      if (!this.#closed) this.news.trouble(error);
    });
  }

  /** Sends what is under way, then ends every connection. Does not wait for a server that is away. */
  async close(): Promise<void> {
    this.#closed = true;
    const connections = [this.client, this.#subscriber, ...this.#waiting];
    const farewell = pause(FAREWELL, undefined, { ref: false });
    if (this.up) await Promise.race([this.client.quit().catch(() => undefined), farewell]);
    await Promise.all(connections.map(end));
  }

  #lost(error: Error | undefined): void {
    if (this.#down || this.#closed) return;
    this.#down = true;
    this.news.down(error);
  }

  #connect(forced: RedisOptions): Redis {
    const Connection = redisClass();
    const options: RedisOptions = {
      retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), LONGEST_PAUSE),
      // A replica that was the master until a moment ago: connecting anew finds the new one.
      reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 2 : false),
      // Until a socket that was ended is destroyed; it keeps the process that long.
      ...{ disconnectTimeout: 100 },
      ...(typeof this.address === 'string' ? {} : this.address),
      ...forced,
    };
    const redis = typeof this.address === 'string' ? new Connection(this.address, options) : new Connection(options);
    // Each queue listens on the connections it shares.
    redis.setMaxListeners(0);
    redis.on('error', (error: Error) => {
      if (!this.#closed) this.news.trouble(error);
    });
    redis.on('ready', () => correctIfDead(redis));
    return redis;
  }
}

/** The ioredis that Bull itself uses. */
function redisClass(): RedisClass {
  const bull = createRequire(import.meta.url).resolve('bull');
  return createRequire(bull)('ioredis') as RedisClass;
}

/** Half open: connected for this side, not for the other. A new connection finds out. */
export function renewIfDeaf(redis: Redis, error: Error): void {
  if (error.message === 'Command timed out' && redis.status === 'ready') redis.disconnect(true);
}

/**
 * ioredis 5 says `ready` of a connection without a ready check that was closed while it introduced itself, and says so
 * for ever: it would never end and never connect anew.
 */
function correctIfDead(redis: Redis): void {
  const dead = redis as unknown as {
    readonly stream: { readonly destroyed: boolean };
    readonly reconnectTimeout: unknown;
    setStatus(status: 'reconnecting' | 'end'): void;
  };
  if (dead.stream.destroyed) dead.setStatus(dead.reconnectTimeout === null ? 'end' : 'reconnecting');
}

/** Also one that is between two attempts to connect: it says nothing of its end, and keeps the commands it was given. */
async function end(redis: Redis): Promise<void> {
  if (redis.status === 'end') return;
  const ended = new Promise<void>((resolve) => redis.once('end', resolve));
  const connected = redis.status !== 'reconnecting';
  redis.disconnect();
  if (connected) await ended;
  else (redis as unknown as { flushQueue(error: Error): void }).flushQueue(new Error('Connection is closed.'));
}
