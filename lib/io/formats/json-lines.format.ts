// Rows as JSON lines: written as they come, read in large pieces. Neither ever holds more than a few pieces.
import type { ByteSink } from '../blobs/blob-store.port.js';
import { isRowArray, isRowStream } from '../data-version.js';
import { RowEncoder } from '../row-encoder.js';
import { batchesWithin, narrowRow } from '../rows.js';
import { parseTagged } from '../tagged-json.js';
import { misfit } from './document.formats.js';
import type { ByteSource, RowFormat, ValueOptions, WantedRows, Written } from './format.port.js';

const PIECE_LENGTH = 256 * 1024;
const LINE_FEED = 10;

type Row = Record<string, unknown>;

/** Rows, from an array or an async iterable, each as JSON on a line of its own. */
export const JSON_LINES_FORMAT: RowFormat = {
  ...{ extension: 'jsonl', sequential: true, options: {} },
  async write(value: unknown, sink: ByteSink, _options: ValueOptions, signal: AbortSignal): Promise<Written> {
    if (!isRowStream(value) && !isRowArray(value)) misfit('is no array of plain objects', 'jsonl');
    const encoder = new RowEncoder();
    await writeLines(value, encoder, sink, signal);
    return { hash: encoder.digest(), rows: encoder.rows, schema: encoder.schema };
  },
  async *readRows(source: ByteSource, { columns, range }: WantedRows) {
    for await (const rows of batchesWithin(readLines(source), range)) {
      yield columns === undefined ? rows : rows.map((row) => narrowRow(row, columns));
    }
  },
};

/** While a piece is written the next is encoded; no third is begun before that ends. */
async function writeLines(
  rows: AsyncIterable<unknown> | Iterable<unknown>,
  encoder: RowEncoder,
  sink: ByteSink,
  signal: AbortSignal,
): Promise<void> {
  let piece = '';
  let writing: Promise<void> = Promise.resolve();
  const flush = async () => {
    signal.throwIfAborted();
    await writing;
    writing = sink.write(Buffer.from(piece));
    // It may fail while the rows are still being waited for; the next flush sees it.
    writing.catch(() => undefined);
    piece = '';
  };
  try {
    for await (const row of rows) {
      signal.throwIfAborted();
      piece += JSON.stringify(encoder.add(row)) + '\n';
      if (piece.length >= PIECE_LENGTH) await flush();
    }
    await flush();
    await writing;
  } finally {
    await Promise.allSettled([writing]);
  }
}

async function* readLines(source: ByteSource): AsyncGenerator<Row[], void, undefined> {
  let rest: Buffer[] = [];
  for await (const piece of source.pieces()) {
    const end = piece.lastIndexOf(LINE_FEED);
    if (end === -1) {
      rest.push(piece);
      continue;
    }
    yield parseLines(Buffer.concat([...rest, piece.subarray(0, end)]));
    rest = [piece.subarray(end + 1)];
  }
  const last = Buffer.concat(rest);
  if (last.length > 0) yield parseLines(last);
}

// A line feed within JSON text is always escaped, so that lines become the elements of one array, parsed at once.
function parseLines(lines: Buffer): Row[] {
  return parseTagged(`[${lines.toString().replaceAll('\n', ',')}]`) as Row[];
}
