// A sensor of objects that are new in a bucket, or written again.
import { createHash } from 'node:crypto';
import type { OnApplicationShutdown } from '@nestjs/common';
import { parseDuration, type Duration } from '../../assets/duration.js';
import type { ListedObject } from '../../io/blobs/s3/listed.object.js';
import { S3Bucket } from '../../io/blobs/s3/s3.bucket.js';
import { requireS3Options, type S3Options } from '../../io/blobs/s3/s3.options.js';
import type { Sensing, SensorAnswer, SensorContext } from './sensor.js';
import { NOTHING_SEEN, unseen, type Found, type Seen } from './seen.js';
import { requireRoom } from './table.sensor.js';

/** Objects that one evaluation asks about. */
const AT_ONCE = 500;

/**
 * Asks about each object that is new below a prefix, or written again: extend it, say which bucket, and answer
 * in `onObjects`. Each evaluation lists all below the prefix: let old objects move elsewhere, or the prefix be narrow.
 * Needs `@aws-sdk/client-s3`.
 */
export abstract class S3ObjectsSensor implements Sensing<Seen>, OnApplicationShutdown {
  /** Bucket, `prefix` of the keys, and the way to it. */
  abstract readonly bucket: S3Options;
  /**
   * How far the time of an object may lie behind that of others when it appears. An upload in parts has the time at which it was
   * begun: let it be longer than the longest upload. Of the window, at most 20,000 objects are remembered. Default `1h`.
   */
  readonly window: Duration = '1h';
  /** Whether it asks about objects that were there before its first evaluation. */
  readonly existing: boolean = false;
  #opened: S3Bucket | undefined;

  /** What some objects, oldest first, ask for. Its cursor is kept by the sensor itself. */
  abstract onObjects(
    objects: readonly ListedObject[],
    context: SensorContext<Seen>,
  ): SensorAnswer<never> | Promise<SensorAnswer<never>>;

  async evaluate(context: SensorContext<Seen>): Promise<SensorAnswer<Seen>> {
    const { cursor, signal } = context;
    const span = parseDuration(this.window);
    const before = cursor ?? NOTHING_SEEN;
    const objects = await this.#list(before.place - span, signal);
    if (!cursor && !this.existing) {
      const { seen } = unseen(before, objects, span, Infinity);
      requireRoom(context.name, seen);
      return { cursor: seen, skip: 'it sees what comes from now on' };
    }
    const { taken, seen, more } = unseen(before, objects, span, AT_ONCE);
    requireRoom(context.name, seen);
    if (taken.length === 0) return { cursor: seen, skip: 'no new objects' };
    const answer =
      (await this.onObjects(
        taken.map(({ thing }) => thing),
        context,
      )) ?? undefined;
    return { skip: 'nothing was to be done for new objects', ...answer, cursor: seen, again: more };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#opened?.stop();
    this.#opened = undefined;
  }

  /** By time, those of one second by key. The server lists by key. */
  async #list(from: number, signal: AbortSignal): Promise<readonly Found<ListedObject>[]> {
    const bucket = (this.#opened ??= new S3Bucket(requireS3Options(this.bucket)));
    const { prefix } = this.bucket;
    const objects: Found<ListedObject>[] = [];
    for await (const thing of bucket.objects(prefix === undefined ? '' : `${prefix}/`)) {
      signal.throwIfAborted();
      const place = thing.modified.getTime();
      if (place < from) continue;
      const mark = thing.modified.toISOString();
      // With its time: bytes that were there before and come back are news as well.
      const id = createHash('sha256').update(`${mark} ${thing.etag} ${thing.key}`).digest('base64url').slice(0, 16);
      objects.push({ id, mark, place, thing });
    }
    return objects.sort((one, other) => one.place - other.place || (one.thing.key < other.thing.key ? -1 : 1));
  }
}
