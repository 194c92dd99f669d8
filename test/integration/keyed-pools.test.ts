// Pools with bounds per key on PostgreSQL: who gets its turn, and what a claim looks at, while tenants flood.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { DataSource, EntityManager } from 'typeorm';
import type { RemovalStep } from '../../lib/ledger/collection.port.js';
import type { PoolRegistration } from '../../lib/ledger/registrations.js';
import type { Claim } from '../../lib/ledger/work.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { planOf, runOf, success, World, LEASE } from '../conformance/ledger.fixture.js';
import { sqlLedger } from '../conformance/ledger-sql.fixture.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

let database: FreshDatabase;
let dataSource: DataSource;
let world: World;

beforeAll(async () => {
  database = await freshDatabase();
  dataSource = ledgerDataSource({ url: database.url, poolSize: 8 }, 'flowstone');
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  const { ledger, pass } = await sqlLedger(dataSource);
  world = new World(ledger, pass);
});

/** Of the ledger of this test. */
const HERE = (alias: string): string => `${alias}.namespace = (SELECT max(id) FROM flowstone.namespaces)`;

type Bounds = Pick<PoolRegistration, 'concurrency'> & { readonly perKey: number };

/** The assets p and q have a key for each tenant, the asset other none; a process that asks for nothing bounds them. */
const enter = (id: string, bounds?: Bounds): Promise<unknown> =>
  world.ledger.register(
    { id, host: 'here', pid: 1, worker: true, lease: LEASE },
    ['p', 'q', 'other'].map((key) => ({
      ...{ key, formerly: [], hash: `hash of ${key}`, partitioned: true, upstreams: '', definition: { key } },
      ...{ pool: key === 'other' ? 'free' : 'api', dimensions: key === 'other' ? [] : ['tenant', 'day'] },
    })),
    bounds && [
      {
        ...{ name: 'api', concurrency: bounds.concurrency, rate: null },
        perKey: { dimension: 'tenant', concurrency: bounds.perKey, rate: null },
      },
    ],
  );
const claim = (process: string, limit = 100): Promise<readonly Claim[]> =>
  world.claim(process, { assets: ['p', 'q', 'other'], limit });
const tenantOf = ({ partition }: Claim): string => partition.split('|')[0]!;

let runs = 0;
/** A run with `days` materializations of each tenant. */
async function ask(tenants: readonly string[], days: number, asset = 'p', priority = 0): Promise<number> {
  const name = ++runs;
  const entries = tenants.flatMap((tenant) =>
    Array.from({ length: days }, (_, day) => ({ asset, partition: `${tenant}|${name}.${day}`, priority })),
  );
  return (await world.ledger.insertRun(runOf(), { plan: planOf(entries) })).run.id;
}
const flood = async (tenant: string, count: number): Promise<void> => {
  for (let index = 0; index < count; index++) await ask([tenant], 1);
};
const settle = (...claims: readonly Claim[]): Promise<unknown> => world.settle(...claims.map((one) => success(one)));
const unserved = (minutes: number): Promise<unknown> =>
  dataSource.query(`UPDATE flowstone.lanes SET served_at = clock_timestamp() - $1 * interval '1 minute'`, [minutes]);
/** How many lanes and gates the next claim would look at. */
const inSight = async (): Promise<number> => {
  const [row] = await dataSource.query<{ n: number }[]>(`SELECT count(*)::integer AS n FROM flowstone.lanes l
    LEFT JOIN flowstone.limits x ON x.id = l.gate
    WHERE l.has_ready AND (l.gate IS NULL OR x.opens_at <= clock_timestamp()) AND ${HERE('l')}`);
  return row!.n;
};

