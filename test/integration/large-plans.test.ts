// Large plans are copied into the ledger: all or nothing, and what they insert is what small ones insert.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { DataSource } from 'typeorm';
import { openEmbeddedDatabase } from '../../lib/ledger/embedded/embedded.database.js';
import type { PlanRows } from '../../lib/ledger/work.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { Database } from '../../lib/ledger/sql/database.js';
import { by, error, planOf, runOf, World, type Entry } from '../conformance/ledger.fixture.js';
import { sqlLedger } from '../conformance/ledger-sql.fixture.js';
import { freshDatabase } from '../services/services.js';

/** From this many rows on a plan is copied. */
const LARGE = 1000;

const filler: readonly Entry[] = Array.from({ length: LARGE }, (_, index) => ({ asset: 'd', partition: `${index}` }));

const entries = fc
  .array(
    fc.record({
      asset: fc.constantFrom('a', 'b', 'p'),
      text: fc.string({ unit: 'binary', maxLength: 5 }).map((text) => text.replace(/[\0\p{Surrogate}]/gu, '')),
      forced: fc.boolean(),
      priority: fc.integer({ min: -5, max: 5 }),
      blocked: fc.option(fc.constantFrom('a\\b', 'tab\tand\nline\r', '\\N', 'Ü"\''), { nil: undefined, freq: 4 }),
      upstreams: fc.uniqueArray(fc.nat({ max: 40 }), { maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((drafts) =>
    drafts.map(({ asset, text, forced, priority, blocked, upstreams }, index): Entry => ({
      ...{ asset, forced, priority, partition: `${text}${index}` },
      ...(blocked === undefined ? {} : { blocked: error(blocked) }),
      upstreams: upstreams.filter((upstream) => upstream < index),
    })),
  );

/** A plan each third edge of which only orders. */
function ordered(plan: PlanRows): PlanRows {
  const ordering = Uint8Array.from(plan.edges.upstreams, (_, edge) => Number(edge % 3 === 0));
  return { ...plan, edges: { ...plan.edges, ordering } };
}

const RECORDED = `SELECT a.key, h.partition, m.status, m.priority, m.forced, m.blockers, m.epoch, m.error,
    m.completed_at IS NULL AS open, h.failed, h.active_materialization, y.rank, l.run_id = m.run_id AS lane,
    ARRAY(SELECT (u.id - first.id) * 2 + e.ordering::integer FROM flowstone.lineage e
      JOIN flowstone.materializations u ON u.id = e.upstream WHERE e.downstream = m.id ORDER BY u.id) AS edges,
    ARRAY(SELECT v.kind FROM flowstone.events v WHERE m.id = ANY (v.materializations)) AS events
  FROM flowstone.materializations m
  JOIN flowstone.assets a ON a.id = m.asset_id JOIN flowstone.heads h ON h.id = m.head_id
  JOIN flowstone.lanes l ON l.id = m.lane_id
  CROSS JOIN LATERAL (SELECT min(f.id) AS id FROM flowstone.materializations f WHERE f.run_id = m.run_id) first
  LEFT JOIN flowstone.ready y ON y.materialization_id = m.id AND y.lane_id = m.lane_id AND y.asset_id = m.asset_id
  WHERE m.run_id = $1 ORDER BY m.id LIMIT $2`;

interface Place {
  readonly dataSource: DataSource;
  /** Whether the connections are a host's, whose sessions stay as they are. */
  readonly hosts?: boolean;
  close(): Promise<void>;
}

const PLACES: Readonly<Record<string, () => Promise<Place>>> = {
  PostgreSQL: async () => {
    const database = await freshDatabase();
    const dataSource = await ledgerDataSource({ url: database.url }, 'flowstone').initialize();
    return { dataSource, close: async () => (await dataSource.destroy(), database.drop()) };
  },
  "a host's DataSource": async () => {
    const database = await freshDatabase();
    const dataSource = await new DataSource({ type: 'postgres', url: database.url, poolSize: 4 }).initialize();
    return { dataSource, hosts: true, close: async () => (await dataSource.destroy(), database.drop()) };
  },
  'the embedded database': async () => {
    const database = await openEmbeddedDatabase({ memory: true });
    const dataSource = await ledgerDataSource({ driver: database.driver }, 'flowstone').initialize();
    return { dataSource, close: async () => (await dataSource.destroy(), database.close()) };
  },
};

describe.each(Object.keys(PLACES))('a large plan on %s', (name) => {
  let place: Place;

  beforeAll(async () => {
    place = await PLACES[name]!();
  });
  afterAll(() => place.close());

  const newWorld = async (): Promise<World> => {
    const { ledger, pass } = await sqlLedger(place.dataSource, { own: place.hosts !== true });
    const world = new World(ledger, pass);
    await world.register('one', 'two');
    return world;
  };
  const count = async (table: string): Promise<number> =>
    Number((await place.dataSource.query(`SELECT count(*) FROM flowstone.${table}`))[0].count);

  it('records each row as a small one does', async () => {
    await fc.assert(
      fc.asyncProperty(entries, fc.boolean(), async (some, failFast) => {
        const record = async (all: readonly Entry[]): Promise<unknown> => {
          const { ledger } = await newWorld();
          const { run } = await ledger.insertRun(runOf({ failFast }), { plan: ordered(planOf(all)) });
          return place.dataSource.query(RECORDED, [run.id, some.length]);
        };
        expect(await record([...some, ...filler])).toEqual(await record(some));
      }),
      { numRuns: 8 },
    );
  }, 60_000);

  it('counts what it is made of, and finds heads that are there', async () => {
    const { ledger } = await newWorld();
    const before = await count('heads');
    const plan = planOf([...filler, { asset: 'a', blocked: error('no') }, { asset: 'b', upstreams: [0, LARGE] }]);
    const counts = { total: LARGE + 2, pending: LARGE, failed: 1, upstream_failed: 1 };
    for (let runs = 0; runs < 2; runs++) {
      const { run } = await ledger.insertRun(runOf());
      expect(await ledger.commitPlan((await ledger.claimPlanning(by('one')))!, plan)).toBe(true);
      expect((await ledger.run(run.id))!.counts).toMatchObject(counts);
      expect(await count('heads')).toBe(before + LARGE + 2);
    }
  });

  it('takes the heads that its planner has read', async () => {
    const { ledger } = await newWorld();
    const plan = planOf(filler);
    await ledger.insertRun(runOf(), { plan });
    const [heads] = await ledger.heads([{ asset: 'd', partitions: 'all' }]);
    const before = await count('heads');
    const headAt = (index: number): number | undefined =>
      index % 2 === 0 ? heads!.get(plan.partitionAt(index))!.id : undefined;
    const { run } = await ledger.insertRun(runOf(), { plan: { ...plan, headAt } });
    expect(await count('heads')).toBe(before);
    const found = await place.dataSource.query(
      `SELECT count(*)::integer AS rows FROM flowstone.materializations m
      JOIN flowstone.heads h ON h.id = m.head_id AND h.asset_id = m.asset_id
      WHERE m.run_id = $1 AND h.partition = (m.id - (SELECT min(f.id) FROM flowstone.materializations f
        WHERE f.run_id = $1))::text`,
      [run.id],
    );
    expect(found).toEqual([{ rows: LARGE }]);
  });

  it('finds the heads that plans beside it make at the same time', async () => {
    const { ledger } = await newWorld();
    const before = await count('heads');
    const plan = planOf(Array.from({ length: 12_000 }, (_, index) => ({ asset: 'p', partition: `beside ${index}` })));
    const runs = await Promise.all(Array.from({ length: 3 }, () => ledger.insertRun(runOf(), { plan })));
    expect(await count('heads')).toBe(before + plan.size);
    const found = await place.dataSource.query(
      `SELECT count(*)::integer AS rows, count(DISTINCT m.head_id)::integer AS heads FROM flowstone.materializations m
      JOIN flowstone.heads h ON h.id = m.head_id AND h.asset_id = m.asset_id WHERE m.run_id = ANY ($1)`,
      [runs.map(({ run }) => run.id)],
    );
    expect(found).toEqual([{ rows: 3 * plan.size, heads: plan.size }]);
  }, 60_000);

  it('leaves nothing behind when it breaks amid its rows, and can be planned again', async () => {
    const { ledger } = await newWorld();
    const { run } = await ledger.insertRun(runOf());
    const claim = (await ledger.claimPlanning(by('one')))!;
    const rows = await count('materializations');
    const plan = planOf(Array.from({ length: 25_000 }, (_, index) => ({ asset: 'p', partition: `${index}` })));
    const breaking = (index: number): never | number => {
      if (index === 24_000) throw new Error('broken');
      return 0;
    };
    // One breaks the copying of rows, the other the making of their heads.
    for (const broken of [
      { priorityAt: breaking },
      { partitionAt: (index: number) => `${index} ${breaking(index)}` },
    ]) {
      await expect(ledger.commitPlan(claim, { ...plan, ...broken })).rejects.toThrow('broken');
      expect(await count('materializations')).toBe(rows);
    }
    expect((await ledger.run(run.id))!.status).toBe('planning');
    expect(await ledger.commitPlan(claim, plan)).toBe(true);
    expect(await count('materializations')).toBe(rows + 25_000);
  }, 60_000);

  it('is not recorded by a planner that lost its run, or whose run was cancelled', async () => {
    const { ledger } = await newWorld();
    const rows = await count('materializations');
    const lost = (await ledger.insertRun(runOf())).run;
    const first = (await ledger.claimPlanning(by('one')))!;
    const second = (await ledger.claimPlanning(by('one')))!;
    expect(await ledger.commitPlan(first, planOf(filler))).toBe(false);
    await ledger.cancelRun(lost.id, { actor: null, reason: null, grace: 0 });
    expect(await ledger.commitPlan(second, planOf(filler))).toBe(false);
    expect(await count('materializations')).toBe(rows);
  });

  it('is cancelled to its end by others when the process that cancels is lost amid it', async () => {
    const world = await newWorld();
    const { ledger } = world;
    const all = Array.from({ length: 12_000 }, (_, index) => ({ asset: 'p', partition: `${index}` }));
    const { run } = await ledger.insertRun(runOf(), { plan: planOf(all) });
    const act = { actor: null, reason: null, grace: 0 };
    expect(await ledger.cancelRun(run.id, act)).toMatchObject({ accepted: true, ended: false, more: true });
    expect((await ledger.run(run.id))!.counts).toMatchObject({ cancelled: 5000, pending: 7000 });
    expect(await world.claim()).toEqual([]);
    let steps = 1;
    const ended: number[] = [];
    for (; ; steps++) {
      const step = await ledger.stopPending();
      ended.push(...step.ended);
      if (!step.more) break;
    }
    expect(steps).toBeLessThan(8);
    expect(ended).toEqual([run.id]);
    expect(await ledger.run(run.id)).toMatchObject({ status: 'cancelled', counts: { cancelled: 12_000, pending: 0 } });
  }, 60_000);

  it('is read again as what is left of it, a bounded stretch at a time', async () => {
    const world = await newWorld();
    const { ledger } = world;
    const all = Array.from({ length: 30_000 }, (_, index): Entry => {
      const upstreams = [[], [index - 1], [0, index - 1]][index % 3]!;
      return { asset: index % 2 === 0 ? 'p' : 'd', partition: `${index}`, priority: index % 7, upstreams };
    });
    // More edges of one row than one stretch has.
    all.push({ asset: 'a', forced: true, upstreams: Array.from({ length: 10_000 }, (_, index) => 3 * index) });
    const plan = ordered(planOf(all));
    const { run } = await ledger.insertRun(runOf(), { plan });
    const done = await world.claim();
    for (const claim of done) await world.succeed(claim);
    // Some are cancelled, some still pending.
    await ledger.cancelRun(run.id, { actor: null, reason: null, grace: 0 });
    const asked = jest.spyOn(Database.prototype, 'rows');
    const left = await ledger.leftovers(run.id);
    const stretches = (await Promise.all(asked.mock.results.map(({ value }) => value))) as { rows?: unknown[] }[][];
    asked.mockRestore();
    for (const rows of stretches) expect(Math.max(rows.length, rows[0]?.rows?.length ?? 0)).toBeLessThanOrEqual(5000);

    const rows = (of: PlanRows, keep = (_index: number) => true): unknown[] =>
      Array.from({ length: of.size }, (_, index) => index)
        .filter(keep)
        .map((index) => {
          const edges = Array.from(
            { length: of.edges.starts[index + 1]! - of.edges.starts[index]! },
            (_, edge) => of.edges.starts[index]! + edge,
          ).filter((edge) => keep(of.edges.upstreams[edge]!));
          return [
            ...[of.assetAt(index), of.partitionAt(index), of.priorityAt(index), of.forcedAt(index)],
            edges.map((edge) => [of.partitionAt(of.edges.upstreams[edge]!), of.edges.ordering![edge]]),
          ];
        });
    const partitions = new Set(done.map(({ partition }) => partition));
    expect(partitions.size).toBeGreaterThan(1);
    expect(rows(left)).toEqual(rows(plan, (index) => !partitions.has(plan.partitionAt(index))));
    const again = (await ledger.insertRun(runOf({ retryOf: run.id }), { plan: left })).run;
    expect(again.counts).toMatchObject({ total: left.size, pending: left.size });
  }, 60_000);

  describe('of which more depends on a failure than one transaction should hold', () => {
    const MANY = 7000;
    /** Two that fail, each with many that depend on it and one that depends on all those; and one apart. */
    const entriesOf = (): Entry[] => {
      const half = (first: number): Entry[] => [
        ...Array.from({ length: MANY }, (_, index) => ({
          ...{ asset: 'p', partition: `${first} ${index}`, upstreams: [first] },
        })),
      ];
      const all = [{ asset: 'a' }, { asset: 'b' }, { asset: 'c' }, ...half(0), ...half(1)];
      return [...all, { asset: 'd', upstreams: [3, 3 + MANY] }, { asset: 'd', partition: 'x', upstreams: [2] }];
    };
    const step = async ({ ledger }: World): Promise<boolean> => (await ledger.stopPending()).more;
    const toTheEnd = async (world: World): Promise<number> => {
      for (let steps = 1; ; steps++) if (!(await step(world))) return steps;
    };

    it('a failure is committed alone, and the rest in steps that any process goes on with, to the end of the run', async () => {
      const world = await newWorld();
      const { run } = await world.ledger.insertRun(runOf(), { plan: planOf(entriesOf()) });
      const [a, b, c] = await world.claim();
      expect(await world.fail(a!)).toMatchObject({ verdicts: ['committed'], endedRuns: [] });
      expect((await world.ledger.run(run.id))!.counts).toMatchObject({ failed: 1, upstream_failed: 0 });
      expect(await step(world)).toBe(true);
      expect((await world.ledger.run(run.id))!.counts.upstream_failed).toBeGreaterThan(4000);
      // Comes when the steps are past much of what depends on it.
      await world.fail(b!);
      await world.succeed(c!);
      expect(await toTheEnd(world)).toBeLessThan(12);
      const counts = { failed: 2, upstream_failed: 2 * MANY + 1, success: 1, pending: 1 };
      expect(await world.ledger.run(run.id)).toMatchObject({ status: 'running', counts });
      const [last] = await world.claim();
      expect(await world.succeed(last!)).toMatchObject({ endedRuns: [run.id] });
      expect(await world.runStatus(run.id)).toBe('failed');
      expect(await toTheEnd(world)).toBe(1);
    }, 60_000);

    it('a failure that comes during a step is not missed by it', async () => {
      const world = await newWorld();
      const { run } = await world.ledger.insertRun(runOf(), { plan: planOf(entriesOf()) });
      const [a, b, c] = await world.claim();
      await world.fail(a!);
      while ((await world.ledger.run(run.id))!.counts.upstream_failed < MANY) await step(world);
      const steps = toTheEnd(world);
      await Promise.all([steps, world.fail(b!), world.succeed(c!)]);
      await toTheEnd(world);
      expect((await world.ledger.run(run.id))!.counts).toMatchObject({ failed: 2, upstream_failed: 2 * MANY + 1 });
    }, 60_000);

    it('a run that fails fast loses the rest after what depends on the failure', async () => {
      const world = await newWorld();
      const { run } = await world.ledger.insertRun(runOf({ failFast: true }), { plan: planOf(entriesOf()) });
      const [a, b, c] = await world.claim();
      await world.fail(a!);
      await toTheEnd(world);
      await world.succeed(b!);
      await world.succeed(c!);
      await toTheEnd(world);
      expect(await world.ledger.run(run.id)).toMatchObject({
        status: 'failed',
        counts: { failed: 1, success: 2, upstream_failed: MANY + 1, cancelled: MANY + 1, pending: 0 },
      });
    }, 60_000);
  });
});

it.each([1, 2, 3])(
  'is inserted beside others with %i connections for all of them',
  async (poolSize) => {
    const database = await freshDatabase();
    const dataSource = await ledgerDataSource({ url: database.url, poolSize }, 'flowstone').initialize();
    try {
      const { ledger, pass } = await sqlLedger(dataSource);
      const planners = ['one', 'two', 'three', 'four'];
      await new World(ledger, pass).register(...planners);
      const plan = planOf(Array.from({ length: 12_000 }, (_, index) => ({ asset: 'p', partition: `${index}` })));
      const committed = planners.map(async (planner) => {
        await ledger.insertRun(runOf());
        return ledger.commitPlan((await ledger.claimPlanning(by(planner)))!, plan);
      });
      expect(await Promise.all(committed)).toEqual(planners.map(() => true));
      const [counted] = await dataSource.query(
        `SELECT count(*)::integer AS rows, count(DISTINCT m.head_id)::integer AS heads FROM flowstone.materializations m`,
      );
      expect(counted).toEqual({ rows: planners.length * plan.size, heads: plan.size });
    } finally {
      await dataSource.destroy();
      await database.drop();
    }
  },
  60_000,
);

it('gives way at once to who cancels its run amid its rows', async () => {
  const { dataSource, close } = await PLACES['PostgreSQL']!();
  try {
    const { ledger, pass } = await sqlLedger(dataSource);
    await new World(ledger, pass).register('one');
    const { run } = await ledger.insertRun(runOf());
    const claim = (await ledger.claimPlanning(by('one')))!;
    const plan = planOf(Array.from({ length: 100_000 }, (_, index) => ({ asset: 'p', partition: `${index}` })));
    let cancelled: Promise<unknown> | undefined;
    const encoded = (index: number): number => {
      if (index === 0) cancelled ??= ledger.cancelRun(run.id, { actor: null, reason: null, grace: 0 });
      if (index === 90_000) throw new Error('nobody looked whether the run is still there');
      return 0;
    };
    expect(await ledger.commitPlan(claim, { ...plan, priorityAt: encoded })).toBe(false);
    expect(await cancelled).toMatchObject({ accepted: true, ended: true });
    const [{ count }] = await dataSource.query('SELECT count(*) FROM flowstone.materializations');
    expect(count).toBe('0');
  } finally {
    await close();
  }
}, 60_000);
