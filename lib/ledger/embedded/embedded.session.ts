// The socket of a pg client whose server is the embedded database: wire bytes in, wire bytes out.
// It frames what the client writes, holds COPY back (embedded.copy.ts) and leaves a clean session behind.
import { Duplex } from 'node:stream';
import { HeldCopy, isCopyFromStdin, joined } from './embedded.copy.js';
import type { EmbeddedEngine } from './embedded.engine.js';
import { frontendMessage, readMessages } from './wire.js';

const PROTOCOL_3 = 196608;
const code = (letter: string): number => letter.charCodeAt(0);
const [QUERY, PARSE, TERMINATE] = [code('Q'), code('P'), code('X')];
const [COPY_DATA, COPY_DONE, COPY_FAIL] = [code('d'), code('c'), code('f')];
/** Sync, Flush, FunctionCall, password: what was written up to here can be executed. Query ends its own batch. */
const ENDS_A_BATCH = new Set([code('S'), code('H'), code('F'), code('p')]);
const READY_FOR_QUERY = code('Z');
const IN_TRANSACTION = code('T');

const ONE_COPY = 'COPY FROM STDIN has to be a simple statement of its own: use pg-copy-streams';
/** Ends a COPY that reached PGlite nevertheless, where it would wait for ever; outside COPY it is ignored. */
const COPY_GUARD = frontendMessage('f', `${ONE_COPY}\0`);
const REFUSED_COPY = `DO $$ BEGIN RAISE feature_not_supported USING MESSAGE = '${ONE_COPY}'; END $$`;

/** Undoes whatever a client left behind: an unfinished batch, a transaction, statements, listeners, settings. */
const RESET = [frontendMessage('S'), frontendMessage('Q', 'ROLLBACK\0'), frontendMessage('Q', 'DISCARD ALL\0')];

/** For the `stream` option of pg's Client. Waits in `connect` until it has the engine's only session. */
export class EmbeddedSession extends Duplex {
  readonly #provide: () => Promise<EmbeddedEngine>;
  #engine: EmbeddedEngine | undefined;
  #release: (() => void) | undefined;
  #pending: Buffer[] = [];
  #pendingSize = 0;
  /** Bytes that have to be there before framing is worth trying again. */
  #needed = 8;
  #started = false;
  #batch: Buffer[] = [];
  #copy: HeldCopy | undefined;
  #executed: Promise<void> = Promise.resolve();
  #inTransaction = false;

  constructor(provide: () => Promise<EmbeddedEngine>) {
    super({ allowHalfOpen: false });
    this.#provide = provide;
  }

