// A million rows of eight columns through a Parquet file, beside bare hyparquet on the main thread.
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { fileWriter, parquetWriteRows } from 'hyparquet-writer';
import { FileStore } from '../../lib/io/blobs/files/file.store.js';
import { ParquetIoManager } from '../../lib/io/managers/parquet.io-manager.js';
import type { Rows } from '../../lib/io/rows.js';
import type { JsonValue } from '../../lib/ledger/records.js';
import type { BenchCase, Figures, Surroundings } from '../bench.case.js';
import { departures, departureSum, DEPARTURES, type Departure } from '../departures.js';

const countOf = (smoke: boolean): number => (smoke ? 60_000 : 1_000_000);

/** Rows per second by `name`, and the event loop's worst percentile meanwhile. */
async function measure(name: string, rows: number, work: () => Promise<unknown>): Promise<Figures> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  delay.disable();
  return { [name]: rows / seconds, [`${name}.p99`]: delay.percentile(99) / 1e6 };
}

async function ours({ directory, smoke }: Surroundings): Promise<Figures> {
  const count = countOf(smoke);
  const manager = new ParquetIoManager({ store: new FileStore(directory) });
  const address = { namespace: 'bench', asset: 'departures', partition: undefined, options: { schema: DEPARTURES } };
  const { signal } = new AbortController();
  let location: JsonValue = null;
  const write = await measure('write', count, async () => {
    const context = { ...address, materialization: 1, epoch: 1, signal };
    ({ location } = await manager.store(context, departures(count)));
  });
  const read = await measure('read', count, async () => {
    let sum = 0;
    for await (const row of (await manager.load({ ...address, location })) as Rows<Departure>) sum += row.distance;
    if (sum !== departureSum(count)) throw new Error('the rows that were read are not those that were written');
  });
  await manager.close();
  return { ...write, ...read };
}

// Its settings are the fastest of those tried: rows as they come, row groups of 50,000, and read one by one.
async function peer({ directory, smoke }: Surroundings): Promise<Figures> {
  const count = countOf(smoke);
  const path = join(directory, 'peer.parquet');
  const types = {
    int64: 'INT64',
    timestamp: 'TIMESTAMP',
    string: 'STRING',
    double: 'DOUBLE',
    int32: 'INT32',
    boolean: 'BOOLEAN',
  } as const;
  const columns = Object.entries(DEPARTURES).map(([name, type]) => ({ name, type: types[type] }));
  const write = await measure('bareWrite', count, async () => {
    await parquetWriteRows({ writer: fileWriter(path), rows: departures(count), columns, rowGroupSize: 50_000 });
  });
  const read = await measure('bareRead', count, async () => {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    let sum = 0;
    let rowStart = 0;
    for (const { num_rows: rows } of metadata.row_groups) {
      const rowEnd = rowStart + Number(rows);
      for (const row of await parquetReadObjects({ file, metadata, rowStart, rowEnd }))
        sum += (row as Departure).distance;
      rowStart = rowEnd;
    }
    if (sum !== departureSum(count)) throw new Error('the rows that were read are not those that were written');
  });
  return { ...write, ...read };
}

const bench: BenchCase = {
  title: '1,000,000 rows of 8 columns to Parquet and back, as rows / bare hyparquet and hyparquet-writer',
  parts: { ours, peer },
  measures: [
    { name: 'write', unit: '/s', ours: 'write', peer: 'bareWrite', atLeast: 0.8 },
    { name: 'read', unit: '/s', ours: 'read', peer: 'bareRead', atLeast: 0.8 },
  ],
};

export default bench;
