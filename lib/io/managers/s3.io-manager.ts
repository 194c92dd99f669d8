// The I/O manager that keeps values as objects of S3 or whatever speaks its protocol. What the bucket is asked for stands
// in ../blobs/s3.
import { templateProblem } from '../blobs/path-template.js';
import { requireS3Options, roomBelow, type S3Options } from '../blobs/s3/s3.options.js';
import { S3Store } from '../blobs/s3/s3.store.js';
import { BLOB_FORMATS, blobFormatFor, type BlobValueOptions } from '../formats/blob.formats.js';
import { BlobIoManager } from './blob.io-manager.js';

/** What an asset may say for the `s3` manager. */
export type S3ValueOptions = BlobValueOptions & {
  /**
   * Where the objects of the asset lie below prefix and namespace: steps with `/` between them, in which `{asset}` and
   * `{partition}` stand for the keys. Default `{asset}/{partition}`. The name of an object is always the attempt's.
   */
  readonly path?: string;
};

/**
 * Keeps each value as an object of its own: `<prefix>/<namespace>/<path>/<materialization>-<epoch>.<extension>`. Needs the
 * package `@aws-sdk/client-s3`, which is loaded when the application starts. Register it as
 * `managers: { s3: new S3IoManager({ bucket: 'values' }) }`.
 * @throws FlowStoneError FLOWSTONE_OPTIONS_INVALID
 */
export class S3IoManager extends BlobIoManager {
  constructor(options: S3Options) {
    super({
      name: 's3',
      store: new S3Store(requireS3Options(options)),
      formats: BLOB_FORMATS,
      formatFor: blobFormatFor,
      rowFormat: 'jsonl',
      pathProblem: (template) => templateProblem(template, roomBelow(options)),
    });
  }
}
