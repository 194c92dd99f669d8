// The bytes of a Parquet file to cells, in the thread. Every byte is checked before it is decoded: the footer by whoever
// gives it, columns by the checksums in it.
import { serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import { parquetMetadata, parquetRead, type ColumnData, type FileMetaData, type SchemaElement } from 'hyparquet';
import { DECOMPRESSORS } from './file.codecs.js';
import type { Cells } from './parquet.cells.js';
import { chunkOf, NOTE_KEY, readNote } from './file.note.js';
import type { Answers, DecodedBatch, Order, Outline, Piece } from './parquet.messages.js';
import type { Column } from './parquet.schema.js';

/** So few that turning them to rows holds the event loop up for a millisecond or two. */
const BATCH_ROWS = 1024;

// The reader's own would take a byte order mark off.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const PARSERS = {
  timestampFromMilliseconds: Number,
  dateFromDays: (days: number) => days,
  stringFromBytes: (bytes: Uint8Array) => decoder.decode(bytes),
  jsonFromBytes: (bytes: Uint8Array) => decoder.decode(bytes),
};

export class FileDecoder {
  readonly #metadata: FileMetaData;
  readonly #columns: Column[];
  readonly #checksums: Uint32Array;
  /** By column. */
  readonly #schemas: SchemaElement[][];

  constructor(footer: Uint8Array) {
    this.#metadata = parquetMetadata(footer, { geoparquet: false });
    this.#schemas = schemasOf(this.#metadata.schema);
    const note = this.#metadata.key_value_metadata?.find(({ key }) => key === NOTE_KEY);
    ({ columns: this.#columns, checksums: this.#checksums } = readNote(note!.value!));
  }

  get outline(): Outline {
    const groups = this.#metadata.row_groups.map(({ num_rows, columns }) => ({
      rows: Number(num_rows),
      chunks: columns.map(chunkOf),
    }));
    return { columns: this.#columns, groups };
  }

  async decode({ group, columns, from, to, pieces }: Order & { kind: 'decode' }): Promise<Answers['decode']> {
    const all: Cells[] = [];
    for (const position of columns) {
      const chunk = this.#chunk(group, position, pieces);
      if (crc32(chunk.bytes) !== this.#checksums[group * this.#columns.length + position]!)
        return { corrupt: `the checksum of column "${this.#columns[position]!.name}" in row group ${group} differs` };
      all.push(await this.#cells(group, position, chunk, from, to));
    }
    const batches: DecodedBatch[] = [];
    for (let row = from; row < to; row += BATCH_ROWS) {
      const end = Math.min(to, row + BATCH_ROWS);
      const cells = serialize(all.map((column) => part(column, row - from, end - from)));
      batches.push({ rows: end - row, cells });
    }
    return { batches };
  }

  #chunk(group: number, position: number, pieces: readonly Piece[]): Piece {
    const { start, length } = chunkOf(this.#metadata.row_groups[group]!.columns[position]!);
    const piece = pieces.find(({ start: at, bytes }) => at <= start && start + length <= at + bytes.length)!;
    return { start, bytes: piece.bytes.subarray(start - piece.start, start - piece.start + length) };
  }

  /** The reader is shown a file of this one column of this one row group. */
  async #cells(group: number, position: number, chunk: Piece, from: number, to: number): Promise<Cells> {
    const { columns, ...rest } = this.#metadata.row_groups[group]!;
    const parts: Cells[] = [];
    await parquetRead({
      file: {
        byteLength: chunk.start + chunk.bytes.length,
        slice: (start, end) => new Uint8Array(chunk.bytes.subarray(start - chunk.start, end! - chunk.start)).buffer,
      },
      metadata: {
        ...this.#metadata,
        schema: this.#schemas[position]!,
        row_groups: [{ ...rest, columns: [columns[position]!] }],
      },
      columns: [this.#columns[position]!.name],
      ...{ rowStart: from, rowEnd: to, utf8: false, geoparquet: false },
      ...{ parsers: PARSERS, compressors: DECOMPRESSORS },
      onChunk: ({ columnData, rowStart, rowEnd }: ColumnData) => {
        const [start, end] = [Math.max(from, rowStart), Math.min(to, rowEnd)];
        if (start < end) parts.push(part(columnData as Cells, start - rowStart, end - rowStart));
      },
    });
    return parts.length === 1 ? parts[0]! : parts.flatMap((cells) => Array.from(cells));
  }
}

/** For each column a schema of it alone: of all that it is shown the reader makes a tree, for each column anew. */
function schemasOf([root, ...elements]: readonly SchemaElement[]): SchemaElement[][] {
  const schemas: SchemaElement[][] = [];
  for (let end = 0; end < elements.length;) {
    const start = end;
    for (let open = 1; open > 0; end++) open += (elements[end]!.num_children ?? 0) - 1;
    schemas.push([{ ...root!, num_children: 1 }, ...elements.slice(start, end)]);
  }
  return schemas;
}

function part(cells: Cells, start: number, end: number): Cells {
  return (cells as unknown[]).slice(start, end) as Cells;
}
