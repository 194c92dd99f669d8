// The readers that judge our Parquet files: that they read one, and say of each value what it is.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { readParquetWithDuckdb, readParquetWithPyarrow } from '../services/parquet-readers.js';

let folder: string;
let file: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flowstone-readers-'));
  file = join(folder, 'made.parquet');
  const columns = [
    { name: 'id', type: 'INT64' as const, data: [1n, 9_007_199_254_740_993n, 3n], nullable: false },
    { name: 'delay', type: 'DOUBLE' as const, data: [0.5, Number.NaN, null] },
    { name: 'airport', type: 'STRING' as const, data: ['ATL', 'Zürich', null] },
    { name: 'late', type: 'BOOLEAN' as const, data: [true, false, null] },
    { name: 'at', type: 'TIMESTAMP' as const, data: [new Date('2001-03-04T05:06:07.890Z'), null, null] },
  ];
  await writeFile(file, new Uint8Array(parquetWriteBuffer({ columnData: columns, rowGroupSize: 2 })));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the readers of Parquet files', () => {
  it('duckdb answers by SQL, with nothing rounded', async () => {
    const { schema, rows } = await readParquetWithDuckdb(file);
    expect(schema).toMatchObject({ id: 'BIGINT', delay: 'DOUBLE', airport: 'VARCHAR', late: 'BOOLEAN' });
    expect(rows[1]).toEqual({ id: '9007199254740993', delay: 'nan', airport: 'Zürich', late: 'false', at: null });
    const { rows: counted } = await readParquetWithDuckdb(file, 'SELECT count(*) AS n, max("at") AS last FROM file');
    expect(counted).toEqual([{ n: '3', last: expect.stringContaining('2001-03-04 05:06:07.89') }]);
    await expect(readParquetWithDuckdb(file, 'SELECT nothing FROM file')).rejects.toThrow('nothing');
  }, 300_000);

  it('pyarrow tells schema, row groups and rows', async () => {
    const { schema, rowGroups, codecs, rows } = await readParquetWithPyarrow(file);
    expect(schema).toMatchObject({ id: 'int64 not null', delay: 'double', airport: 'string', late: 'bool' });
    expect(rowGroups).toEqual([2, 1]);
    expect(codecs).toEqual(['SNAPPY']);
    expect(rows[0]).toMatchObject({ id: '1', delay: 0.5, airport: 'ATL', late: true });
    expect(rows[0]?.['at']).toContain('2001-03-04T05:06:07.890');
    expect(rows.slice(1).map(({ delay }) => delay)).toEqual(['NaN', null]);
  }, 300_000);

  it('fail over a file that is cut short', async () => {
    const cut = join(folder, 'cut.parquet');
    await writeFile(cut, (await readFile(file)).subarray(0, -20));
    await expect(readParquetWithDuckdb(cut)).rejects.toThrow('No magic bytes found');
    await expect(readParquetWithPyarrow(cut)).rejects.toThrow('Parquet magic bytes not found');
  }, 300_000);
});
