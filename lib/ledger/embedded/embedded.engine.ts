// The owner's side of the thread that runs PGlite: start it, have wire bytes executed in order, stop it.
// Framing of the wire protocol is in embedded.session.ts; directories and locks are embedded.database.ts's business.
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { FlowStoneError } from '../../flowstone.errors.js';

/** What the thread is started with. */
export interface EngineSettings {
  /** The data directory of PostgreSQL; undefined: in memory. */
  readonly directory?: string;
  /** A dump to start from, for a database in memory. */
  readonly loadSnapshot?: string;
  /** Touched every few seconds as a sign of life. */
  readonly lockFile?: string;
}

/** Bytes to execute (whole messages only), or an order. */
export type ToWorker = Uint8Array | { readonly kind: 'dump' } | { readonly kind: 'close' };

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string; readonly stderr: readonly string[] }
  | { readonly kind: 'output'; readonly bytes: Uint8Array; readonly last: boolean }
  | { readonly kind: 'dumped'; readonly bytes: Uint8Array }
  | { readonly kind: 'closed' };

/** PGlite did not come up, or broke: with what PostgreSQL wrote to its log before. */
export class EngineError extends Error {
  constructor(
    message: string,
    readonly stderr: readonly string[],
  ) {
    super(message);
  }
}

type Output = (bytes: Uint8Array) => void;

interface Awaited {
  readonly output: Output;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A running PGlite. One session at a time: `acquire` before executing. */
export class EmbeddedEngine {
  readonly #worker: Worker;
  readonly #awaited: Awaited[] = [];
  #session: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  /** Settles when it no longer runs, with the reason. */
  readonly stopped: Promise<Error>;
  #stop: (reason: Error) => void = () => {};

  private constructor(worker: Worker) {
    this.#worker = worker;
    this.stopped = new Promise((resolve) => {
      this.#stop = resolve;
    });
  }

  /**
   * @throws EngineError if PGlite refuses the directory
   * @throws FlowStoneError FLOWSTONE_PACKAGE_MISSING without @electric-sql/pglite
   */
  static async start(settings: EngineSettings): Promise<EmbeddedEngine> {
    requirePGlite();
    const worker = new Worker(new URL('./embedded.worker.js', import.meta.url), {
      workerData: settings,
      name: 'flowstone-embedded-database',
      // The host's loaders and instrumentation are no business of this thread.
      execArgv: [],
    });
    const engine = new EmbeddedEngine(worker);
    await new Promise<void>((resolve, reject) => {
      worker.once('message', (message: FromWorker) => {
        if (message.kind === 'failed') reject(new EngineError(message.message, message.stderr));
        else resolve();
      });
      worker.once('error', (error) => reject(new EngineError(error.message, [])));
      worker.once('exit', () => reject(new EngineError('its thread ended while starting', [])));
    }).catch(async (error: unknown) => {
      await worker.terminate();
      throw error;
    });
    engine.#listen();
    return engine;
  }

  /** Why it no longer runs; undefined while it does. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Waits for the one session to be free, and takes it. The result gives it back. */
  acquire(): Promise<() => void> {
    const before = this.#session;
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#session = before.then(() => released);
    return before.then(() => release);
  }

  /**
   * Executes whole wire messages after all that was handed over before. `output` gets the answer's bytes as they
   * come; the promise resolves behind the last of them. The buffer of `bytes` is taken over.
   */
  execute(bytes: Uint8Array<ArrayBuffer>, output: Output): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#awaited.push({ output, resolve, reject });
      this.#worker.postMessage(bytes, [bytes.buffer]);
    });
  }

  /** The data directory as a tar archive, vacuumed and frozen. */
  async dump(): Promise<Uint8Array> {
    let dumped = new Uint8Array();
    await this.#order({ kind: 'dump' }, (bytes) => {
      dumped = new Uint8Array(bytes);
    });
    return dumped;
  }

  /** Ends the session, writes a checkpoint, closes PGlite and its thread. */
  async close(): Promise<void> {
    if (this.#failure !== undefined) return;
    await this.#order({ kind: 'close' }, () => {});
    this.#fail(new FlowStoneError('FLOWSTONE_EMBEDDED_STOPPED', 'The embedded database was closed. Open it again.'));
    await this.#worker.terminate();
  }

  #order(order: ToWorker, output: Output): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#awaited.push({ output, resolve, reject });
      this.#worker.postMessage(order, []);
    });
  }

  #listen(): void {
    this.#worker.removeAllListeners('exit').removeAllListeners('error');
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('error', (error) => this.#fail(stopped(error.message, error)));
    this.#worker.on('exit', () => this.#fail(stopped('its thread ended')));
  }

  #receive(message: FromWorker): void {
    if (message.kind === 'failed') {
      this.#fail(stopped(message.message, new EngineError(message.message, message.stderr)));
      return;
    }
    const first = this.#awaited[0];
    if (first === undefined) return;
    if ('bytes' in message) first.output(message.bytes);
    if (message.kind === 'output' && !message.last) return;
    this.#awaited.shift();
    first.resolve();
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#stop(error);
    for (const { reject } of this.#awaited.splice(0)) reject(error);
  }
}

function stopped(reason: string, cause?: unknown): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_EMBEDDED_STOPPED',
    `The embedded database has stopped: ${reason}. In a directory, what was committed is kept, and the next statement ` +
      'opens it again; in memory it is lost. Find out what the statement before this asked for.',
    { cause },
  );
}

function requirePGlite(): void {
  try {
    createRequire(import.meta.url).resolve('@electric-sql/pglite');
  } catch (cause) {
    throw new FlowStoneError(
      'FLOWSTONE_PACKAGE_MISSING',
      'The embedded database needs the package @electric-sql/pglite: run `npm install @electric-sql/pglite`, ' +
        'or configure a PostgreSQL server.',
      { context: { package: '@electric-sql/pglite' }, cause },
    );
  }
}
