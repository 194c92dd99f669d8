// A blob in a bucket being read: by ranges, each into memory, so that no connection waits for whoever uses the bytes.
import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { FlowStoneError } from '../../../flowstone.errors.js';
import { valueCorrupt, valueResized } from '../../io-failures.js';
import type { OpenBlob } from '../blob-store.port.js';
import type { S3Bucket } from './s3.bucket.js';
import { s3Failure, statusOf, type ObjectPlace } from './s3.failures.js';

const MIB = 2 ** 20;
/** Lengths of the ranges that pieces come from: the first, for who wants little, each twice the one before, the longest. */
const FIRST_RANGE = MIB;
const LONGEST_RANGE = 8 * MIB;
const PIECE_LENGTH = MIB / 4;
/** How often the answers for one range may end too soon, and how long to wait after each, ms. */
const MOST_CUTS = 5;
const PAUSE_AFTER_CUT = 100;

export class OpenObject implements OpenBlob {
  readonly #closing = new AbortController();

  constructor(
    private readonly bucket: S3Bucket,
    private readonly object: ObjectPlace,
    private readonly size: number,
  ) {
    // As many may read at once as like, and each listens.
    setMaxListeners(0, this.#closing.signal);
  }

  async read(start: number, end: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(Math.max(0, Math.min(end, this.size) - start));
    try {
      await this.#fill(buffer, start);
    } catch (error) {
      if (statusOf(error) === 416) throw valueCorrupt(this.object.place, `it ends before byte ${start}`, error);
      throw s3Failure(this.object, 'load', error);
    }
    return buffer;
  }

  /** While a range is used the next one comes. */
  async *pieces(): AsyncGenerator<Buffer> {
    let end = 0;
    let length = FIRST_RANGE;
    const ahead = () => {
      const start = end;
      end = Math.min(this.size, start + length);
      length = Math.min(LONGEST_RANGE, 2 * length);
      const range = this.read(start, end);
      // It may fail while another is used; who waits for it sees that.
      range.catch(() => undefined);
      return range;
    };
    for (let next = this.size > 0 ? ahead() : undefined; next;) {
      const range = await next;
      next = end < this.size ? ahead() : undefined;
      for (let at = 0; at < range.length; at += PIECE_LENGTH) yield range.subarray(at, at + PIECE_LENGTH);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  /** Fills the buffer with bytes from `start`; when an answer ends too soon, asks for what is missing. */
  async #fill(buffer: Buffer, start: number): Promise<void> {
    let filled = 0;
    for (let cuts = 0; filled < buffer.length;) {
      const { signal } = this.#closing;
      const answer = await this.bucket.get(this.object.key, start + filled, start + buffer.length, signal);
      try {
        for await (const bytes of answer.bytes) {
          if (answer.size !== this.size) throw valueResized(this.object.place, answer.size, this.size);
          if (bytes.length > buffer.length - filled) throw new RangeError('the server sent more than was asked for');
          buffer.set(bytes, filled);
          filled += bytes.length;
        }
        if (filled < buffer.length) throw new Error(`the answer ended after ${filled} of ${buffer.length} bytes`);
      } catch (error) {
        const final = error instanceof RangeError || error instanceof FlowStoneError || signal.aborted;
        if (final || ++cuts === MOST_CUTS) throw error;
        await pause(cuts * PAUSE_AFTER_CUT, undefined, { signal });
      }
    }
  }
}