describe('the turn of a key', () => {
  it('comes for a newcomer before those that were just served, however long their runs have waited', async () => {
    await enter('one', { concurrency: 2, perKey: 1 });
    await flood('a', 40);
    await flood('b', 40);
    await unserved(60);
    const held = await claim('one');
    expect(held.map(tenantOf).sort()).toEqual(['a', 'b']);
    await ask(['c'], 3);
    await settle(held[0]!);
    expect((await claim('one')).map(tenantOf)).toEqual(['c']);
    await settle(held[1]!);
    const [next] = await claim('one');
    expect(['a', 'b']).toContain(tenantOf(next!));
  });

  it('is not put off by another tenant that has many places to fill beside it', async () => {
    await enter('one', { concurrency: 100, perKey: 30 });
    await flood('a', 100);
    await ask(['b', 'c'], 5);
    const first = await claim('one', 9);
    expect(first.map(tenantOf)).toEqual(expect.arrayContaining(['b', 'c']));
  });

  it('is of the more urgent within a key: of higher priority, or that has waited longer', async () => {
    await enter('one', { concurrency: null, perKey: 1 });
    const low = await ask(['a'], 3, 'p', 1);
    const high = await ask(['a'], 9, 'p', 4);
    const next = async (): Promise<number> => {
      const [one, ...more] = await claim('one');
      expect(more).toEqual([]);
      await settle(one!);
      return one!.run;
    };
    expect(await next()).toBe(high);
    await dataSource.query(
      `UPDATE flowstone.lanes SET served_at = clock_timestamp() - interval '5 minutes' WHERE run_id = $1`,
      [low],
    );
    expect(await next()).toBe(low);
    expect(await next()).toBe(high);
  });
});

describe('what has no place', () => {
  it('is not looked at, be it a thousand keys that are full or a flood of runs for one of them', async () => {
    await enter('one', { concurrency: null, perKey: 1 });
    const tenants = Array.from({ length: 1000 }, (_, index) => `t${index}`);
    await ask(tenants, 2);
    await flood('t7', 300);
    const held: Claim[] = [];
    // Lanes are looked at by some hundred; a claim says that there is more to see.
    for (let again: number | null = 0; again === 0;) {
      const beat = await world.ledger.beat([], { process: 'one', assets: ['p'], limit: 300 });
      held.push(...beat.claims);
      again = beat.claims.length > 0 ? 0 : beat.again;
    }
    expect(new Set(held.map(tenantOf)).size).toBe(1000);
    expect(held).toHaveLength(1000);
    expect(await inSight()).toBe(0);
    // In the midst of them all, what is free is found at once.
    const run = await ask(['new'], 1);
    await flood('t8', 300);
    expect((await claim('one')).map((one) => one.run)).toEqual([run]);
    await settle(held.find((one) => tenantOf(one) === 't500')!);
    expect((await claim('one')).map(tenantOf)).toEqual(['t500']);
  });

  it('is found again when a place is free, a bound is lifted, or its run is cancelled', async () => {
    await enter('one', { concurrency: 1, perKey: 1 });
    const [first] = [await ask(['a', 'b', 'c'], 2), await ask(['a', 'd'], 2)];
    const [one] = await claim('one');
    expect(await claim('one')).toEqual([]);
    expect(await inSight()).toBe(0);
    await world.ledger.cancelRun(first, { actor: null, reason: null, grace: 1000 });
    await settle(one!);
    await enter('two', { concurrency: null, perKey: 1 });
    expect((await claim('one')).map(tenantOf).sort()).toEqual(['a', 'd']);
    await world.ledger.register(
      { id: 'three', host: 'here', pid: 1, worker: false, lease: LEASE },
      [],
      [{ name: 'api', concurrency: null, rate: null }],
    );
    expect(await claim('one')).toHaveLength(2);
  });
});

interface Step {
  readonly kind: 'claim' | 'settle' | 'lose' | 'bound' | 'ask' | 'cancel';
  readonly process: number;
  readonly amount: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('claim', 'claim', 'claim', 'settle', 'settle', 'lose', 'bound', 'ask', 'ask', 'cancel'),
  process: fc.nat(2),
  amount: fc.integer({ min: 1, max: 5 }),
});

const TENANTS = ['a', 'b', 'c', 'd'];

/** Three processes on one pool, and what each holds. */
class Crew {
  readonly #held: Claim[][] = [[], [], []];
  readonly #names: string[] = [];
  readonly #asked: number[] = [];
  #entered = 0;
  /** What ran beyond what may run. */
  readonly excess: string[] = [];
  /** The most that may run of a key, and in all: what is lowered ends nothing. */
  #perKey = 2;
  #places = 3;

