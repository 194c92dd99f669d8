// Fills a database with the records of materializations that another process made: `history.process.js URL COUNT`.
import { Client } from 'pg';
import { materializeAll, withApplication } from './measured-run.js';
import { layered } from './no-op.assets.js';

const [url = '', count = ''] = process.argv.slice(2);
const work = layered(1, Number(count) / 100, 'history');
await withApplication(work, { storage: { url } }, (flowstone) => materializeAll(flowstone, work));
// A history is old: what the server does some time after such a run has been done.
const client = new Client({ connectionString: url });
await client.connect();
await client.query('VACUUM (ANALYZE)');
await client.query('CHECKPOINT');
await client.end();