  /** As a net.Socket; host and port mean nothing here. */
  connect(): this {
    this.#take().then(
      () => this.emit('connect'),
      (error: Error) => this.destroy(error),
    );
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#accept([chunk]).then(() => done(), done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#accept(chunks.map(({ chunk }) => chunk)).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    void this.#leave();
    done(error);
  }

  async #take(): Promise<void> {
    const engine = await this.#provide();
    const release = await engine.acquire();
    if (this.destroyed) {
      release();
      return;
    }
    this.#engine = engine;
    this.#release = release;
    void engine.stopped.then((reason) => this.destroy(reason));
  }

  async #leave(): Promise<void> {
    if (this.#release === undefined || this.#engine === undefined) return;
    const nothing = (): void => {};
    await this.#engine.execute(joined(RESET), nothing).catch(nothing);
    this.#release();
  }

  async #accept(chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) {
      this.#pending.push(chunk);
      this.#pendingSize += chunk.length;
    }
    if (this.#pendingSize < this.#needed) return;
    let bytes = this.#pending.length === 1 ? (this.#pending[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#pending);
    this.#keep(Buffer.alloc(0));
    if (!this.#started) bytes = this.#startup(bytes);
    let at = 0;
    for (const message of readMessages(bytes)) {
      at += message.length;
      const waiting = this.#copy === undefined ? this.#receive(message) : this.#receiveCopy(this.#copy, message);
      if (waiting !== undefined) await waiting;
    }
    this.#keep(bytes.subarray(at));
  }

  #keep(rest: Buffer): void {
    this.#pending = rest.length > 0 ? [rest] : [];
    this.#pendingSize = rest.length;
    this.#needed = rest.length >= 5 ? 1 + rest.readUInt32BE(1) : this.#started ? 5 : 8;
  }

  /** The startup packet has no type byte; returns what follows it. */
  #startup(bytes: Buffer): Buffer {
    const length = bytes.readUInt32BE(0);
    if (bytes.readUInt32BE(4) !== PROTOCOL_3) throw new Error('The embedded database speaks plain protocol 3.0 only');
    this.#started = true;
    this.#run([bytes.subarray(0, length)]);
    return bytes.subarray(length);
  }

  /** Waits (returns a promise) only before a COPY. */
  #receive(message: Buffer): Promise<void> | undefined {
    const type = message[0] ?? 0;
    if (type === QUERY) return this.#receiveQuery(message);
    if (type === TERMINATE) {
      // Never forwarded: it would end PGlite. Answers still on their way come first.
      void this.#executed.finally(() => this.push(null));
      return undefined;
    }
    // Data behind a refused COPY: PostgreSQL ignores it as well.
    if (type === COPY_DATA || type === COPY_DONE || type === COPY_FAIL) return undefined;
    this.#batch.push(type === PARSE ? withoutCopy(message) : message);
    if (ENDS_A_BATCH.has(type)) this.#runBatch();
    return undefined;
  }

  #receiveQuery(message: Buffer): Promise<void> | undefined {
    const sql = message.toString('latin1', 5, message.length - 1);
    if (isCopyFromStdin(sql)) return this.#beginCopy(message, sql);
    this.#batch.push(message);
    if (/\bcopy\b[^]*\bstdin\b/i.test(sql)) this.#batch.push(COPY_GUARD);
    this.#runBatch();
    return undefined;
  }

  async #beginCopy(message: Buffer, sql: string): Promise<void> {
    this.#runBatch();
    await this.#executed;
    const engine = this.#engine;
    if (engine === undefined) return;
    this.#copy = new HeldCopy(engine, Buffer.from(message), sql, this.#inTransaction);
    this.push(HeldCopy.copyInResponse);
  }

  async #receiveCopy(copy: HeldCopy, message: Buffer): Promise<void> {
    const type = message[0];
    if (type === COPY_DATA) return copy.add(message.subarray(5));
    if (type === TERMINATE) {
      this.push(null);
      return;
    }
    if (type !== COPY_DONE && type !== COPY_FAIL) return;
    const answer = await copy.end(message);
    this.#copy = undefined;
    this.#answer(answer);
  }

  #runBatch(): void {
    const batch = this.#batch;
    this.#batch = [];
    if (batch.length > 0) this.#run(batch);
  }

  #run(messages: readonly Buffer[]): void {
    if (this.#engine === undefined) return;
    this.#executed = this.#engine.execute(joined(messages), (bytes) => this.#answer(Buffer.from(bytes.buffer)));
    this.#executed.catch((error: Error) => this.destroy(error));
  }

  #answer(bytes: Buffer): void {
    const ready = bytes.length - 6;
    if (ready >= 0 && bytes[ready] === READY_FOR_QUERY) this.#inTransaction = bytes[ready + 5] === IN_TRANSACTION;
    if (!this.destroyed && bytes.length > 0) this.push(bytes);
  }
}

/** A Parse of COPY FROM STDIN becomes one of a statement that says why not; others are returned as they are. */
function withoutCopy(parse: Buffer): Buffer {
  const nameEnd = parse.indexOf(0, 5);
  const sql = parse.toString('latin1', nameEnd + 1, parse.indexOf(0, nameEnd + 1));
  if (!isCopyFromStdin(sql)) return parse;
  return frontendMessage('P', `${parse.toString('utf8', 5, nameEnd)}\0${REFUSED_COPY}\0\0\0`);
}
