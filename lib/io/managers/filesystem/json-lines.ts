// Rows as JSON lines: written as they come, read in large pieces. Neither ever holds more than a few pieces.
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { RowEncoder } from '../../row-encoder.js';
import { parseTagged } from '../../tagged-json.js';
import type { PendingFile } from './value-files.js';

const PIECE_LENGTH = 256 * 1024;
const LINE_FEED = 10;

/** Writes rows, one line each. While a piece is written the next is encoded; no third is begun before that ends. */
export async function writeJsonLines(
  rows: AsyncIterable<unknown> | Iterable<unknown>,
  encoder: RowEncoder,
  file: PendingFile,
  signal: AbortSignal,
): Promise<void> {
  let piece = '';
  let writing: Promise<void> = Promise.resolve();
  const flush = async () => {
    signal.throwIfAborted();
    await writing;
    writing = file.write(Buffer.from(piece));
    // It may fail while the rows are still being waited for; the next flush sees it.
    writing.catch(() => undefined);
    piece = '';
  };
  try {
    for await (const row of rows) {
      piece += JSON.stringify(encoder.add(row)) + '\n';
      if (piece.length >= PIECE_LENGTH) await flush();
    }
    await flush();
    await writing;
  } finally {
    await Promise.allSettled([writing]);
  }
}

/**
 * The rows of a file from its start, in batches. `read.checksum` becomes the CRC-32 of what was read so far. JSON
 * errors are thrown as they are.
 */
export async function* readJsonLines(
  handle: FileHandle,
  read: { checksum: number },
): AsyncGenerator<Record<string, unknown>[], void, undefined> {
  let rest = Buffer.alloc(0);
  for (;;) {
    const buffer = Buffer.allocUnsafe(rest.length + PIECE_LENGTH);
    rest.copy(buffer);
    const { bytesRead } = await handle.read(buffer, rest.length, PIECE_LENGTH);
    if (bytesRead === 0) break;
    const end = rest.length + bytesRead;
    read.checksum = crc32(buffer.subarray(rest.length, end), read.checksum);
    const complete = buffer.subarray(rest.length, end).lastIndexOf(LINE_FEED) + rest.length;
    if (complete < rest.length) {
      rest = buffer.subarray(0, end);
      continue;
    }
    rest = buffer.subarray(complete + 1, end);
    yield parseLines(buffer.toString('utf8', 0, complete));
  }
  if (rest.length > 0) yield parseLines(rest.toString());
}

// A line feed within JSON text is always escaped, so that lines become the elements of one array, parsed at once.
function parseLines(lines: string): Record<string, unknown>[] {
  return parseTagged(`[${lines.replaceAll('\n', ',')}]`) as Record<string, unknown>[];
}
