// Blobs as objects of a bucket, below one prefix: never seen before they are whole, never written twice.
import { valueNotFound, valueResized, type ValuePlace } from '../../io-failures.js';
import type { BlobStore, OpenBlob, PendingBlob } from '../blob-store.port.js';
import { OpenObject } from './open.object.js';
import { PendingObject } from './pending.object.js';
import { S3Bucket } from './s3.bucket.js';
import { objectName, pathRefused, s3Failure, type ObjectPlace } from './s3.failures.js';
import { roomBelow, type S3Options } from './s3.options.js';

const PATH = /^(?:[A-Za-z0-9_.,=@+%-]+\/)+[A-Za-z0-9_.,=@+%-]+$/;
/** For who looks at an object with a browser. Packed ones are that only: a client that unpacks would find another size. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  json: 'application/json',
  jsonl: 'application/jsonl',
  txt: 'text/plain; charset=utf-8',
  gz: 'application/gzip',
};

/** A bucket and what is done with the objects below a prefix. */
export class S3Store implements BlobStore {
  readonly #bucket: S3Bucket;
  /** With the `/` that ends it. */
  readonly #prefix: string;
  readonly #room: number;

  constructor(options: S3Options) {
    this.#bucket = new S3Bucket(options);
    this.#prefix = options.prefix === undefined ? '' : `${options.prefix}/`;
    this.#room = roomBelow(options);
  }

  async create(place: ValuePlace, path: string, signal: AbortSignal): Promise<PendingBlob> {
    const contentType = CONTENT_TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
    return new PendingObject(this.#bucket, this.#locate(place, path), signal, contentType);
  }

  /** Asks nothing: the answer to the first read tells all. */
  async open(place: ValuePlace, path: string, size: number): Promise<OpenBlob> {
    const object = this.#locate(place, path);
    // But no bytes cannot be read.
    if (size === 0) await this.require(place, path, size);
    return new OpenObject(this.#bucket, object, size);
  }

  async require(place: ValuePlace, path: string, size: number): Promise<void> {
    const object = this.#locate(place, path);
    const found = await attempt(object, 'load', () => this.#bucket.head(object.key));
    if (!found) throw valueNotFound(place, `there is no ${objectName(object)}`);
    if (found.size !== size) throw valueResized(place, found.size, size);
  }

  async exists(place: ValuePlace, path: string): Promise<boolean> {
    const object = this.#locate(place, path);
    return (await attempt(object, 'load', () => this.#bucket.head(object.key))) !== undefined;
  }

  async delete(place: ValuePlace, path: string): Promise<void> {
    const object = this.#locate(place, path);
    await attempt(object, 'delete', () => this.#bucket.delete(object.key));
  }

  /** Uploads that nobody completed have the path of what they would have become. */
  async *paths(namespace: string): AsyncGenerator<string> {
    const folder = `${this.#prefix}${namespace}/`;
    for await (const key of this.#bucket.keys(folder)) yield key.slice(this.#prefix.length);
    for await (const { key } of this.#bucket.uploads(folder)) yield key.slice(this.#prefix.length);
  }

  async discard(place: ValuePlace, path: string, before: Date): Promise<boolean> {
    const object = this.#locate(place, path);
    return attempt(object, 'delete', async () => {
      let discarded = false;
      const found = await this.#bucket.head(object.key);
      if (found && found.modified < before) {
        await this.#bucket.delete(object.key);
        discarded = true;
      }
      for await (const upload of this.#bucket.uploads(object.key)) {
        if (upload.key !== object.key || upload.begun >= before) continue;
        await this.#bucket.abortUpload(upload);
        discarded = true;
      }
      return discarded;
    });
  }

  async start(): Promise<void> {
    await this.#bucket.start();
  }

  async stop(): Promise<void> {
    await this.#bucket.stop();
  }

  // Paths come out of the ledger too, so that they are checked wherever they are used.
  #locate(place: ValuePlace, path: string): ObjectPlace {
    const strange = !PATH.test(path) || path.split('/').some((step) => step === '.' || step === '..');
    if (strange || path.length > this.#room) throw pathRefused(place, path);
    return { place, bucket: this.#bucket.name, key: this.#prefix + path };
  }
}

async function attempt<T>(object: ObjectPlace, verb: 'load' | 'delete', act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw s3Failure(object, verb, error);
  }
}
