// What a materialization leaves in the database: records, lineage, events and their indexes.
import { Client } from 'pg';
import { freshDatabase } from '../../test/services/services.js';
import type { BenchCase, Figures } from '../bench.case.js';
import { materializeAll, withApplication } from '../measured-run.js';
import { independent, layered, LAYERED_RUN, type Work } from '../no-op.assets.js';

const SIZES = `SELECT c.relname AS name, pg_total_relation_size(c.oid)::float8 / 1024 AS size FROM pg_class c
  WHERE c.relnamespace = 'flowstone'::regnamespace AND c.relkind = 'r'`;

/** KB per materialization, by table and in all. */
async function measure(name: string, work: Work): Promise<Figures> {
  const database = await freshDatabase();
  const client = new Client({ connectionString: database.url });
  try {
    await withApplication(work, { storage: { url: database.url } }, (flowstone) => materializeAll(flowstone, work));
    await client.connect();
    const { rows } = await client.query<{ name: string; size: number }>(SIZES);
    const figures: Record<string, number> = { [name]: 0 };
    for (const { name: table, size } of rows) {
      const each = size / (work.runs.length * work.runSize);
      figures[name]! += each;
      if (each > 0.01) figures[`${name}.${table}`] = each;
    }
    return figures;
  } finally {
    await client.end();
    await database.drop();
  }
}

const bench: BenchCase = {
  title: '20,000 assets that do nothing: database per materialization, all records, events and indexes',
  parts: {
    independent: ({ smoke }) => measure('independent', independent(smoke ? 1_000 : 2 * LAYERED_RUN)),
    layered: ({ smoke }) => measure('layered', smoke ? layered(1, 10) : layered(2)),
  },
  measures: [
    { name: 'layered 100 x 100', unit: 'KB', ours: 'layered', atMost: 2 },
    { name: 'independent', unit: 'KB', ours: 'independent', atMost: 2 },
  ],
};

export default bench;
