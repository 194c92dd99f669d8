// Rows that come once, kept for as long as they are looked at several times: in memory while they are few, then in a file.
import type { ByteSource } from './formats/format.port.js';
import { JSON_LINES_FORMAT } from './formats/json-lines.format.js';
import { rowsInBatches, type Rows } from './rows.js';
import { Spool } from './spool.js';

/** Bytes read at once. */
const READ_AT_ONCE = 256 * 1024;

/** Rows that can be read until they are released. */
export interface SpooledRows {
  readonly rows: Rows<Readonly<Record<string, unknown>>>;
  /** Never rejects. */
  release(): Promise<void>;
}

/**
 * Takes all rows, which are as they would come back of any manager: the same data version, absent where they were undefined.
 * @throws FlowStoneError FLOWSTONE_IO_VALUE_UNSUPPORTED; SpoolFailed; what the rows throw; the reason of the signal
 */
export async function spoolRows(stream: AsyncIterable<unknown>, signal: AbortSignal): Promise<SpooledRows> {
  const spool = new Spool();
  try {
    const sink = { write: (bytes: Uint8Array) => spool.write(bytes as Buffer) };
    await JSON_LINES_FORMAT.write(stream, sink, {}, signal);
  } catch (error) {
    await spool.release();
    throw error;
  }
  const source: ByteSource = {
    size: spool.size,
    async *pieces() {
      for (const batch of spool.batches(READ_AT_ONCE)) yield* batch;
    },
    randomly: () => Promise.reject(new Error('Lines are read from the start.')),
  };
  const wanted = { columns: undefined, detail: undefined };
  return {
    rows: rowsInBatches((range) => JSON_LINES_FORMAT.readRows(source, { ...wanted, range })),
    release: () => spool.release(),
  };
}
