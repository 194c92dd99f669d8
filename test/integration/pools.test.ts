// Pools on PostgreSQL, where lanes, limits and time are: what may begin first, and who gets its turn.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import type { PoolRegistration } from '../../lib/ledger/registrations.js';
import type { Claim, Outcome } from '../../lib/ledger/work.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { inSchema } from '../../lib/ledger/sql/statement.js';
import { HAS_READY } from '../../lib/ledger/sql/statements/claiming.js';
import { error, planOf, runOf, success, World, LEASE } from '../conformance/ledger.fixture.js';
import { sqlLedger } from '../conformance/ledger-sql.fixture.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

let database: FreshDatabase;
let dataSource: DataSource;
let world: World;

beforeAll(async () => {
  database = await freshDatabase();
  dataSource = ledgerDataSource({ url: database.url }, 'flowstone');
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  const { ledger, pass } = await sqlLedger(dataSource);
  world = new World(ledger, pass);
});

const keys = (count: number, priority = 0, prefix = '') =>
  Array.from({ length: count }, (_, index) => ({ asset: 'p', partition: `${prefix}${index}`, priority }));

/** The lanes of a run were not served for so long. */
const unserved = (run: number, minutes: number): Promise<unknown> =>
  dataSource.query(
    `UPDATE flowstone.lanes SET served_at = clock_timestamp() - $2 * interval '1 minute' WHERE run_id = $1`,
    [run, minutes],
  );

const bounded = (pools: readonly PoolRegistration[]): Promise<unknown> =>
  world.ledger.register(
    { id: 'one', host: 'here', pid: 1, worker: true, lease: LEASE },
    [
      {
        ...{ key: 'p', formerly: [], hash: 'hash of p', partitioned: true, pool: 'default', upstreams: '' },
        definition: { key: 'p' },
      },
    ],
    pools,
  );

describe('what begins first', () => {
  it('is of the higher priority, until the lower one has waited a minute for each point', async () => {
    await world.register('one');
    const low = await world.run(keys(10, 1, 'low'));
    const high = await world.run(keys(40, 4, 'high'));
    const runsOf = async (limit: number) => (await world.claim('one', { limit })).map(({ run }) => run);
    expect(await runsOf(5)).toEqual(Array(5).fill(high.id));
    await unserved(low.id, 2.5);
    expect(await runsOf(5)).toEqual(Array(5).fill(high.id));
    await unserved(low.id, 3.5);
    // As urgent as the others now: its share.
    expect(new Set(await runsOf(6))).toEqual(new Set([low.id, high.id]));
    await unserved(low.id, 4.5);
    expect(new Set(await runsOf(3))).toEqual(new Set([low.id]));
    // It was served: it is less urgent again.
    expect(await runsOf(5)).toEqual(Array(5).fill(high.id));
  });

  it('is of a small run beside a big one within one claim, and of each of many its share', async () => {
    await world.register('one');
    await world.run(keys(10_000, 0, 'big'));
    expect(await world.claim('one', { limit: 8 })).toHaveLength(8);
    const small = [];
    for (let index = 0; index < 3; index++) small.push((await world.run(keys(2, 0, `small${index}.`))).id);
    const next = (await world.claim('one', { limit: 4 })).map(({ run }) => run);
    expect(next).toEqual(expect.arrayContaining(small));
  });

  it('is not held up by runs whose pool is full, however many there are', async () => {
    await bounded([{ name: 'default', concurrency: 1, rate: null }]);
    await world.ledger.register(
      { id: 'two', host: 'here', pid: 1, worker: true, lease: LEASE },
      ['p', 'a'].map((key) => ({
        ...{ key, formerly: [], hash: `hash of ${key}`, partitioned: key === 'p', upstreams: '', definition: { key } },
        pool: key === 'p' ? 'default' : 'other',
      })),
    );
    const insert = (entries: Parameters<typeof planOf>[0]) =>
      world.ledger.insertRun(runOf(), { plan: planOf(entries) });
    for (let index = 0; index < 300; index++) await insert(keys(1, 0, `before${index}`));
    const { run } = await insert([{ asset: 'a' }]);
    for (let index = 0; index < 300; index++) await insert(keys(1, 0, `after${index}`));
    const request = { assets: ['a', 'p'], limit: 8 };
    const claimed: number[] = [];
    // Neither among the oldest nor among the newest: found by chance, each time with a probability of two fifths.
    for (let round = 0; round < 100 && !claimed.includes(run.id); round++) {
      claimed.push(...(await world.claim('two', request)).map((claim) => claim.run));
    }
    expect(claimed).toContain(run.id);
    expect(claimed).toHaveLength(2);
  });
});

