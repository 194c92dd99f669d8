// How the pages of Parquet files are compressed, in the thread. Snappy is the library's own.
import * as zlib from 'node:zlib';
import type { ParquetCompression } from './parquet.schema.js';

type Transform = (bytes: Uint8Array) => Uint8Array;

// Newer than the oldest Node.js we run on. Who declares it is told at boot; but who reads it may be another process.
const zstd = zlib as unknown as { readonly zstdCompressSync: Transform; readonly zstdDecompressSync?: Transform };

export const CODECS = { snappy: 'SNAPPY', gzip: 'GZIP', zstd: 'ZSTD', none: 'UNCOMPRESSED' } as const satisfies Record<
  ParquetCompression,
  string
>;

export const COMPRESSORS = {
  GZIP: (bytes: Uint8Array) => zlib.gzipSync(bytes),
  ZSTD: (bytes: Uint8Array) => zstd.zstdCompressSync(bytes),
};

// What comes out of zlib may share its memory with others, where the reader wants to lay numbers over it.
export const DECOMPRESSORS = {
  GZIP: (bytes: Uint8Array) => new Uint8Array(zlib.gunzipSync(bytes)),
  ZSTD: (bytes: Uint8Array) => {
    if (zstd.zstdDecompressSync) return new Uint8Array(zstd.zstdDecompressSync(bytes));
    throw new Error('it is compressed by zstd, which needs Node.js 22.15 or newer');
  },
};
