// The I/O manager that keeps rows as Parquet, in any place for blobs.
import type { BlobStore } from '../blobs/blob-store.port.js';
import { PARQUET_FORMAT } from '../formats/parquet/parquet.format.js';
import { BlobIoManager } from './blob.io-manager.js';

/** Keeps the rows of each value as a Parquet file of its own. What an asset says for it: `ParquetValueOptions`. */
export class ParquetIoManager extends BlobIoManager {
  constructor({ store }: { readonly store: BlobStore }) {
    super({
      name: 'parquet',
      store,
      formats: { parquet: PARQUET_FORMAT },
      formatFor: () => 'parquet',
      rowFormat: 'parquet',
    });
  }
}