  async enter(process: number): Promise<void> {
    this.#held[process] = [];
    this.#names[process] = `${process}.${++this.#entered}`;
    await enter(this.#names[process]);
  }

  async bound(places: number, perKey: number): Promise<void> {
    await enter('bounds', { concurrency: places, perKey });
    [this.#places, this.#perKey] = [places, perKey];
  }

  async take({ kind, process, amount }: Step): Promise<void> {
    const held = this.#held[process]!;
    if (kind === 'claim') await this.#claim(process, amount);
    else if (kind === 'settle') await settle(...held.splice(0, amount));
    else if (kind === 'bound') await this.bound(amount + 1, 1 + (amount % 3));
    else if (kind === 'ask')
      this.#asked.push(await ask(TENANTS.slice(0, amount), 2, process === 0 ? 'q' : 'p', amount % 2));
    else if (kind === 'cancel') {
      const run = this.#asked.splice(amount, 1)[0];
      if (run !== undefined) await world.ledger.cancelRun(run, { actor: null, reason: null, grace: 60_000 });
    } else {
      await this.enter(process);
      await world.outlive(this.#names[process]!);
      await world.ledger.rescue(this.#names[process]!);
      for (const other of [0, 1, 2]) if (other !== process) await this.enter(other);
    }
  }

  async #claim(process: number, limit: number): Promise<number> {
    const claims = await claim(this.#names[process]!, limit);
    this.#held[process]!.push(...claims);
    // What is lowered ends nothing; nothing begins beyond it.
    if (claims.length > 0 && this.#running().length > this.#places)
      this.excess.push(`${this.#running().length} in all`);
    for (const tenant of new Set(claims.map(tenantOf))) {
      const ofTenant = this.#running().filter((one) => tenantOf(one) === tenant).length;
      if (ofTenant > this.#perKey) this.excess.push(`${ofTenant} of ${tenant}`);
    }
    return claims.length;
  }

  #running(): readonly Claim[] {
    return this.#held.flat();
  }

  /** Everything that can still be done is done: whatever waits at whichever gate is found. */
  async finish(): Promise<void> {
    for (;;) {
      for (const held of this.#held) await settle(...held.splice(0));
      if ((await this.#claim(0, 50)) === 0) break;
    }
  }
}

describe('a pool with keys and processes that come, go and die', () => {
  it('counts every place, is never fuller than it may be, and leaves nothing behind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30 }), async (steps) => {
        const { ledger, pass } = await sqlLedger(dataSource);
        world = new World(ledger, pass);
        const crew = new Crew();
        await crew.bound(3, 2);
        for (const process of [0, 1, 2]) await crew.enter(process);
        for (const next of steps) {
          await crew.take(next);
          expect(
            await dataSource.query(`SELECT x.id, x.used FROM flowstone.limits x WHERE ${HERE('x')} AND x.used <> (
              SELECT count(*) FROM flowstone.materializations m JOIN flowstone.lanes l ON l.id = m.lane_id
              WHERE m.status = 'running' AND ${HERE('l')} AND x.id = ANY (l.limits))`),
          ).toEqual([]);
          expect(
            await dataSource.query(`SELECT l.id FROM flowstone.lanes l JOIN flowstone.limits x ON x.id = l.gate
              WHERE ${HERE('l')} AND (x.opens_at IS NULL OR x.opens_at = 'infinity' AND flowstone.places_left(x) > 0)`),
          ).toEqual([]);
        }
        await crew.finish();
        expect(crew.excess).toEqual([]);
        expect(
          await dataSource.query(`SELECT m.id, m.status FROM flowstone.materializations m
            WHERE m.completed_at IS NULL AND ${HERE('m')}`),
        ).toEqual([]);
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  it('is never fuller while all work at the same time, and comes to an end', async () => {
    await enter('bounds', { concurrency: 7, perKey: 2 });
    const names = ['one', 'two', 'three', 'four'];
    for (const name of names) await enter(name);
    const asked: number[] = [];
    for (let index = 0; index < 12; index++) asked.push(await ask(TENANTS.slice(index % 4), 4, index % 2 ? 'p' : 'q'));
    const total = [...asked.keys()].reduce((sum, index) => sum + (4 - (index % 4)) * 4, 0);
    const running = new Map<string, number>();
    const count = (claims: readonly Claim[], by: number): void => {
      for (const one of claims) {
        for (const name of ['all', tenantOf(one)]) running.set(name, (running.get(name) ?? 0) + by);
      }
    };
    const most = new Map<string, number>();
    let done = 0;
    const work = async (name: string): Promise<void> => {
      while (done < total) {
        const claims = await claim(name, 3);
        count(claims, 1);
        for (const [key, value] of running) most.set(key, Math.max(most.get(key) ?? 0, value));
        count(claims, -1);
        await settle(...claims);
        done += claims.length;
      }
    };
    await Promise.all(names.map(work));
    expect(done).toBe(total);
    expect(most.get('all')).toBeLessThanOrEqual(7);
    for (const tenant of TENANTS) expect(most.get(tenant)).toBeLessThanOrEqual(2);
    expect(await dataSource.query(`SELECT x.id FROM flowstone.limits x WHERE x.used <> 0 AND ${HERE('x')}`)).toEqual(
      [],
    );
  });
});

describe('a key of which no run is left', () => {
  const removeKeys = async (): Promise<number> => {
    let all = 0;
    for (let after: number | null = 0; after !== null;) {
      const { removed, next }: RemovalStep<number> = await world.ledger.collection.removeKeys(after, 3);
      all += removed;
      after = next;
    }
    return all;
  };
  /** All that ended, at once. */
  const removeRuns = async (): Promise<void> => {
    const { collection } = world.ledger;
    const { runs: ended } = await collection.expiredRuns(new Date(Date.now() + 60_000), 0, 1000);
    if (ended.length === 0) return;
    await collection.removeMaterializations(ended, null, 10_000);
    await collection.removeRuns(ended);
  };
  const keys = async (): Promise<number> => {
    const [row] = await dataSource.query<{ n: number }[]>(
      `SELECT count(*)::integer AS n FROM flowstone.limits x WHERE x.key IS NOT NULL AND ${HERE('x')}`,
    );
    return row!.n;
  };
  const joined = (manager: EntityManager): Promise<unknown> =>
    world.ledger.insertRun(runOf(), { manager, plan: planOf([{ asset: 'p', partition: 'a|joined' }]) });

  beforeEach(async () => {
    await enter('one', { concurrency: null, perKey: 2 });
    await ask(['a', 'b'], 1);
    await settle(...(await claim('one')));
    await removeRuns();
  });

  it('stays while somebody plans for its pool, and goes afterwards', async () => {
    const planning = dataSource.transaction(async (manager) => {
      await joined(manager);
      expect(await removeKeys()).toBe(0);
      throw new Error('the host changed its mind');
    });
    await expect(planning).rejects.toThrow('changed its mind');
    expect(await removeKeys()).toBe(2);
    expect(await keys()).toBe(0);
  });

  it('is not used any more by a transaction that still sees it', async () => {
    const planning = dataSource.transaction('REPEATABLE READ', async (manager) => {
      await manager.query('SELECT FROM flowstone.limits');
      expect(await removeKeys()).toBe(2);
      await joined(manager);
    });
    await expect(planning).rejects.toMatchObject({ code: '40001' });
  });

  it('goes as well where it was of a dimension that its pool has no more', async () => {
    await world.ledger.register(
      { id: 'two', host: 'here', pid: 1, worker: true, lease: LEASE },
      [],
      [{ name: 'api', concurrency: null, rate: null, perKey: { dimension: 'day', concurrency: 2, rate: null } }],
    );
    expect(await removeKeys()).toBe(2);
  });

  it('comes and goes while runs are planned, worked on and removed beside it, and nothing is lost', async () => {
    const tenants = ['a', 'b', 'c'];
    const large = Array.from({ length: 1200 }, (_, index) => ({
      asset: 'q',
      partition: `${tenants[index % 3]}|${index}`,
    }));
    let planning = true;
    let working = true;
    let removed = 0;
    const planned = Promise.all(
      tenants.map(async (tenant) => {
        for (let round = 0; round < 40; round++) await ask([tenant, 'd'], 2);
        await world.ledger.insertRun(runOf(), { plan: planOf(large) });
      }),
    ).finally(() => (planning = false));
    const worked = (async () => {
      for (let idle = 0; planning || idle < 3;) {
        const claims = await claim('one');
        idle = claims.length === 0 ? idle + 1 : 0;
        await settle(...claims);
      }
    })().finally(() => (working = false));
    const collected = (async () => {
      while (working) {
        await removeRuns();
        removed += await removeKeys();
      }
    })();
    await Promise.all([planned, worked, collected]);
    await removeRuns();
    removed += await removeKeys();
    expect(removed).toBeGreaterThan(2);
    expect((await world.ledger.runs({}, { limit: 100 })).items).toEqual([]);
    expect(await keys()).toBe(0);
  }, 60_000);
});
