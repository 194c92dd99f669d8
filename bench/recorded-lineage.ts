// Records of assets as if they had been materialized, written by SQL: what takes minutes to compute is there in one.
import { Client } from 'pg';
import type { Figures } from './bench.case.js';
import { countServer } from './server-cpu.js';

/** An asset with so many hourly partitions, or without partitions. */
export interface RecordedAsset {
  readonly key: string;
  /** Undefined: it has no partitions. */
  readonly hours?: number;
  /** Index of the asset before it whose partitions from `hour - reach` to `hour + reach` each partition consumed. */
  readonly consumes?: { readonly asset: number; readonly reach: number };
}

/** The first partition of all that have some. */
export const FIRST_HOUR = '1900-01-01T00';

/** Writes the heads, their versions and what these consumed, of assets that an application has registered at this URL. */
export async function recordLineage(url: string, assets: readonly RecordedAsset[]): Promise<void> {
  const client = new Client({ connectionString: url, options: '-c search_path=flowstone' });
  await client.connect();
  const firsts: number[] = [];
  let next = 1;
  for (const { hours = 1 } of assets) {
    firsts.push(next);
    next += hours;
  }
  const total = next - 1;
  await client.query(
    `INSERT INTO runs (id, namespace, status, request, priority, tags, fail_fast, total, success, completed_at)
     SELECT 1, n.id, 'success', '{}', 0, '{}', false, $1::integer, $1::integer, now() FROM namespaces n`,
    [total],
  );
  for (const [index, { key, hours = 1, consumes }] of assets.entries()) {
    const first = firsts[index]!;
    await client.query(
      `WITH made AS (
        INSERT INTO heads (id, asset_id, partition, materialization_id)
        SELECT $2::bigint + h, a.id, CASE WHEN a.partitioned THEN to_char(timestamp '1900-01-01' + h * interval '1 hour', 'YYYY-MM-DD"T"HH24') ELSE '' END, $2::bigint + h
        FROM assets a CROSS JOIN generate_series(0, $3::integer - 1) AS h WHERE a.key = $1 RETURNING id, asset_id
      )
      INSERT INTO materializations (id, run_id, head_id, asset_id, namespace, status, process, epoch, data_version, inputs,
        upstreams, hash, started_at, completed_at)
      SELECT m.id, 1, m.id, m.asset_id, a.namespace, 'success', 'bench', 1, md5(m.id::text), md5(m.id::text), '',
        md5(m.id::text), now() - interval '1 second', now() FROM made m JOIN assets a ON a.id = m.asset_id ORDER BY m.id`,
      [key, first, hours],
    );
    if (!consumes) continue;
    await client.query(
      `INSERT INTO lineage (downstream, upstream) SELECT $1::bigint + h, $2::bigint + h + r
      FROM generate_series(0, $3::integer - 1) AS h CROSS JOIN generate_series(-$4::integer, $4::integer) AS r
      WHERE h + r BETWEEN 0 AND $5::integer - 1 ORDER BY h, r`,
      [first, firsts[consumes.asset]!, hours, consumes.reach, assets[consumes.asset]!.hours ?? 1],
    );
  }
  await client.query('VACUUM (ANALYZE)');
  await client.query('CHECKPOINT');
  await client.end();
}

/**
 * Asks so often, one after the other: the 95th percentile (`<name>`) and the median (`<name>.p50`) of the ms that takes, and
 * what a question costs: CPU microseconds of this process (`<name>.nodeUs`) and of the server (`<name>.postgresUs`).
 */
export async function askOften(
  name: string,
  url: string,
  { times, warmUps }: { readonly times: number; readonly warmUps: number },
  ask: (round: number) => Promise<void>,
): Promise<Figures> {
  for (let round = 0; round < warmUps; round++) await ask(round);
  const endCount = await countServer(url);
  const cpuBefore = process.cpuUsage();
  const taken: number[] = [];
  for (let round = warmUps; round < warmUps + times; round++) {
    const start = performance.now();
    await ask(round);
    taken.push(performance.now() - start);
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  const { cpu } = await endCount();
  const sorted = taken.toSorted((a, b) => a - b);
  return {
    [name]: sorted[Math.ceil(times * 0.95) - 1]!,
    [`${name}.p50`]: sorted[Math.ceil(times * 0.5) - 1]!,
    [`${name}.nodeUs`]: (user + system) / times,
    [`${name}.postgresUs`]: cpu / times,
  };
}
