// How rows come to the COPY of their table: encoded before, in a spool, or while they are copied.
import { setImmediate as breath } from 'node:timers/promises';
import { FlowStoneError } from '../../../flowstone.errors.js';
import { ioFailed, placeRefusal } from '../../io-failures.js';
import type { StoreContext } from '../../io-manager.port.js';
import { Spool } from '../../spool.js';
import { isToldToStop } from './encoded.value.js';
import type { TableRows } from './table.rows.js';

/** Bytes of one COPY: far from the time that a statement may take. */
const COPY_BYTES = 8 * 1024 * 1024;

/** Copies pieces of rows, in a statement of its own. */
type Copying = (columns: readonly string[], pieces: AsyncIterable<Buffer>) => Promise<void>;

export interface Filling {
  /** Copies all rows, some at a time, and gives what is known of them then. May be called again. */
  fill(copy: Copying): Promise<TableRows>;
  /** Nothing is to be copied any more. Never rejects. */
  release(): Promise<void>;
}

/** Encodes rows as they come: no transaction has to be open meanwhile. Rejects with what they throw, as it is. */
export async function fillFromSpool(
  value: AsyncIterable<unknown> | Iterable<unknown>,
  rows: TableRows,
  signal: AbortSignal,
): Promise<Filling> {
  const spool = new Spool();
  try {
    for await (const row of value) {
      signal.throwIfAborted();
      const piece = rows.add(row);
      if (!piece) continue;
      await spool.write(piece);
      // The event loop is free after each piece, whoever makes the rows.
      await breath();
    }
    signal.throwIfAborted();
    const last = rows.end();
    if (last) await spool.write(last);
  } catch (error) {
    await spool.release();
    throw error;
  }
  return {
    async fill(copy) {
      for (const batch of spool.batches(COPY_BYTES)) {
        signal.throwIfAborted();
        await copy(rows.columns, batch);
      }
      return rows;
    },
    release: () => spool.release(),
  };
}

/** Encodes rows while those before them are on their way, which takes half the time. @param begin an encoding, each time */
export function fillFromMemory(context: StoreContext, value: readonly unknown[], begin: () => TableRows): Filling {
  return {
    async fill(copy) {
      const rows = begin();
      const pieces = piecesOf(context, value, rows);
      for (let next = await pieces.next(); !next.done; next = await pieces.next())
        await copy(rows.columns, upTo(COPY_BYTES, next.value, pieces));
      return rows;
    },
    release: async () => undefined,
  };
}

/**
 * What goes wrong with a row is told as such: whoever made the transaction would take it for its own, if it is an outage of
 * what somebody reads in a getter.
 */
async function* piecesOf(
  context: StoreContext,
  value: readonly unknown[],
  rows: TableRows,
): AsyncGenerator<Buffer, void> {
  const { signal } = context;
  try {
    for (const row of value) {
      const piece = rows.add(row);
      if (!piece) continue;
      yield piece;
      await breath();
      signal.throwIfAborted();
    }
    const last = rows.end();
    if (last) yield last;
  } catch (error) {
    if (isToldToStop(signal, error)) throw error;
    if (error instanceof FlowStoneError) throw placeRefusal(context, error);
    throw ioFailed(context, 'store', error, `row ${rows.count} cannot be read: ${String(error)}`);
  }
}

/** A piece and those after it, about `size` bytes in all. */
async function* upTo(size: number, first: Buffer, pieces: AsyncIterator<Buffer, void>): AsyncGenerator<Buffer> {
  let bytes = 0;
  for (let piece: Buffer | void = first; piece !== undefined;) {
    yield piece;
    bytes += piece.length;
    piece = bytes < size ? (await pieces.next()).value : undefined;
  }
}
