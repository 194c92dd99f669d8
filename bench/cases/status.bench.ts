// The status of an asset of a million partitions, each fed by one of another: asked for once, by a process that has read
// nothing of it yet, and told about a smaller one before, so that what is measured is not how soon the engine compiles. How
// long it takes a process that has just started is printed beside it. What a million commits would have left in the
// database is written by SQL; then a worker's look is waited for in the form of one question asked before, as it keeps
// summaries up to date (lib/runs/summary.keeper.ts).
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { freshDatabase } from '../../test/services/services.js';
import type { BenchCase, Figures } from '../bench.case.js';
import { withApplication } from '../measured-run.js';
import { bothPairs, OTHER, SMALLER } from '../status.assets.js';

const MILLION = 1_000_000;
/** Processes that are asked, one after the other, for each figure. */
const ASKED = { smoke: 1, whole: 5 };
/** Questions about the smaller asset that come before. */
const IN_SERVICE = { smoke: 2, whole: 200 };
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
  FROM flowstone.assets a, generate_series(0, $1::integer - 1) n WHERE a.key = ANY($2::text[]) ORDER BY a.id, n`;

/** What a version of `source` counts in the fingerprint of what consumes it (planning/inputs-fingerprint.ts). */
const FINGERPRINT = `left(encode(sha256(convert_to(length(s.key) || ' ' || length(h.partition) || ' ' || s.key || h.partition || 'v1', 'UTF8')), 'hex'), 32)`;

const COMMIT_ALL = `WITH made AS (
    INSERT INTO flowstone.materializations (namespace, asset_id, head_id, status, data_version, upstreams, inputs, started_at, completed_at)
    SELECT a.namespace, a.id, h.id, 'success', 'v1', COALESCE(s.key, ''),
      CASE WHEN s.key IS NULL THEN repeat('0', 32) ELSE ${FINGERPRINT} END, now(), now()
    FROM flowstone.assets a JOIN flowstone.heads h ON h.asset_id = a.id
      LEFT JOIN flowstone.assets s ON a.key LIKE '%derived' AND s.key = replace(a.key, 'derived', 'source')
    RETURNING id, head_id
  )
  UPDATE flowstone.heads h SET materialization_id = m.id FROM made m WHERE m.head_id = h.id`;

/** Some partitions of a source get another version, or the one they had. */
const COMMIT_SOME = (which: string): string => `WITH chosen AS MATERIALIZED (
    SELECT h.id, h.asset_id, a.namespace FROM flowstone.assets a JOIN flowstone.heads h ON h.asset_id = a.id
    WHERE a.key = $2 ${which}
  ), made AS (
    INSERT INTO flowstone.materializations (namespace, asset_id, head_id, status, data_version, upstreams, inputs, started_at, completed_at)
    SELECT c.namespace, c.asset_id, c.id, 'success', $1, '', repeat('0', 32), now(), now() FROM chosen c
    RETURNING id, head_id
  ), moved AS (
    UPDATE flowstone.heads h SET materialization_id = m.id FROM made m WHERE m.head_id = h.id RETURNING h.id, h.asset_id
  )
  SELECT flowstone.note_changes(array_agg(m.asset_id), array_agg(m.id)) FROM moved m`;

/** Some of so many partitions. */
type Choice = (size: number) => string;
/** Scattered at random, but the same in every round. */
const SCATTERED: Choice = (size) => `ORDER BY md5(h.partition) LIMIT ${size / 1000}`;
const TENTH: Choice = (size) => `ORDER BY h.partition LIMIT ${size / 10} OFFSET ${size / 2}`;
const ALL: Choice = () => '';

interface Asked {
  readonly url: string;
  readonly size: number;
  readonly stale: number;
  readonly version?: string;
  readonly extent: 'smoke' | 'whole';
}

async function ask({ url, size, stale, version = '' }: Asked, questions: number): Promise<Answer> {
  const { stdout } = await execute(process.execPath, [PROGRAM, url, String(size), String(questions), version]);
  const answer = JSON.parse(stdout) as Answer;
  if (answer.stale !== stale || answer.fresh !== size - stale) throw new Error(`${stdout.trim()}, not ${stale} stale`);
  return answer;
}

/**
 * The median over some processes, after one that is not counted; its time is `<name>.before`, that of processes which have
 * just started `<name>.started`.
 */
async function measure(name: string, asked: Asked): Promise<Figures> {
  const { milliseconds: before, ranges } = await ask(asked, 1);
  const median = async (questions: number): Promise<number> => {
    const times: number[] = [];
    for (let round = 0; round < ASKED[asked.extent]; round++) times.push((await ask(asked, questions)).milliseconds);
    return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;
  };
  return {
    [name]: await median(IN_SERVICE[asked.extent]),
    [`${name}.started`]: await median(0),
    [`${name}.before`]: before,
    [`${name}.ranges`]: ranges,
  };
}

async function measureAll(size: number, extent: Asked['extent']): Promise<Figures> {
  const database = await freshDatabase();
  const { url } = database;
  const client = new Client({ connectionString: url });
  try {
    await withApplication({ assets: bothPairs(size) }, { storage: { url }, role: 'api' }, async () => {});
    await client.connect();
    await client.query(HEADS, [size, ['source', 'derived']]);
    await client.query(HEADS, [size / SMALLER, [`${OTHER}source`, `${OTHER}derived`]]);
    await client.query(COMMIT_ALL);
    await client.query('VACUUM (ANALYZE)');
    const commit = async (choice: Choice, version: string): Promise<void> => {
      await client.query(COMMIT_SOME(choice(size)), [version, 'source']);
      await client.query(COMMIT_SOME(choice(size / SMALLER)), [version, `${OTHER}source`]);
    };
    const fresh = await measure('fresh', { url, size, extent, stale: 0 });
    await commit(SCATTERED, 'v2');
    const scattered = await measure('scattered', { url, size, extent, stale: size / 1000 });
    await commit(SCATTERED, 'v1');
    await commit(TENTH, 'v2');
    const contiguous = await measure('contiguous', { url, size, extent, stale: size / 10 });
    await commit(ALL, 'v2');
    const all = await measure('all', { url, size, extent, stale: size });
    // Last, since it is the current definition from then on.
    await commit(ALL, 'v1');
    const code = await measure('code', { url, size, extent, stale: size, version: '2' });
    return { ...fresh, ...scattered, ...contiguous, ...code, ...all };
  } finally {
    await client.end();
    await database.drop();
  }
}

const bench: BenchCase = {
  title: 'status of an asset of 1,000,000 partitions with a same-key upstream, of which nothing was read before',
  rounds: 1,
  parts: { status: ({ smoke }) => (smoke ? measureAll(20_000, 'smoke') : measureAll(MILLION, 'whole')) },
  measures: [
    { name: '1,000 scattered stale', unit: 'ms', ours: 'scattered', atMost: 20 },
    { name: 'all fresh', unit: 'ms', ours: 'fresh', atMost: 20 },
    { name: '100,000 contiguous stale', unit: 'ms', ours: 'contiguous', atMost: 20 },
    { name: 'all stale, code changed', unit: 'ms', ours: 'code', atMost: 20 },
  ],
};

export default bench;
