// A value on its way into storage that takes it only as a whole: in memory while it is small, then in a temporary file.
import { randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { types } from 'node:util';

const MOST_IN_MEMORY = 8 * 1024 * 1024;

/** The file system failed, and not whoever makes the pieces or takes them; `cause` is its error. */
export class SpoolFailed extends Error {
  constructor(cause: unknown) {
    const why = types.isNativeError(cause) ? cause.message : String(cause);
    super(`its temporary file in ${tmpdir()} (TMPDIR names another folder) failed: ${why}`, { cause });
  }
}

/**
 * Pieces of bytes, written once and read any number of times, each as it was written. The file has no name while it is
 * used, where the system allows that, so that a crash leaves none behind; what it holds is for this process only. What
 * its file system refuses is SpoolFailed.
 */
export class Spool {
  readonly #mostInMemory: number;
  #pieces: Buffer[] = [];
  /** Of the pieces in the file, in order. */
  readonly #lengths: number[] = [];
  #size = 0;
  #inMemory = 0;
  #file: FileHandle | undefined;
  /** Where the system keeps a name for it. */
  #path: string | undefined;

  /** @param mostInMemory bytes, beyond which a file is used */
  constructor(mostInMemory = MOST_IN_MEMORY) {
    this.#mostInMemory = mostInMemory;
  }

  /** Bytes written. */
  get size(): number {
    return this.#size;
  }

  /** Takes a piece; the buffer is the spool's from now on. */
  async write(piece: Buffer): Promise<void> {
    this.#pieces.push(piece);
    this.#size += piece.length;
    this.#inMemory += piece.length;
    if (this.#inMemory > this.#mostInMemory) await this.#toFile().catch(failed);
  }

  /** All pieces in order, in batches of about `size` bytes (one piece at least), each to be read before the next. */
  *batches(size: number): Generator<AsyncGenerator<Buffer>> {
    const lengths = [...this.#lengths, ...this.#pieces.map(({ length }) => length)];
    let start = 0;
    let offset = 0;
    while (start < lengths.length) {
      let end = start;
      let bytes = 0;
      do bytes += lengths[end++]!;
      while (end < lengths.length && bytes + lengths[end]! <= size);
      yield this.#read(start, end, offset);
      start = end;
      offset += bytes;
    }
  }

  /** Frees memory and file. Never rejects; nothing may be read after it. */
  async release(): Promise<void> {
    this.#pieces = [];
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
    if (this.#path !== undefined) await unlink(this.#path).catch(() => undefined);
  }

  async #toFile(): Promise<void> {
    this.#file ??= await this.#create();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#inMemory = 0;
    // Behind what is there: nothing else moves the position of the file.
    await this.#file.writeFile(Buffer.concat(pieces));
    for (const { length } of pieces) this.#lengths.push(length);
  }

  async #create(): Promise<FileHandle> {
    const path = join(tmpdir(), `flowstone-spool-${process.pid}-${randomUUID()}`);
    const file = await open(path, 'wx+', 0o600);
    await unlink(path).catch(() => (this.#path = path));
    return file;
  }

  async *#read(start: number, end: number, offset: number): AsyncGenerator<Buffer> {
    let position = offset;
    for (let index = start; index < end; index++) {
      const length = this.#lengths[index];
      if (length === undefined) {
        yield this.#pieces[index - this.#lengths.length]!;
        continue;
      }
      const piece = Buffer.allocUnsafe(length);
      const { bytesRead } = await this.#file!.read(piece, 0, length, position).catch(failed);
      if (bytesRead !== length) failed(`it ends after ${position + bytesRead} bytes`);
      position += length;
      yield piece;
    }
  }
}

function failed(cause: unknown): never {
  throw new SpoolFailed(cause);
}
