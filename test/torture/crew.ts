// The worker processes: started, asked, killed, paused, told to close, and always replaced. Who ends by itself is
// reported.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, Command, WorkerSettings } from './command.js';
import { FaultyProxy } from './faulty-proxy.js';

/** How long a worker may take to close when told to, ms. */
const CLOSING = 30_000;
/** How long a new worker may take to be ready, ms; then it is replaced. */
const STARTING = 30_000;

export type Reply = Exclude<Answer, { kind: 'ready' }> | { readonly kind: 'lost' };

export interface CrewOptions {
  readonly size: number;
  /** The program of a worker. */
  readonly program: string;
  /** The port of PostgreSQL. */
  readonly port: number;
  /** Where logs go. */
  readonly directory: string;
  /** Told to the n-th process of a slot. */
  settings(slot: number, port: number, generation: number): WorkerSettings;
  /** A worker did what it never should: end by itself, or not close when told to. */
  misbehaved(what: string): void;
}

type State = 'starting' | 'ready' | 'paused' | 'closing' | 'gone';

export class Crew {
  readonly workers: Worker[] = [];

  static async gather(options: CrewOptions): Promise<Crew> {
    const crew = new Crew();
    for (let slot = 0; slot < options.size; slot++) {
      crew.workers.push(new Worker(slot, options, await FaultyProxy.before(options.port)));
    }
    for (const worker of crew.workers) worker.start();
    await Promise.all(crew.workers.map((worker) => worker.becomesReady()));
    return crew;
  }

  get ready(): readonly Worker[] {
    return this.workers.filter(({ state }) => state === 'ready');
  }

  get lostAnswers(): number {
    return this.workers.reduce((sum, { proxy }) => sum + proxy.lostAnswers, 0);
  }

  /** All faults end: connections are sound, and nobody is paused. */
  heal(): void {
    for (const worker of this.workers) {
      worker.proxy.heal();
      worker.resume();
    }
  }

  /** Everybody closes, in good order. */
  async dismiss(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close()));
    for (const { proxy } of this.workers) proxy.close();
  }

  /** Ends all processes at once, whatever state they are in. */
  killAll(): void {
    for (const worker of this.workers) worker.end();
  }
}

export class Worker {
  state: State = 'gone';
  #child: ChildProcess | undefined;
  #generation = 0;
  #orders = 0;
  readonly #replies = new Map<number, (reply: Reply) => void>();
  readonly #awaited: (() => void)[] = [];

  constructor(
    readonly slot: number,
    private readonly options: CrewOptions,
    readonly proxy: FaultyProxy,
  ) {}

  /** Orders that were given and not answered. */
  get open(): number {
    return this.#replies.size;
  }

  start(): void {
    const { program, directory, settings } = this.options;
    const told = settings(this.slot, this.proxy.port, this.#generation++);
    const child = fork(program, [JSON.stringify(told)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: ['--enable-source-maps'],
      env: { ...process.env, NODE_ENV: 'production', NODE_OPTIONS: '' },
    });
    const log = createWriteStream(join(directory, `worker-${this.slot}.log`), { flags: 'a' });
    child.stdout!.pipe(log, { end: false });
    child.stderr!.pipe(log);
    this.#child = child;
    this.state = 'starting';
    const overdue = setTimeout(() => child.kill('SIGKILL'), STARTING);
    child.on('message', (answer: Answer) => {
      if (answer.kind !== 'ready') return this.#hear(answer);
      clearTimeout(overdue);
      if (this.state === 'starting') this.state = 'ready';
      for (const resolve of this.#awaited.splice(0)) resolve();
    });
    child.on('error', () => undefined);
    child.on('exit', (code, signal) => {
      clearTimeout(overdue);
      this.#ended(code, signal);
    });
  }

  becomesReady(): Promise<void> {
    if (this.state === 'ready' || this.state === 'paused') return Promise.resolve();
    return new Promise((resolve) => void this.#awaited.push(resolve));
  }

  /** Its answer, or that it did not live to give one. */
  ask(command: Command): Promise<Reply> {
    const number = this.#orders++;
    return new Promise((resolve) => {
      this.#replies.set(number, resolve);
      this.#child!.send({ number, command }, (error) => {
        if (error) this.#hear({ kind: 'refused', number, expected: true, error: 'the channel is closed' });
      });
    });
  }

  /** Is killed, and replaced. */
  async kill(): Promise<void> {
    await this.#finish('SIGKILL');
    this.start();
  }

  /** Closes in good order, and is replaced. */
  async restart(): Promise<void> {
    await this.close();
    this.start();
  }

  async close(): Promise<void> {
    // Also one that could not start while the database was away, and is about to try again.
    await this.becomesReady();
    const overdue = setTimeout(() => {
      this.options.misbehaved(`worker ${this.slot} did not close within ${CLOSING} ms`);
      this.#child?.kill('SIGKILL');
    }, CLOSING);
    const end = await this.#finish('SIGTERM');
    clearTimeout(overdue);
    if (end !== 'SIGTERM' && end !== 0) this.options.misbehaved(`worker ${this.slot} closed with ${end}`);
  }

  /** Stands still for so long: longer than its lease, and others take what it had. */
  async stun(duration: number): Promise<void> {
    const child = this.#child;
    if (this.state !== 'ready' || !child) return;
    this.state = 'paused';
    child.kill('SIGSTOP');
    await pause(duration);
    if (child === this.#child) this.resume();
  }

  resume(): void {
    if (this.state !== 'paused') return;
    this.#child?.kill('SIGCONT');
    this.state = 'ready';
  }

  /** For the end of the torture: nothing is replaced any more. */
  end(): void {
    this.state = 'closing';
    this.#child?.kill('SIGKILL');
  }

  async #finish(signal: 'SIGKILL' | 'SIGTERM'): Promise<string | number> {
    const child = this.#child!;
    this.state = 'closing';
    const exit = once(child, 'exit') as Promise<[number | null, string | null]>;
    child.kill(signal);
    const [code, by] = await exit;
    return by ?? code!;
  }

  #hear(answer: Exclude<Answer, { kind: 'ready' }>): void {
    this.#replies.get(answer.number)?.(answer);
    this.#replies.delete(answer.number);
  }

  #ended(code: number | null, signal: string | null): void {
    for (const reply of this.#replies.values()) reply({ kind: 'lost' });
    this.#replies.clear();
    const before = this.state;
    this.state = 'gone';
    if (before === 'closing') return;
    // A start may fail while the database is away.
    if (before !== 'starting') {
      this.options.misbehaved(`worker ${this.slot} ended by itself with ${signal ?? code}; see its log`);
    }
    setTimeout(() => this.start(), 500);
  }
}
