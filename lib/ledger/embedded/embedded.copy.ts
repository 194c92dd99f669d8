// COPY ... FROM STDIN for PGlite, whose call never returns when it has to wait for data: the statement is answered
// here, its data held back, and both are handed over together, in parts where that is possible.
import type { EmbeddedEngine } from './embedded.engine.js';
import { frontendMessage, readMessages } from './wire.js';

/** A larger value goes in several COPY statements of this size, so that no more of it is held. */
const PART_BYTES = 8 * 1024 * 1024;
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

  /** @param inTransaction only there may a value go in several statements and still be written as a whole */
  constructor(engine: EmbeddedEngine, query: Buffer, sql: string, inTransaction: boolean) {
    this.#engine = engine;
    this.#query = query;
    // Rows of the text format end in a newline that no backslash escapes; CSV and binary cannot be cut blindly.
    this.#divisible = inTransaction && !/\b(?:csv|binary)\b/i.test(sql) && !/;\s*\S/.test(sql);
  }

  /** What PostgreSQL would answer to the statement: it is ready for data (text format, columns unsaid). */
  static readonly copyInResponse = Buffer.from([0x47, 0, 0, 0, 7, 0, 0, 0]);

  /** Takes the payload of a CopyData message. Where the promise is pending, no more should be sent. */
  async add(payload: Buffer): Promise<void> {
    if (this.#refusal !== undefined) return;
    this.#data.push(payload);
    this.#size += payload.length;
    if (!this.#divisible || this.#size < PART_BYTES) return;
    const held = Buffer.concat(this.#data);
    const end = endOfRows(held);
    if (end === 0) return;
    this.#data = end < held.length ? [held.subarray(end)] : [];
    this.#size = held.length - end;
    const answer = await this.#run(held.subarray(0, end), frontendMessage('c'));
    this.#refusal = answer.refusal;
    this.#rows += answer.rows;
  }

  /** Takes CopyDone or CopyFail, and gives the answer of the whole. */
  async end(last: Buffer): Promise<Buffer> {
    if (this.#refusal !== undefined) return this.#refusal;
    const failed = last[0] === 0x66;
    const answer = await this.#run(failed ? Buffer.alloc(0) : Buffer.concat(this.#data), last);
    if (answer.refusal !== undefined) return answer.refusal;
    return Buffer.concat([frontendMessage('C', `COPY ${this.#rows + answer.rows}\0`), answer.ready]);
  }

  async #run(data: Buffer, last: Buffer): Promise<{ refusal: Buffer | undefined; rows: number; ready: Buffer }> {
    const head = Buffer.alloc(5);
    head[0] = 0x64;
    head.writeUInt32BE(data.length + 4, 1);
    const bytes = data.length > 0 ? [this.#query, head, data, last] : [this.#query, last];
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

/** Where the last whole row ends, 0 if there is none. A newline behind a backslash is taken for data. */
function endOfRows(text: Buffer): number {
  let at = text.lastIndexOf(NEWLINE);
  while (at > 0 && text[at - 1] === BACKSLASH) at = text.lastIndexOf(NEWLINE, at - 1);
  return at + 1;
}
