// A Parquet file being read: only the wanted columns of the row groups in which wanted rows are. While the rows of one row
// group are consumed, the next is read and decoded.
import { deserialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import type { JsonValue } from '../../../ledger/records.js';
import type { RowRange } from '../../rows.js';
import type { ByteSource } from '../format.port.js';
import { cellReader, type Cells } from './parquet.cells.js';
import type { FooterDetail } from './parquet-file.writer.js';
import type { Chunk, DecodedBatch, Outline, Piece } from './parquet.messages.js';
import type { Column } from './parquet.schema.js';
import { threadFile, type ThreadFile } from './parquet.thread.js';

type Row = Record<string, unknown>;

/** Up to so many bytes that nobody wants are read between two chunks, since another read costs more. */
const GAP = 64 * 1024;

interface WantedGroup {
  readonly group: number;
  readonly from: number;
  readonly to: number;
}

/** `close` it in the end. A SyntaxError says that the bytes are not what was written. */
export class ParquetFileReader {
  private constructor(
    private readonly source: ByteSource,
    private readonly thread: ThreadFile,
    readonly outline: Outline,
  ) {}

  /** @param detail as it was told when the file was written */
  static async open(source: ByteSource, detail: JsonValue | undefined): Promise<ParquetFileReader> {
    const { footer: length, checksum } = (detail ?? {}) as Partial<FooterDetail>;
    if (typeof length !== 'number') throw new SyntaxError('it is not told how long the footer is');
    const { size } = source;
    const footer = await source.randomly((read) => read(size - length, size));
    if (crc32(footer) !== checksum) throw new SyntaxError('the checksum of the footer differs');
    const thread = threadFile();
    try {
      return new ParquetFileReader(source, thread, await thread.ask({ kind: 'open', footer }));
    } catch (error) {
      thread.drop();
      throw error;
    }
  }

  async *read(wanted: readonly string[] | undefined, range: RowRange): AsyncGenerator<Row[]> {
    const columns = [...this.outline.columns.keys()].filter(
      (position) => wanted?.includes(this.outline.columns[position]!.name) ?? true,
    );
    const toRows = rowReader(columns.map((position) => this.outline.columns[position]!));
    const [first, ...groups] = this.#groupsWithin(range);
    if (!first) return;
    let next = this.#decode(first, columns);
    try {
      for (const following of [...groups, undefined]) {
        const batches = await next;
        next = following ? this.#decode(following, columns) : Promise.resolve([]);
        // Heard when it is waited for.
        next.catch(() => undefined);
        for (const { rows, cells } of batches) yield toRows(deserialize(cells) as Cells[], rows);
      }
    } finally {
      await Promise.allSettled([next]);
    }
  }

  close(): void {
    this.thread.drop();
  }

  #groupsWithin({ start, end }: RowRange): WantedGroup[] {
    const groups: WantedGroup[] = [];
    let first = 0;
    for (const [group, { rows }] of this.outline.groups.entries()) {
      const [from, to] = [Math.max(0, start - first), Math.min(rows, end - first)];
      if (from < to) groups.push({ group, from, to });
      first += rows;
    }
    return groups;
  }

  async #decode({ group, from, to }: WantedGroup, columns: readonly number[]): Promise<readonly DecodedBatch[]> {
    const chunks = columns.map((position) => this.outline.groups[group]!.chunks[position]!);
    const pieces = await this.source.randomly((read) => readPieces(runsOf(chunks), read));
    const handedOver = pieces.map(({ bytes }) => bytes.buffer as ArrayBuffer);
    const answer = await this.thread.ask({ kind: 'decode', group, columns, from, to, pieces }, handedOver);
    if ('corrupt' in answer) throw new SyntaxError(answer.corrupt);
    return answer.batches;
  }
}

/** Chunks that lie next to each other are read together. */
function runsOf(chunks: readonly Chunk[]): Chunk[] {
  const runs: Chunk[] = [];
  for (const { start, length } of chunks) {
    const last = runs.at(-1);
    if (last && start - (last.start + last.length) <= GAP) {
      runs[runs.length - 1] = { start: last.start, length: start + length - last.start };
    } else {
      runs.push({ start, length });
    }
  }
  return runs;
}

async function readPieces(
  runs: readonly Chunk[],
  read: (start: number, end: number) => Promise<Buffer>,
): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for (const { start, length } of runs) {
    const bytes = await read(start, start + length);
    // Small buffers share their memory, which cannot be handed over then.
    const own = bytes.length === bytes.buffer.byteLength;
    pieces.push({ start, bytes: own ? bytes : new Uint8Array(bytes) });
  }
  return pieces;
}

function rowReader(columns: readonly Column[]): (cells: readonly Cells[], count: number) => Row[] {
  const names = columns.map(({ name }) => name);
  const readers = columns.map(cellReader);
  return (cells, count) => {
    const rows: Row[] = [];
    for (let index = 0; index < count; index++) {
      const row: Row = {};
      for (let position = 0; position < names.length; position++) {
        const cell = cells[position]![index];
        const reader = readers[position];
        row[names[position]!] = reader ? reader(cell) : (cell ?? null);
      }
      rows.push(row);
    }
    return rows;
  };
}