describe('what others leave lying', () => {
  const enter = (pools: Readonly<Record<'a' | 'p', string>>): Promise<unknown> =>
    world.ledger.register(
      { id: 'one', host: 'here', pid: 1, worker: true, lease: LEASE },
      (['a', 'p'] as const).map((key) => ({
        ...{ key, formerly: [], hash: `hash of ${key}`, partitioned: key === 'p', upstreams: '', definition: { key } },
        pool: pools[key],
      })),
    );
  /** As if there were so many more runs with what this one has ready, each with a lane for it. */
  const andRuns = (run: number, count: number): Promise<unknown> =>
    dataSource.query(
      `WITH one AS MATERIALIZED (
        SELECT l.*, y.* FROM flowstone.lanes l JOIN flowstone.ready y ON y.lane_id = l.id WHERE l.run_id = $1 LIMIT 1
      ), made AS (
        INSERT INTO flowstone.lanes (namespace, run_id, pool_id, key_limit, has_ready, assets)
        SELECT o.namespace, o.run_id, o.pool_id, -n, true, o.assets FROM one o CROSS JOIN generate_series(1, $2::integer) n
        RETURNING id
      )
      INSERT INTO flowstone.ready (lane_id, rank, materialization_id, asset_id)
      SELECT m.id, o.rank, o.materialization_id, o.asset_id FROM one o CROSS JOIN made m`,
      [run, count],
    );
  const ofA = (): ReturnType<typeof world.ledger.beat> =>
    world.ledger.beat([], { process: 'one', assets: ['a'], limit: 8 });

  it('is not read by a claim that has no use for it, nor by the look for work', async () => {
    await enter({ a: 'default', p: 'heavy' });
    const lying = await world.run(keys(20_000));
    await unserved(lying.id, 5);
    const mine = await world.run([{ asset: 'a' }]);
    const [{ namespace, a }] = await dataSource.query<[{ namespace: number; a: number }]>(
      `SELECT a.namespace, a.id AS a FROM flowstone.assets a JOIN flowstone.runs r ON r.namespace = a.namespace
      WHERE r.id = $1 AND a.key = 'a'`,
      [mine.id],
    );
    const read = await dataSource.transaction(async (manager) => {
      const reads = async (): Promise<number> => {
        const [row] = await manager.query<[{ n: number }]>(`SELECT (idx_tup_fetch + seq_tup_read)::integer AS n
          FROM pg_stat_xact_user_tables WHERE relid = 'flowstone.ready'::regclass`);
        return row.n;
      };
      const before = await reads();
      await manager.query(
        `SELECT flowstone.beat($1, '{}', '[]', '{}', '{}', '{}', '{}', 'one', 8,
          set_bit(decode(repeat('00', $2 / 8 + 1), 'hex'), $2, 1), NULL, NULL)`,
        [namespace, a],
      );
      expect(await manager.query(inSchema(HAS_READY, 'flowstone').text, [namespace, [a]])).toEqual([{ ready: false }]);
      return (await reads()) - before;
    });
    expect(read).toBeLessThan(20);
    expect(await world.ledger.run(mine.id)).toMatchObject({ counts: { running: 1 } });
    expect(await world.ledger.hasReady(['p'])).toBe(true);
  });

  it('hides nothing, however many runs it is of', async () => {
    await enter({ a: 'default', p: 'heavy' });
    const lying = await world.run(keys(1));
    await andRuns(lying.id, 1000);
    const mine = await world.run([{ asset: 'a' }]);
    const after = await world.run(keys(1, 0, 'after'));
    await andRuns(after.id, 1000);
    const { claims, again } = await ofA();
    expect(claims).toMatchObject([{ run: mine.id }]);
    expect(again).toBeNull();
    // Of as many as there are of others nothing has to be looked for again.
    expect(await ofA()).toMatchObject({ claims: [], again: null });
  });

  it('is looked through again, if not soon, where it may hide something of its own', async () => {
    await enter({ a: 'default', p: 'default' });
    const left = async (runs: number): Promise<void> => {
      const lying = await world.run([
        { asset: 'p', partition: `${runs}` },
        { asset: 'a', upstreams: [0] },
      ]);
      await andRuns(lying.id, runs);
    };
    await left(600);
    expect(await ofA()).toMatchObject({ claims: [], again: null });
    await left(700);
    expect(await ofA()).toMatchObject({ claims: [], again: 1000 });
  });
});

