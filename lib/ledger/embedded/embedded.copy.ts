// COPY ... FROM STDIN for PGlite, whose call never returns when it has to wait for data: the statement is answered
// here, its data held back, and both are handed over together, in parts where that is possible.
import type { EmbeddedEngine } from './embedded.engine.js';
import { frontendMessage, readMessages } from './wire.js';

/**
 * A larger value goes in several COPY statements of this size: the thread works on one while the next is made, and no
 * more is held. A statement costs what some ten rows do.
 */
const PART_BYTES = 128 * 1024;
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;

const COPY_FROM_STDIN = /^(?:\s|--[^\n]*\n|\/\*[^]*?\*\/)*copy\s+[^(\s][^]*?\bfrom\s+stdin\b/i;

/** Whether a statement is a COPY that will read from the client. */
export function isCopyFromStdin(sql: string): boolean {
  return COPY_FROM_STDIN.test(sql);
}

/** A COPY FROM STDIN between its Query and its CopyDone. */
export class HeldCopy {
  readonly #engine: EmbeddedEngine;
  readonly #query: Buffer;
  readonly #divisible: boolean;
  #data: Buffer[] = [];
  #size = 0;
  #rows = 0;
  #refusal: Buffer | undefined;
  /** The part that the thread works on. */
  #executed: Promise<void> = Promise.resolve();

  /** @param inTransaction only there may a value go in several statements and still be written as a whole */
  constructor(engine: EmbeddedEngine, query: Buffer, sql: string, inTransaction: boolean) {
    this.#engine = engine;
    this.#query = query;
    // Rows of the text format end in a newline that no backslash escapes; CSV and binary cannot be cut blindly. A header
    // is in the first part only.
    this.#divisible = inTransaction && !/\b(?:csv|binary|header)\b/i.test(sql) && !/;\s*\S/.test(sql);
  }

  /** What PostgreSQL would answer to the statement: it is ready for data (text format, columns unsaid). */
  static readonly copyInResponse = Buffer.from([0x47, 0, 0, 0, 7, 0, 0, 0]);

  /** Takes the payload of a CopyData message. Where the promise is pending, no more should be sent. */
  async add(payload: Buffer): Promise<void> {
    if (this.#refusal !== undefined) return;
    this.#size += payload.length;
    const end = this.#divisible && this.#size >= PART_BYTES ? endOfRows(payload) : 0;
    if (end === 0) {
      this.#data.push(payload);
      return;
    }
    const part = [...this.#data, payload.subarray(0, end)];
    this.#data = [payload.subarray(end)];
    this.#size = payload.length - end;
    await this.#executed;
    this.#executed = this.#take(part);
    // Whoever adds or ends next hears of it.
    this.#executed.catch(() => undefined);
  }

  /** Takes CopyDone or CopyFail, and gives the answer of the whole. */
  async end(last: Buffer): Promise<Buffer> {
    await this.#executed;
    if (this.#refusal !== undefined) return this.#refusal;
    const failed = last[0] === 0x66;
    const answer = await this.#run(failed ? [] : this.#data, last);
    if (answer.refusal !== undefined) return answer.refusal;
    return Buffer.concat([frontendMessage('C', `COPY ${this.#rows + answer.rows}\0`), answer.ready]);
  }

  async #take(part: readonly Buffer[]): Promise<void> {
    if (this.#refusal !== undefined) return;
    const { refusal, rows } = await this.#run(part, frontendMessage('c'));
    this.#refusal = refusal;
    this.#rows += rows;
  }

  async #run(
    data: readonly Buffer[],
    last: Buffer,
  ): Promise<{ refusal: Buffer | undefined; rows: number; ready: Buffer }> {
    const head = Buffer.alloc(5);
    head[0] = 0x64;
    head.writeUInt32BE(
      data.reduce((size, { length }) => size + length, 4),
      1,
    );
    const bytes = data.length > 0 ? [this.#query, head, ...data, last] : [this.#query, last];
    const parts: Uint8Array[] = [];
    await this.#engine.execute(joined(bytes), (part) => parts.push(part));
    const answer = Buffer.concat(parts);
    let rows = 0;
    let failed = false;
    let ready: Buffer = Buffer.alloc(0);
    const kept: Buffer[] = [];
    for (const message of readMessages(answer)) {
      if (message[0] === 0x47) continue; // CopyInResponse: given already
      kept.push(message);
      if (message[0] === 0x45) failed = true;
      if (message[0] === 0x5a) ready = message;
      if (message[0] === 0x43) rows += Number(/COPY (\d+)/.exec(message.toString('latin1'))?.[1] ?? 0);
    }
    return { refusal: failed ? Buffer.concat(kept) : undefined, rows, ready };
  }
}

/** Copies into one buffer of its own, which can be given to another thread. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/**
 * Behind the last row that ends in the chunk, 0 if none does. A newline behind a backslash is taken for data, and so is one
 * that begins the chunk, since what is before it is not seen.
 */
function endOfRows(chunk: Buffer): number {
  let at = chunk.lastIndexOf(NEWLINE);
  while (at > 0 && chunk[at - 1] === BACKSLASH) at = chunk.lastIndexOf(NEWLINE, at - 1);
  return at > 0 ? at + 1 : 0;
}
