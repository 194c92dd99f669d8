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
    const pumping = pump(gzip, sink);
    // Its failure is heard below, or by the write that waits for it.
    pumping.catch((error: unknown) => gzip.destroy(error as Error));
    try {
      const written = await format.write(value, { write: (bytes) => push(gzip, bytes) }, options, signal);
      gzip.end();
      await pumping;
      return written;
    } finally {
      gzip.destroy();
    }
  };
}

async function pump(from: AsyncIterable<Buffer>, to: ByteSink): Promise<void> {
  for await (const piece of from) await to.write(piece);
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
