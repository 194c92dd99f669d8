// The status of an asset of a million partitions, each fed by one of another: asked for once, by a process that has just
// started. What a million commits would have left in the database is written by SQL; then a worker's look is waited for
// in the form of one question asked before, as it keeps summaries up to date (lib/runs/summary.keeper.ts).
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { freshDatabase } from '../../test/services/services.js';
import type { BenchCase, Figures } from '../bench.case.js';
import { withApplication } from '../measured-run.js';
import { derivedFrom } from '../status.assets.js';

const MILLION = 1_000_000;
/** Processes that are asked, one after the other, for each figure. */
const ASKED = 5;
const PROGRAM = join(import.meta.dirname, '..', 'status.process.js');

const execute = promisify(execFile);

interface Answer {
  readonly milliseconds: number;
  readonly stale: number;
  readonly fresh: number;
  readonly ranges: number;
}

const HEADS = `INSERT INTO flowstone.heads (asset_id, partition)
  SELECT a.id, to_char(timestamp '1900-01-01' + n * interval '1 hour', 'YYYY-MM-DD"T"HH24')
  FROM flowstone.assets a, generate_series(0, $1::integer - 1) n ORDER BY a.id, n`;

/** What a version of `source` counts in the fingerprint of what consumes it (planning/inputs-fingerprint.ts). */
const FINGERPRINT = `left(encode(sha256(convert_to('6 ' || length(h.partition) || ' source' || h.partition || 'v1', 'UTF8')), 'hex'), 32)`;

const COMMIT_ALL = `WITH made AS (
    INSERT INTO flowstone.materializations (namespace, asset_id, head_id, status, data_version, upstreams, inputs, started_at, completed_at)
    SELECT a.namespace, a.id, h.id, 'success', 'v1', CASE a.key WHEN 'derived' THEN 'source' ELSE '' END,
      CASE a.key WHEN 'derived' THEN ${FINGERPRINT} ELSE repeat('0', 32) END, now(), now()
    FROM flowstone.assets a JOIN flowstone.heads h ON h.asset_id = a.id
    RETURNING id, head_id
  )
  UPDATE flowstone.heads h SET materialization_id = m.id FROM made m WHERE m.head_id = h.id`;

/** Some partitions of `source` get another version, or the one they had. */
const commitSome = (which: string): string => `WITH chosen AS MATERIALIZED (
    SELECT h.id, h.asset_id, a.namespace FROM flowstone.assets a JOIN flowstone.heads h ON h.asset_id = a.id
    WHERE a.key = 'source' ${which}
  ), made AS (
    INSERT INTO flowstone.materializations (namespace, asset_id, head_id, status, data_version, upstreams, inputs, started_at, completed_at)
    SELECT c.namespace, c.asset_id, c.id, 'success', $1, '', repeat('0', 32), now(), now() FROM chosen c
    RETURNING id, head_id
  ), moved AS (
    UPDATE flowstone.heads h SET materialization_id = m.id FROM made m WHERE m.head_id = h.id RETURNING h.id, h.asset_id
  )
  SELECT flowstone.note_changes(array_agg(m.asset_id), array_agg(m.id)) FROM moved m`;

/** Scattered at random, but the same in every round. */
const SCATTERED = (count: number): string => `ORDER BY md5(h.partition) LIMIT ${count}`;
const TENTH = (size: number): string => `ORDER BY h.partition LIMIT ${size / 10} OFFSET ${size / 2}`;

async function ask(url: string, size: number, stale: number, version = ''): Promise<Answer> {
  const { stdout } = await execute(process.execPath, [PROGRAM, url, String(size), version]);
  const answer = JSON.parse(stdout) as Answer;
  if (answer.stale !== stale || answer.fresh !== size - stale) throw new Error(`${stdout.trim()}, not ${stale} stale`);
  return answer;
}

/** The median over some processes, after one that is not counted; its time is `<name>.before`. */
async function measure(name: string, url: string, size: number, stale: number, version?: string): Promise<Figures> {
  const { milliseconds: before } = await ask(url, size, stale, version);
  const answers: Answer[] = [];
  for (let asked = 0; asked < ASKED; asked++) answers.push(await ask(url, size, stale, version));
  const times = answers.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  return { [name]: times[Math.floor(ASKED / 2)]!, [`${name}.before`]: before, [`${name}.ranges`]: answers[0]!.ranges };
}

async function measureAll(size: number): Promise<Figures> {
  const database = await freshDatabase();
  const client = new Client({ connectionString: database.url });
  try {
    await withApplication(
      { assets: derivedFrom(size) },
      { storage: { url: database.url }, role: 'api' },
      async () => {},
    );
    await client.connect();
    await client.query(HEADS, [size]);
    await client.query(COMMIT_ALL);
    await client.query('VACUUM (ANALYZE)');
    const { url } = database;
    const fresh = await measure('fresh', url, size, 0);
    await client.query(commitSome(SCATTERED(size / 1000)), ['v2']);
    const scattered = await measure('scattered', url, size, size / 1000);
    await client.query(commitSome(SCATTERED(size / 1000)), ['v1']);
    await client.query(commitSome(TENTH(size)), ['v2']);
    const contiguous = await measure('contiguous', url, size, size / 10);
    await client.query(commitSome(''), ['v2']);
    const all = await measure('all', url, size, size);
    // Last, since it is the current definition from then on.
    await client.query(commitSome(''), ['v1']);
    const code = await measure('code', url, size, size, '2');
    return { ...fresh, ...scattered, ...contiguous, ...code, ...all };
  } finally {
    await client.end();
    await database.drop();
  }
}

const bench: BenchCase = {
  title: 'status of an asset of 1,000,000 partitions with a same-key upstream, asked in a new process',
  rounds: 1,
  parts: { status: ({ smoke }) => measureAll(smoke ? 20_000 : MILLION) },
  measures: [
    { name: '1,000 scattered stale', unit: 'ms', ours: 'scattered', atMost: 20 },
    { name: 'all fresh', unit: 'ms', ours: 'fresh', atMost: 20 },
    { name: '100,000 contiguous stale', unit: 'ms', ours: 'contiguous', atMost: 20 },
    { name: 'all stale, code changed', unit: 'ms', ours: 'code', atMost: 20 },
  ],
};

export default bench;
