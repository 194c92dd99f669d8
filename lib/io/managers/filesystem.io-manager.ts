// The I/O manager that keeps values as files.
import { FileStore } from '../blobs/files/file.store.js';
import { BLOB_FORMATS, blobFormatFor, type BlobValueOptions } from '../formats/blob.formats.js';
import { BlobIoManager } from './blob.io-manager.js';

/** What an asset may say for the `filesystem` manager. */
export type FilesystemValueOptions = BlobValueOptions;

/** Keeps each value as a file of its own below `root`. Files are written under a temporary name, synced and renamed. */
export class FilesystemIoManager extends BlobIoManager {
  constructor({ root }: { readonly root: string }) {
    super({
      name: 'filesystem',
      store: new FileStore(root),
      formats: BLOB_FORMATS,
      formatFor: blobFormatFor,
      rowFormat: 'jsonl',
    });
  }
}
