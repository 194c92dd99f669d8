// Cells to the bytes of a Parquet file, in the thread. The file says in its footer, under `flowstone`, which columns it has
// and the CRC-32 of each column in each row group.
import { crc32 } from 'node:zlib';
import { ByteWriter, ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import { CODECS, COMPRESSORS } from './file.codecs.js';
import type { Cell, Cells } from './parquet.cells.js';
import { chunkOf, NOTE_KEY, writeNote } from './file.note.js';
import type { Column, ParquetCompression, ParquetType } from './parquet.schema.js';

const ELEMENTS: Readonly<Record<ParquetType, Omit<SchemaElement, 'name' | 'repetition_type'>>> = {
  boolean: { type: 'BOOLEAN' },
  int32: { type: 'INT32' },
  int64: { type: 'INT64' },
  double: { type: 'DOUBLE' },
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  date: { type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } },
  timestamp: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MILLIS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' },
  },
  json: { type: 'BYTE_ARRAY', converted_type: 'JSON', logical_type: { type: 'JSON' } },
  bytes: { type: 'BYTE_ARRAY' },
};

/** Takes the cells of a row group, encodes it, and so on. The bytes it answers with follow each other in the file. */
export class FileEncoder {
  readonly #writer = new ByteWriter();
  readonly #parquet: ParquetWriter;
  readonly #checksums: number[] = [];
  #rows = 0;
  /** By column, as they came. */
  #cells: Cells[][];

  constructor(
    private readonly columns: readonly Column[],
    compression: ParquetCompression,
  ) {
    this.#cells = columns.map(() => []);
    this.#parquet = new ParquetWriter({
      writer: this.#writer,
      schema: [{ name: 'root', num_children: columns.length }, ...columns.flatMap(elementsOf)],
      codec: CODECS[compression],
      compressors: COMPRESSORS,
      createdBy: 'flowstone',
      kvMetadata: [],
    });
  }

  add(count: number, cells: readonly Cells[]): void {
    this.#rows += count;
    for (const [position, column] of cells.entries()) this.#cells[position]!.push(column);
  }

  /** The row group of all cells since the one before. */
  encode(): Uint8Array {
    const columnData = this.columns.map((column, position) => {
      const data = storable(column, ([] as Cell[]).concat(...(this.#cells[position] as Cell[][])));
      return { name: column.name, data };
    });
    void this.#parquet.write({ columnData, rowGroupSize: this.#rows });
    this.#rows = 0;
    this.#cells = this.columns.map(() => []);
    // Where in the file the bytes that the writer holds begin.
    const begin = this.#writer.offset - this.#writer.index;
    const bytes = this.#writer.getBytes();
    for (const column of this.#parquet.row_groups.at(-1)!.columns) {
      const { start, length } = chunkOf(column);
      this.#checksums.push(crc32(bytes.subarray(start - begin, start - begin + length)));
    }
    return this.#take();
  }

  /** The end of the file, its footer. */
  finish(): Uint8Array {
    this.#parquet.kvMetadata!.push({ key: NOTE_KEY, value: writeNote(this.columns, this.#checksums) });
    void this.#parquet.finish();
    return this.#take();
  }

  #take(): Uint8Array {
    const bytes = this.#writer.getBytes().slice();
    this.#writer.index = 0;
    return bytes;
  }
}

function elementsOf({ name, type, list, nullable }: Column): SchemaElement[] {
  const repetition_type = nullable ? 'OPTIONAL' : 'REQUIRED';
  if (!list) return [{ name, repetition_type, ...ELEMENTS[type] }];
  return [
    { name, repetition_type, num_children: 1, converted_type: 'LIST', logical_type: { type: 'LIST' } },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', repetition_type: 'OPTIONAL', ...ELEMENTS[type] },
  ];
}

/** As the writer takes them. */
function storable({ type, list }: Column, cells: Cell[]): Cell[] {
  if (type !== 'timestamp') return cells;
  return list
    ? (cells as (number[] | null)[]).map((times) => times && times.map(bigintOf))
    : (cells as number[]).map(bigintOf);
}

function bigintOf(time: number | null): bigint | null {
  return time === null ? null : BigInt(time);
}
