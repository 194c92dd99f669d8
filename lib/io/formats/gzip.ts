// Compression of whole blobs, around the formats that are written and read from start to end.
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import type { ByteSink } from '../blobs/blob-store.port.js';
import type { ByteSource, Format } from './format.port.js';

/** The same format, its bytes compressed by gzip. */
export function gzipped(format: Format): Format {
  const extension = `${format.extension}.gz`;
  const write = zippingWrite(format);
  return 'read' in format
    ? {
        ...{ ...format, extension, write },
        read: (source) => format.read(unzipped(source)),
        readBeginning: (source, bytes) => format.readBeginning(unzipped(source), bytes),
      }
    : { ...format, extension, write, readRows: (source, wanted) => format.readRows(unzipped(source), wanted) };
}

function zippingWrite(format: Format): Format['write'] {
  return async (value, sink, options, signal) => {
    const gzip = createGzip();
    let failure: { readonly error: unknown } | undefined;
    const pumping = pump(gzip, sink, (error) => (failure = { error }));
    // Heard below, or by the write that waits for it.
    pumping.catch((error: unknown) => gzip.destroy(error as Error));
    try {
      const written = await format.write(value, { write: (bytes) => push(gzip, bytes) }, options, signal);
      gzip.end();
      await pumping;
      return written;
    } catch (error) {
      // What the stream says of a sink that failed is only that it was ended.
      throw failure ? failure.error : error;
    } finally {
      gzip.destroy();
      // Whoever hears of it discards what was written: nothing may be on its way then.
      await Promise.allSettled([pumping]);
    }
  };
}

async function pump(from: AsyncIterable<Buffer>, to: ByteSink, failed: (error: unknown) => void): Promise<void> {
  for await (const piece of from) {
    await to.write(piece).catch((error: unknown) => {
      failed(error);
      throw error;
    });
  }
}

async function push(gzip: ReturnType<typeof createGzip>, bytes: Uint8Array): Promise<void> {
  if (gzip.errored) throw gzip.errored;
  if (!gzip.write(bytes)) await once(gzip, 'drain');
}

function unzipped(source: ByteSource): ByteSource {
  return {
    ...source,
    async *pieces() {
      const packed = Readable.from(source.pieces());
      const gunzip = createGunzip({ chunkSize: 256 * 1024 });
      packed.on('error', (error) => gunzip.destroy(error));
      try {
        yield* packed.pipe(gunzip) as AsyncIterable<Buffer>;
      } finally {
        packed.destroy();
      }
    },
  };
}
