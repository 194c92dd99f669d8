// Rows as Parquet. Here, rows become cells and cells rows; a thread (parquet.thread.ts) makes cells bytes and bytes cells.
import { setImmediate as turn } from 'node:timers/promises';
import type { ValueColumn } from '../../../ledger/records.js';
import type { ByteSink } from '../../blobs/blob-store.port.js';
import { isRowArray, isRowStream } from '../../data-version.js';
import { RowEncoder } from '../../row-encoder.js';
import { refuse } from '../../tagged-json.js';
import { misfit } from '../document.formats.js';
import type { RowFormat, ValueOptions, WantedRows, Written, ByteSource } from '../format.port.js';
import { ParquetFileReader } from './parquet-file.reader.js';
import { ParquetFileWriter } from './parquet-file.writer.js';
import { compressionProblem, schemaProblem, type Column } from './parquet.schema.js';
import { endIdleThread, PARQUET_PACKAGES } from './parquet.thread.js';

/** Rows, from an array or an async iterable, in row groups. Columns that a row lacks are null when it is read. */
export const PARQUET_FORMAT: RowFormat = {
  ...{ extension: 'parquet', sequential: false, packages: PARQUET_PACKAGES },
  options: { schema: schemaProblem, compression: compressionProblem },
  async write(value: unknown, sink: ByteSink, options: ValueOptions, signal: AbortSignal): Promise<Written> {
    if (!isRowStream(value) && !isRowArray(value)) misfit('is no array of plain objects', 'parquet');
    const problem = schemaProblem(options['schema']) ?? compressionProblem(options['compression']);
    if (problem !== undefined) refuse([], `has no usable options (${problem})`, 'Correct the options of the asset.');
    const file = new ParquetFileWriter(sink, options);
    const encoder = new RowEncoder();
    try {
      for await (const row of value) {
        signal.throwIfAborted();
        const tagged = encoder.add(row, file.tagging);
        if (!file.add(row as Readonly<Record<string, unknown>>, tagged)) continue;
        await file.flush();
      }
      signal.throwIfAborted();
      const hash = encoder.digest();
      const detail = await file.finish();
      return { hash, rows: encoder.rows, detail, schema: file.columns.map(describe) };
    } finally {
      await file.close();
    }
  },
  async *readRows(source: ByteSource, { columns, range, detail }: WantedRows) {
    const file = await ParquetFileReader.open(source, detail);
    try {
      for await (const rows of file.read(columns, range)) {
        yield rows;
        await turn();
      }
    } finally {
      file.close();
    }
  },
  release: endIdleThread,
};

function describe({ name, type, list, nullable }: Column): ValueColumn {
  return { name, type: list ? `list of ${type}` : type, nullable };
}
