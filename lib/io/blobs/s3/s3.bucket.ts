// A bucket: every call of the SDK, which is loaded when the first is made. What calls make up a blob stands beside it.
import type { CompletedPart, PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3';
import { requirePackages } from '../../../optional-packages.js';
import type { ListedObject } from './listed.object.js';
import { nameOf, NOT_S3, statusOf } from './s3.failures.js';
import type { S3Options } from './s3.options.js';

/** Longest time to wait for a connection, and for the next byte of an answer, ms. */
const CONNECT_TIMEOUT = 10_000;
const SILENCE_TIMEOUT = 60_000;

type Sdk = typeof import('@aws-sdk/client-s3');

interface Session {
  readonly sdk: Sdk;
  readonly client: S3Client;
}

/** What is told of an object without reading it. */
export interface ObjectHead {
  readonly size: number;
  readonly modified: Date;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Of an object about to be, beside its bytes. */
export interface ObjectDescription {
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Some bytes of an object as they come. */
export interface ObjectRange {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Bytes of the whole object. */
  readonly size: number;
}

/** A part that was sent. */
export type SentPart = CompletedPart;

/** An upload in parts that was begun and not ended. */
export interface OpenUpload {
  readonly key: string;
  readonly id: string;
  readonly begun: Date;
}

/** Errors are the SDK's. Each call is repeated by the SDK as its client is told, by default twice. */
export class S3Bucket {
  readonly name: string;
  /** Private at run time too: whoever prints a manager prints no credentials. */
  readonly #options: S3Options;
  #session: Promise<Session> | undefined;
  /** Whether the server knows `If-None-Match`: so it is taken to, until it says otherwise. */
  #conditional = true;

  constructor(options: S3Options) {
    this.#options = options;
    this.name = options.bucket;
  }

  /** Loads the SDK, which the first call would do otherwise. Throws `FLOWSTONE_PACKAGE_MISSING`. */
  async start(): Promise<void> {
    await this.#open();
  }

  async stop(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    this.#session = undefined;
    if (this.#options.client === undefined) session?.client.destroy();
  }

  /** Makes an object if there is none of that key: else the error `PreconditionFailed`. */
  async put(key: string, body: Uint8Array, description: ObjectDescription, abortSignal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#open();
    const input: PutObjectCommandInput = { ...this.#at(key), Body: body, ContentLength: body.length };
    await this.#ifAbsent(async (condition) => {
      const command = new sdk.PutObjectCommand({ ...input, ...described(description), ...condition });
      requireTag(await client.send(command, { abortSignal }));
    });
  }

  /** The id of a new upload in parts. */
  async beginUpload(key: string, description: ObjectDescription, abortSignal: AbortSignal): Promise<string> {
    const { sdk, client } = await this.#open();
    const command = new sdk.CreateMultipartUploadCommand({ ...this.#at(key), ...described(description) });
    const { UploadId } = await client.send(command, { abortSignal });
    return UploadId ?? notS3('it names no upload');
  }

  async sendPart(
    upload: Pick<OpenUpload, 'key' | 'id'>,
    number: number,
    body: Uint8Array,
    abortSignal: AbortSignal,
  ): Promise<SentPart> {
    const { sdk, client } = await this.#open();
    const input = { ...this.#at(upload.key), UploadId: upload.id, PartNumber: number, Body: body };
    const sent = await client.send(new sdk.UploadPartCommand({ ...input, ContentLength: body.length }), {
      abortSignal,
    });
    requireTag(sent);
    // A server that was told a checksum of each part wants it again at the end.
    return { PartNumber: number, ETag: sent.ETag, ...(sent.ChecksumCRC32 && { ChecksumCRC32: sent.ChecksumCRC32 }) };
  }

  /** Makes the object of its parts if there is none of that key: else the error `PreconditionFailed`. */
  async completeUpload(
    upload: Pick<OpenUpload, 'key' | 'id'>,
    parts: readonly SentPart[],
    abortSignal: AbortSignal,
  ): Promise<void> {
    const { sdk, client } = await this.#open();
    const input = { ...this.#at(upload.key), UploadId: upload.id, MultipartUpload: { Parts: [...parts] } };
    await this.#ifAbsent(async (condition) => {
      const command = new sdk.CompleteMultipartUploadCommand({ ...input, ...condition });
      requireTag(await client.send(command, { abortSignal }));
    });
  }

  /** Ends an upload without an object; one that is not there is ended. */
  async abortUpload(upload: Pick<OpenUpload, 'key' | 'id'>): Promise<void> {
    const { sdk, client } = await this.#open();
    const command = new sdk.AbortMultipartUploadCommand({ ...this.#at(upload.key), UploadId: upload.id });
    await client.send(command).catch(unless('NoSuchUpload'));
  }

  /** Undefined: there is no such object. */
  async head(key: string): Promise<ObjectHead | undefined> {
    const { sdk, client } = await this.#open();
    try {
      const found = await client.send(new sdk.HeadObjectCommand(this.#at(key)));
      return { size: found.ContentLength!, modified: found.LastModified!, metadata: found.Metadata ?? {} };
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      await this.#requireBucket();
      return undefined;
    }
  }

  /** The bytes of an object from `start` up to `end`; an object that ends before `start` is an error of status 416. */
  async get(key: string, start: number, end: number, abortSignal: AbortSignal): Promise<ObjectRange> {
    const { sdk, client } = await this.#open();
    const command = new sdk.GetObjectCommand({ ...this.#at(key), Range: `bytes=${start}-${end - 1}` });
    const { Body, ContentRange, ContentLength } = await client.send(command, { abortSignal });
    const size = Number(ContentRange?.split('/')[1] ?? ContentLength);
    if (Number.isNaN(size)) notS3('it does not say how large the object is');
    return { bytes: Body as unknown as AsyncIterable<Uint8Array>, size };
  }

  /** An object that is not there is deleted. */
  async delete(key: string): Promise<void> {
    const { sdk, client } = await this.#open();
    await client.send(new sdk.DeleteObjectCommand(this.#at(key))).catch(unless('NoSuchKey'));
  }

  /** Keys of all objects whose keys begin so. */
  async *keys(prefix: string): AsyncGenerator<string> {
    for await (const { key } of this.objects(prefix)) yield key;
  }

  /** All objects whose keys begin so, by key. */
  async *objects(prefix: string): AsyncGenerator<ListedObject> {
    const { sdk, client } = await this.#open();
    const pages = sdk.paginateListObjectsV2({ client }, { Bucket: this.name, Prefix: prefix });
    for await (const { Contents = [] } of pages) {
      for (const { Key, Size, ETag, LastModified } of Contents) {
        yield { key: Key!, size: Size!, etag: ETag!, modified: LastModified! };
      }
    }
  }

  /** All uploads that are not ended and whose keys begin so; none where the server cannot tell. */
  async *uploads(prefix: string): AsyncGenerator<OpenUpload> {
    const { sdk, client } = await this.#open();
    const within = { Bucket: this.name, Prefix: prefix };
    for (let after = {}, more = true; more;) {
      const page = await client
        .send(new sdk.ListMultipartUploadsCommand({ ...within, ...after }))
        .catch(unless('NotImplemented'));
      for (const { Key, UploadId, Initiated } of page?.Uploads ?? []) {
        yield { key: Key!, id: UploadId!, begun: Initiated! };
      }
      after = { KeyMarker: page?.NextKeyMarker, UploadIdMarker: page?.NextUploadIdMarker };
      more = page?.IsTruncated === true;
    }
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.name, Key: key };
  }

  // HEAD says only that something is not there; a bucket that is not there is no missing value.
  async #requireBucket(): Promise<void> {
    const { sdk, client } = await this.#open();
    try {
      await client.send(new sdk.HeadBucketCommand({ Bucket: this.name }));
    } catch (error) {
      const missing = statusOf(error) === 404;
      throw missing
        ? Object.assign(new Error('there is no such bucket', { cause: error }), { name: 'NoSuchBucket' })
        : error;
    }
  }

  // No key is used twice, so that without the condition nothing is lost but the notice of a mistake.
  async #ifAbsent(act: (condition: { readonly IfNoneMatch?: '*' }) => Promise<unknown>): Promise<void> {
    try {
      await act(this.#conditional ? { IfNoneMatch: '*' } : {});
    } catch (error) {
      if (!this.#conditional || nameOf(error) !== 'NotImplemented') throw error;
      this.#conditional = false;
      await act({});
    }
  }

  #open(): Promise<Session> {
    this.#session ??= this.#connect();
    return this.#session;
  }

  async #connect(): Promise<Session> {
    const sdk = await loadSdk();
    const { client, endpoint, region, credentials, forcePathStyle } = this.#options;
    if (client !== undefined) return { sdk, client: client as S3Client };
    const given = { endpoint, region, credentials, forcePathStyle };
    const made = new sdk.S3Client({
      ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
      requestHandler: { connectionTimeout: CONNECT_TIMEOUT, socketTimeout: SILENCE_TIMEOUT },
      // What is read is checked by our own checksum, of all bytes, which no server has to know.
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    return { sdk, client: made };
  }
}

async function loadSdk(): Promise<Sdk> {
  requirePackages('The s3 manager', ['@aws-sdk/client-s3']);
  return import('@aws-sdk/client-s3');
}

function described({ contentType, metadata }: ObjectDescription) {
  return { ContentType: contentType, Metadata: { ...metadata } };
}

/** Whatever says yes to anything, such as a page for people at a wrong address, has stored nothing. */
function requireTag({ ETag }: { readonly ETag?: string | undefined }): void {
  if (!ETag) notS3('it has no ETag');
}

function notS3(why: string): never {
  throw Object.assign(new Error(`the answer is none of S3, since ${why}`), { name: NOT_S3 });
}

/** Undefined for an error of that name; throws any other. */
function unless(name: string): (error: unknown) => undefined {
  return (error) => {
    if (nameOf(error) !== name) throw error;
    return undefined;
  };
}
