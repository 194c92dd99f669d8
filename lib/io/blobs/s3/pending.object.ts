// A blob on its way into a bucket: small ones by one request, others in parts as the bytes come. Both make an object whole
// or not at all.
import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ioFailed } from '../../io-failures.js';
import type { PendingBlob } from '../blob-store.port.js';
import type { ObjectDescription, S3Bucket, SentPart } from './s3.bucket.js';
import { nameOf, objectName, s3Failure, type ObjectPlace } from './s3.failures.js';

const MIB = 2 ** 20;
/** Length of the first parts. A part is in memory until it was sent. */
const PART_LENGTH = 8 * MIB;
/** After so many parts they are twice as long: 8 GiB in parts of 8 MiB, then 16 GiB in parts of 16, ..., 8 TiB in all. */
const PARTS_OF_A_LENGTH = 1000;
const PARTS_AT_ONCE = 3;
const FIRST_BUFFER = 64 * 1024;
const NOTHING = Buffer.alloc(0);
/** Name of the metadata by which an object can be told to be ours. */
const WRITE_ID = 'flowstone-write';

/** The length of a part by its index: S3 takes 10,000 parts, each but the last at least 5 MiB and at most 5 GiB long. */
export function partLength(index: number): number {
  return PART_LENGTH * 2 ** Math.floor(index / PARTS_OF_A_LENGTH);
}

export class PendingObject implements PendingBlob {
  size = 0;
  checksum = 0;
  /** Bytes not sent yet: the first `#held` of a buffer, which for the first part grows, since most values are small. */
  #buffer = NOTHING;
  #held = 0;
  #upload: { readonly key: string; readonly id: string } | undefined;
  readonly #parts: SentPart[] = [];
  #begun = 0;
  readonly #sending = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  /** Whether the object may be there. */
  #finishing = false;
  readonly #id = randomUUID();
  readonly #description: ObjectDescription;

  constructor(
    private readonly bucket: S3Bucket,
    private readonly object: ObjectPlace,
    private readonly signal: AbortSignal,
    contentType: string,
  ) {
    this.#description = { contentType, metadata: { [WRITE_ID]: this.#id } };
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let taken = 0; taken < bytes.length;) {
      if (this.#held === this.#partLength) await this.#attempt(() => this.#sendPart());
      taken += this.#take(bytes.subarray(taken));
    }
    // Node's crc32 starts anew when it is given no bytes.
    if (bytes.length > 0) this.checksum = crc32(bytes, this.checksum);
    this.size += bytes.length;
  }

  async commit(): Promise<void> {
    await this.#attempt(async () => {
      if (this.#upload === undefined) {
        const whole = this.#buffer.subarray(0, this.#held);
        await this.#finish(() => this.bucket.put(this.object.key, whole, this.#description, this.signal));
      } else {
        await this.#sendPart();
        await Promise.all(this.#sending);
        this.#throwFailure();
        const upload = this.#upload;
        await this.#finish(() => this.bucket.completeUpload(upload, this.#parts, this.signal));
      }
    });
  }

  /** What cannot be removed now, retention removes later. */
  async discard(): Promise<void> {
    this.#buffer = NOTHING;
    await Promise.all(this.#sending);
    try {
      if (this.#upload) await this.bucket.abortUpload(this.#upload);
      if (this.#finishing && (await this.#isThere())) await this.bucket.delete(this.object.key);
    } catch {
      // It follows an error that matters more.
    }
  }

  get #partLength(): number {
    return partLength(this.#begun);
  }

  /** Copies bytes into the buffer until that is a part; returns how many. */
  #take(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.#partLength - this.#held);
    const needed = this.#held + count;
    if (needed > this.#buffer.length) {
      const little = this.#begun === 0 ? Math.max(needed, 2 * this.#buffer.length, FIRST_BUFFER) : Infinity;
      const length = Math.min(this.#partLength, little);
      const grown = Buffer.allocUnsafeSlow(length);
      grown.set(this.#buffer.subarray(0, this.#held));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes.subarray(0, count), this.#held);
    this.#held = needed;
    return count;
  }

  /** Begins to send what is held, as soon as few enough other parts are on their way. */
  async #sendPart(): Promise<void> {
    this.signal.throwIfAborted();
    const id = this.#upload?.id ?? (await this.bucket.beginUpload(this.object.key, this.#description, this.signal));
    const upload = (this.#upload ??= { key: this.object.key, id });
    while (this.#sending.size >= PARTS_AT_ONCE) await Promise.race(this.#sending);
    this.#throwFailure();
    const body = this.#buffer.subarray(0, this.#held);
    this.#buffer = NOTHING;
    this.#held = 0;
    const index = this.#begun++;
    const sending = this.bucket
      .sendPart(upload, index + 1, body, this.signal)
      .then(
        (part) => void (this.#parts[index] = part),
        (error: unknown) => void (this.#failure ??= { error }),
      )
      .finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /**
   * Makes the object. An answer that was lost leaves open whether it is there, and a repetition then finds it there: so
   * the object is asked who wrote it.
   */
  async #finish(act: () => Promise<void>): Promise<void> {
    this.#finishing = true;
    try {
      await act();
    } catch (error) {
      if (this.signal.aborted) throw error;
      if (await this.#isThere().catch(() => false)) return;
      if (nameOf(error) !== 'PreconditionFailed') throw error;
      const reason =
        `${objectName(this.object)} is there already and from elsewhere. ` +
        'No two ledgers may share bucket, prefix and namespace: give a new ledger another prefix.';
      throw ioFailed(this.object.place, 'store', error, reason);
    }
  }

  async #isThere(): Promise<boolean> {
    const found = await this.bucket.head(this.object.key);
    return found?.metadata[WRITE_ID] === this.#id && found.size === this.size;
  }

  async #attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.signal.throwIfAborted();
      throw s3Failure(this.object, 'store', error);
    }
  }
}