interface Step {
  readonly kind: 'claim' | 'settle' | 'lose' | 'bound' | 'request';
  readonly process: number;
  readonly amount: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('claim', 'claim', 'settle', 'settle', 'lose', 'bound', 'request'),
  process: fc.nat(2),
  amount: fc.integer({ min: 1, max: 6 }),
});

/** One of several processes: claims, and settles in any way what it has. */
class Process {
  static #entered = 0;
  readonly #held: Claim[] = [];
  #id = '';

  async enter(): Promise<void> {
    this.#held.length = 0;
    this.#id = `process ${++Process.#entered}`;
    await world.register(this.#id);
  }

  async take({ kind, amount }: Step, places: number): Promise<number> {
    switch (kind) {
      case 'claim':
        this.#held.push(...(await world.claim(this.#id, { limit: amount })));
        return places;
      case 'settle':
        await world.settle(...this.#held.splice(0, amount).map((claim, index) => ended(claim, amount + index)));
        return places;
      case 'request':
        await world.run(keys(10, 0, `${amount}.`), amount > 4 ? { maxConcurrency: 2 } : {});
        return places;
      case 'bound':
        await world.ledger.register(
          { id: `of ${amount}`, host: 'here', pid: 1, worker: false, lease: LEASE },
          [],
          [{ name: 'default', concurrency: amount, rate: null }],
        );
        return amount;
      case 'lose': {
        // Killed: nobody speaks for it any more, and another one takes its work.
        await this.enter();
        await world.outlive(this.#id);
        await world.ledger.rescue(this.#id);
        return places;
      }
    }
  }
}

function ended(claim: Claim, way: number): Outcome {
  const { id, epoch } = claim;
  if (way % 4 === 0) return { kind: 'handed_back', id, epoch };
  if (way % 4 === 1) return { kind: 'failed', id, epoch, error: error('no'), startedAt: null };
  if (way % 4 === 2) return { kind: 'retry', id, epoch, error: error('again'), delay: 0, infrastructure: false };
  return success(claim);
}

describe('a pool with processes that come, go and die', () => {
  it('has as many places taken as materializations run, and never more than there are', async () => {
    const taken = async (): Promise<{ used: number; running: number }[]> =>
      dataSource.query(`
        SELECT x.used, (SELECT count(*)::integer FROM flowstone.materializations m JOIN flowstone.lanes l ON l.id = m.lane_id
          WHERE m.status = 'running' AND x.id = ANY (l.limits)) AS running FROM flowstone.limits x`);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        const { ledger, pass } = await sqlLedger(dataSource);
        world = new World(ledger, pass);
        const processes = [new Process(), new Process(), new Process()];
        for (const process of processes) await process.enter();
        let places = 3;
        places = await processes[0]!.take({ kind: 'bound', process: 0, amount: places }, places);
        let most = places;
        for (const next of steps) {
          places = await processes[next.process]!.take(next, places);
          const counts = await taken();
          expect(counts.filter(({ used, running }) => used !== running)).toEqual([]);
          // Lowered, it takes no more until enough has ended.
          const [running] = await dataSource.query<{ n: number }[]>(`SELECT count(*)::integer AS n
            FROM flowstone.materializations m JOIN flowstone.namespaces n ON n.id = m.namespace
            WHERE m.status = 'running' AND n.id = (SELECT max(id) FROM flowstone.namespaces)`);
          expect(running!.n).toBeLessThanOrEqual(Math.max(most, places));
          most = Math.max(places, running!.n);
        }
      }),
      { numRuns: 12 },
    );
  }, 120_000);
});

describe('a pool that is bounded while it is used', () => {
  it('counts every place, whatever begins and ends meanwhile', async () => {
    await world.register('one', 'two');
    const inserted = await Promise.all(Array.from({ length: 6 }, (_, run) => world.run(keys(60, 0, `run${run}.`))));
    let working = true;
    const work = async (process: string): Promise<void> => {
      while (working) {
        const claims = await world.claim(process, { limit: 7 });
        await world.settle(...claims.map((claim) => success(claim)));
        if ((await world.ledger.run(inserted.at(-1)!.id))!.completedAt && claims.length === 0) working = false;
      }
    };
    const bound = async (): Promise<void> => {
      for (let concurrency = 5; concurrency > 1; concurrency--) {
        await world.ledger.register(
          { id: `bounds ${concurrency}`, host: 'here', pid: 1, worker: false, lease: LEASE },
          [],
          [{ name: 'default', concurrency, rate: null }],
        );
        await world.run(keys(10, 0, `later${concurrency}.`));
      }
    };
    await Promise.all([work('one'), work('two'), work('one'), bound()]);
    for (let left = await world.claim('one'); left.length > 0; left = await world.claim('one')) {
      expect(left.length).toBeLessThanOrEqual(2);
      await world.settle(...left.map((claim) => success(claim)));
    }
    expect(
      await dataSource.query(`SELECT l.used FROM flowstone.limits l JOIN flowstone.pools p ON p.limit_id = l.id
        JOIN flowstone.assets a ON a.pool_id = p.id JOIN flowstone.materializations m ON m.asset_id = a.id
        WHERE m.run_id = ${inserted[0]!.id} LIMIT 1`),
    ).toEqual([{ used: 0 }]);
  });
});

describe('a beat says where others may find something', () => {
  const assets = ['a', 'b', 'p'];
  const enter = (id: string, version = ''): Promise<unknown> =>
    world.ledger.register(
      { id, host: 'here', pid: 1, worker: true, lease: LEASE },
      assets.map((key) => ({
        ...{ key, formerly: [], hash: `hash of ${key}${version}`, partitioned: key === 'p', upstreams: '' },
        ...{ pool: key === 'b' ? 'narrow' : 'default', definition: { key } },
      })),
      [{ name: 'narrow', concurrency: 1, rate: null }],
    );
  const beat = (mine: readonly string[], ...outcomes: Outcome[]) =>
    world.ledger.beat(outcomes, { process: 'one', assets: mine, limit: 10 });

  beforeEach(() => enter('one'));

  it('in the pools of what was released and is not for this process', async () => {
    await world.run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }, { asset: 'p', upstreams: [0] }]);
    const { claims, rings } = await beat(['a']);
    expect(rings).toEqual([]);
    expect(await beat(['p'], success(claims[0]!))).toMatchObject({ claims: [{ asset: 'p' }], rings: ['narrow'] });
  });

  it('also where it has filled itself with other work', async () => {
    await world.run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }]);
    const { claims } = await beat(['a']);
    await world.run([{ asset: 'p', partition: 'x' }]);
    const request = { process: 'one', assets: ['a', 'p'], limit: 1 };
    expect(await world.ledger.beat([success(claims[0]!)], request)).toMatchObject({
      ...{ claims: [{ asset: 'p' }], rings: ['narrow'] },
    });
  });

  it('in all of them where newer definitions count than the process knows', async () => {
    await world.run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }, { asset: 'p', upstreams: [0] }]);
    const { claims } = await beat(['a']);
    await enter('new', ', newer');
    expect(await beat(assets, success(claims[0]!))).toMatchObject({
      ...{ claims: [], outdated: true, rings: ['default', 'narrow'] },
    });
  });

  it('nowhere where it took all itself', async () => {
    await world.run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }, { asset: 'p', upstreams: [0] }]);
    const { claims } = await beat(['a']);
    const next = await beat(assets, success(claims[0]!));
    expect(next).toMatchObject({ claims: [{}, {}], rings: [] });
    expect(await beat(assets, ...next.claims.map((claim) => success(claim)))).toMatchObject({ claims: [], rings: [] });
  });

  it('in a pool of which it gave back a place that others wait for, and only then', async () => {
    await world.run([{ asset: 'b' }]);
    const { claims } = await beat(['b']);
    const waiting = await world.run([{ asset: 'b', partition: 'x' }]);
    // Finds the pool full.
    expect((await beat(['b'])).claims).toEqual([]);
    expect(await beat(['a'], success(claims[0]!))).toMatchObject({ claims: [], rings: ['narrow'] });
    const [last] = await world.claim('one', { assets: ['b'] });
    expect(last!.run).toBe(waiting.id);
    expect(await beat(['a'], success(last!))).toMatchObject({ rings: [] });
  });
});
