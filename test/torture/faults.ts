// What goes wrong while the torture goes on: processes die, stand still or are replaced, the database crashes, the way to
// it is slow, cut, dead to one side, or loses answers, and Redis crashes or forgets.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { PrivateServer } from '../services/server.mjs';
import type { Crew, Worker } from './crew.js';
import type { Random } from './random.js';

/** What happened, by kind. */
export interface FaultCounts {
  kills: number;
  pauses: number;
  restarts: number;
  databaseCrashes: number;
  redisCrashes: number;
  redisFlushes: number;
  cuts: number;
}

type Fault = (worker: Worker) => Promise<void> | void;

export class Faults {
  readonly counts: FaultCounts = {
    kills: 0,
    pauses: 0,
    restarts: 0,
    databaseCrashes: 0,
    redisCrashes: 0,
    redisFlushes: 0,
    cuts: 0,
  };
  /** What was begun and is not over. */
  readonly #open = new Set<Promise<void>>();

  constructor(
    private readonly crew: Crew,
    private readonly database: PrivateServer,
    private readonly redis: PrivateServer,
    private readonly random: Random,
    /** Of the workers, ms. */
    private readonly lease: number,
    private readonly tell: (what: string) => void,
  ) {}

  /** Begins one after the other until `signal` is aborted; resolves when all that was begun is over. */
  async inflict(signal: AbortSignal): Promise<void> {
    const { random } = this;
    const deck = random.deck<[string, Fault]>([
      [['kill', (worker) => this.#kill(worker)], 5],
      [['pause', (worker) => this.#pause(worker)], 4],
      [['restart', (worker) => this.#restart(worker)], 2],
      [['lose answers', ({ proxy }) => proxy.loseAnswers(Math.ceil(random.between(0, 4)))], 6],
      [['cut', ({ proxy }) => this.#cut(() => proxy.cut())], 3],
      [['orphan', ({ proxy }) => this.#cut(() => proxy.orphan(random.between(500, 4000)))], 2],
      [['mute', ({ proxy }) => this.#cut(() => proxy.mute(random.between(500, 4000)))], 2],
      [['refuse', (worker) => this.#cut(() => this.#refuse(worker))], 2],
      [['slow', (worker) => this.#slow(worker)], 3],
      [['database crashes', () => this.#crash('SIGQUIT')], 1],
      [['database restarts', () => this.#crash('SIGINT')], 1],
      [['redis crashes', () => this.#crashRedis()], 2],
      [['redis forgets', () => this.#flush()], 2],
    ]);
    while (!signal.aborted) {
      await pause(random.between(100, 1400), undefined, { signal }).catch(() => undefined);
      const ready = this.crew.ready;
      if (signal.aborted || ready.length === 0) continue;
      const [name, fault] = deck.next().value;
      const worker = random.pick(ready);
      this.tell(`${name}, worker ${worker.slot}`);
      const over = Promise.resolve(fault(worker)).finally(() => this.#open.delete(over));
      this.#open.add(over);
      // The servers are one of a kind: nothing else begins while one is away.
      if (/^(database|redis)/.test(name)) await over;
    }
    this.crew.heal();
    await Promise.all(this.#open);
  }

  async #kill(worker: Worker): Promise<void> {
    this.counts.kills++;
    await worker.kill();
  }

  async #pause(worker: Worker): Promise<void> {
    this.counts.pauses++;
    await worker.stun(this.lease * this.random.between(0.5, 3));
  }

  async #restart(worker: Worker): Promise<void> {
    this.counts.restarts++;
    await worker.restart();
  }

  async #cut(cut: () => Promise<void> | void): Promise<void> {
    this.counts.cuts++;
    await cut();
  }

  async #refuse({ proxy }: Worker): Promise<void> {
    proxy.refuse(true);
    await pause(this.lease * this.random.between(0.2, 2));
    proxy.refuse(false);
  }

  async #slow({ proxy }: Worker): Promise<void> {
    proxy.slow(this.random.between(5, 150));
    await pause(this.random.between(500, 3000));
    proxy.slow(0);
  }

  async #crash(signal: 'SIGQUIT' | 'SIGINT'): Promise<void> {
    this.counts.databaseCrashes++;
    await this.database.down(signal);
    await pause(this.random.between(0, 1000));
    await this.database.up();
  }

  async #crashRedis(): Promise<void> {
    this.counts.redisCrashes++;
    await this.redis.down('SIGKILL');
    await pause(this.random.between(0, 2000));
    await this.redis.up();
  }

  async #flush(): Promise<void> {
    this.counts.redisFlushes++;
    const socket = connect(Number(new URL(this.redis.url).port), '127.0.0.1');
    socket.write('FLUSHALL\r\n');
    await once(socket, 'data');
    socket.destroy();
  }
}
