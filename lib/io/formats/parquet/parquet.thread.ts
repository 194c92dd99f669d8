// The owner's side of the thread that encodes and decodes Parquet, so that the event loop stays free. A process has one,
// started when a file needs it and ended when none has for a while.
import { Worker } from 'node:worker_threads';
import { FlowStoneError } from '../../../flowstone.errors.js';
import { requirePackages } from '../../../optional-packages.js';
import type { Cells } from './parquet.cells.js';
import type { Answers, FromThread, Order, ToThread } from './parquet.messages.js';

/** What the thread needs, all of it optional for who uses no Parquet. */
export const PARQUET_PACKAGES = ['hyparquet', 'hyparquet-writer'];

const IDLE_MS = 10_000;

interface Awaited {
  readonly resolve: (answer: Answers[keyof Answers]) => void;
  readonly reject: (error: Error) => void;
}

let running: ParquetThread | undefined;

/** A file that the thread works on. `drop` it in the end. Throws `FLOWSTONE_PACKAGE_MISSING`. */
export function threadFile(): ThreadFile {
  running ??= new ParquetThread();
  return new ThreadFile(running);
}

/** Ends the thread, unless a file is being written or read. */
export async function endIdleThread(): Promise<void> {
  await running?.endIfIdle();
}

export class ThreadFile {
  readonly #id: number;

  constructor(private readonly thread: ParquetThread) {
    this.#id = thread.begin();
  }

  /** Does what is asked after all before. Rejects with `FLOWSTONE_IO_FAILED` when the thread ends. */
  ask<K extends Order['kind']>(order: Order & { kind: K }, transfer?: ArrayBuffer[]): Promise<Answers[K]> {
    return this.thread.ask(this.#id, order, transfer) as Promise<Answers[K]>;
  }

  /** @param cells of so many rows, by column */
  rows(count: number, cells: readonly Cells[]): void {
    this.thread.tell({ file: this.#id, rows: { count, cells } });
  }

  drop(): void {
    this.thread.end(this.#id);
  }
}

class ParquetThread {
  readonly #worker: Worker;
  readonly #awaited = new Map<number, Awaited>();
  readonly #files = new Set<number>();
  readonly #idle: NodeJS.Timeout;
  #last = 0;
  #failure: FlowStoneError | undefined;

  constructor() {
    requirePackages('Parquet', PARQUET_PACKAGES);
    this.#worker = new Worker(new URL('./parquet.worker.js', import.meta.url), {
      name: 'flowstone-parquet',
      // The host's loaders and instrumentation are no business of this thread.
      execArgv: [],
    });
    this.#worker.unref();
    this.#worker.on('message', (message: FromThread) => this.#receive(message));
    this.#worker.on('error', (error) => this.#fail(error.message, error));
    this.#worker.on('exit', () => this.#fail('it ended'));
    this.#idle = setTimeout(() => void this.endIfIdle(), IDLE_MS).unref();
  }

  begin(): number {
    const file = ++this.#last;
    this.#files.add(file);
    return file;
  }

  ask(file: number, order: Order, transfer: ArrayBuffer[] = []): Promise<Answers[keyof Answers]> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const id = ++this.#last;
      this.#awaited.set(id, { resolve, reject });
      // Kept alive only by what somebody waits for.
      this.#worker.ref();
      this.tell({ file, id, order }, transfer);
    });
  }

  tell(message: ToThread, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  end(file: number): void {
    this.#files.delete(file);
    this.tell({ file, drop: true });
    this.#idle.refresh();
  }

  async endIfIdle(): Promise<void> {
    if (this.#files.size > 0) return;
    this.#retire();
    await this.#worker.terminate();
  }

  /** The next file needs another. */
  #retire(): void {
    clearTimeout(this.#idle);
    if (running === this) running = undefined;
  }

  #receive(message: FromThread): void {
    const awaited = this.#awaited.get(message.id);
    this.#awaited.delete(message.id);
    if (this.#awaited.size === 0) this.#worker.unref();
    if ('failure' in message) awaited?.reject(failed(`failed: ${message.failure.message}`, message.failure));
    else awaited?.resolve(message.answer);
  }

  #fail(reason: string, cause?: unknown): void {
    if (this.#failure) return;
    this.#retire();
    this.#failure = failed(`has stopped: ${reason}`, cause);
    for (const { reject } of this.#awaited.values()) reject(this.#failure);
    this.#awaited.clear();
  }
}

function failed(what: string, cause: unknown): FlowStoneError {
  return new FlowStoneError('FLOWSTONE_IO_FAILED', `the thread that encodes and decodes Parquet ${what}`, { cause });
}
