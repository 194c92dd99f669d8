// Pools: how much of one runs at once, and how much may begin in a time.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { PoolRegistration } from '../../lib/ledger/registrations.js';
import type { Beat, Claim } from '../../lib/ledger/work.js';
import { attempt, LEASE, planOf, runOf, success, type World } from './ledger.fixture.js';

const ASSETS = ['g', 'h', 'free'];
const UNBOUNDED = { concurrency: null, rate: null };

export function poolBehaviours(world: () => World): void {
  const enter = (id: string, ...pools: readonly PoolRegistration[]): Promise<unknown> =>
    world().ledger.register(
      { id, host: 'here', pid: 1, worker: true, lease: LEASE },
      ASSETS.map((key) => ({
        ...{ key, formerly: [], hash: `hash of ${key}`, upstreams: '', definition: { key } },
        ...{ partitioned: true, pool: key === 'free' ? 'default' : 'gpu' },
      })),
      pools,
    );
  let entered = 0;
  /** By a process of which nothing else is wanted. */
  const bound = (...pools: readonly PoolRegistration[]): Promise<unknown> => enter(`entrant ${++entered}`, ...pools);
  const claim = (process: string, limit = 100): Promise<readonly Claim[]> =>
    world().claim(process, { assets: ASSETS, limit });
  const beat = (limit = 100): Promise<Beat> => world().ledger.beat([], { process: 'one', assets: ASSETS, limit });
  const keys = (asset: string, count: number) =>
    Array.from({ length: count }, (_, index) => ({ asset, partition: `${index}` }));
  const gpu = (bounds: Partial<PoolRegistration>): PoolRegistration => ({ name: 'gpu', ...UNBOUNDED, ...bounds });

  describe('of a concurrency', () => {
    beforeEach(async () => {
      await enter('one', gpu({ concurrency: 3 }));
      await enter('two');
    });

    it('never runs more at once, over runs, assets and processes, and holds up no other pool', async () => {
      await world().run(keys('g', 5));
      await world().run([...keys('h', 5), ...keys('free', 4)]);
      const first = [...(await claim('one', 2)), ...(await claim('two')), ...(await claim('one'))];
      const ofPool = first.filter(({ asset }) => asset !== 'free');
      expect(ofPool).toHaveLength(3);
      expect(first).toHaveLength(7);
      await world().succeed(ofPool[0]!);
      expect(await claim('two')).toHaveLength(1);
      expect(await claim('one')).toEqual([]);
    });

    it('gets a place back however an attempt ends', async () => {
      await world().run(keys('g', 12));
      const [a, b, c] = await claim('one');
      await world().fail(a!);
      await world().retry(b!, 1000);
      await world().settle({ ...attempt(c!), kind: 'handed_back' });
      const [d, e, f, ...more] = await claim('two');
      expect([d, e, f].every(Boolean) && more).toEqual([]);
      await world().settle(
        { ...attempt(d!), kind: 'cancelled' },
        { ...attempt(e!), kind: 'skipped', reason: 'fresh', joined: null },
      );
      expect(await claim('two')).toHaveLength(2);
      await world().ledger.unregister('two');
      expect(await claim('one')).toHaveLength(3);
      await enter('three');
      await world().outlive('three');
      await world().ledger.rescue('three');
      expect(await claim('three')).toHaveLength(3);
      expect(await claim('three')).toEqual([]);
    });

    it('counts what was running when it was bounded first, and what a run of its own bound takes', async () => {
      await bound({ name: 'default', concurrency: 2, rate: null });
      await world().run(keys('free', 6), { maxConcurrency: 1 });
      await world().run(keys('free', 3));
      expect((await claim('one')).map(({ run }) => run)).toHaveLength(2);
      expect(await claim('two')).toEqual([]);
    });
  });

  it('is bounded from now on where it was not, for open runs as well, and is free again', async () => {
    await enter('one');
    await enter('two');
    await world().run(keys('g', 9));
    const [first, second, third] = await claim('one', 3);
    await bound(gpu({ concurrency: 2 }));
    expect(await claim('two')).toEqual([]);
    await world().settle(success(first!), success(second!));
    const [fourth] = await claim('two');
    expect(await claim('two')).toEqual([]);
    await bound(gpu({ concurrency: 4 }));
    expect(await claim('two')).toHaveLength(2);
    await bound(gpu({ concurrency: 1 }));
    await world().settle(success(third!), success(fourth!));
    expect(await claim('one')).toEqual([]);
    // Who says nothing of it leaves it as it is.
    await enter('another');
    expect(await claim('one')).toEqual([]);
    await bound(gpu({}));
    expect(await claim('one')).toHaveLength(3);
  });

  it('is told of with all else that a materialization may wait for', async () => {
    await enter('one', gpu({ concurrency: 2, rate: { count: 3, period: 60_000 } }));
    const facts = (id: number) => world().ledger.waitFacts(id);
    const run = await world().run([...keys('g', 3), { asset: 'h', upstreams: [0, 1, 2] }], { maxConcurrency: 3 });
    const rows = (await world().ledger.materializations({ run: run.id }, { limit: 10 })).items.map(({ id }) => id);
    const [last, third] = rows;
    const [first, second] = await claim('one');
    const of = { run: { id: run.id, concurrency: 3, running: 2 }, retryAt: null, holder: null };
    const full = { name: 'gpu', concurrency: 2, running: 2, tokenDue: null };
    expect(await facts(first!.id)).toMatchObject({ ...of, asset: 'g', status: 'running', upstreams: { open: 0 } });
    expect(await facts(third!)).toEqual({
      ...{ ...of, asset: 'g', status: 'pending', upstreams: { open: 0, first: null }, pool: full, key: null },
      now: expect.any(Date),
    });
    expect(await facts(last!)).toMatchObject({ ...of, upstreams: { open: 3, first: first!.id } });
    await world().succeed(first!);
    await world().retry(second!, 60_000);
    expect(await facts(last!)).toMatchObject({ upstreams: { open: 2, first: second!.id } });
    const { retryAt, now } = (await facts(second!.id))!;
    expect((retryAt!.getTime() - now.getTime()) / 1000).toBeCloseTo(60, -1);
    expect(await claim('one')).toHaveLength(1);
    const other = await world().run([{ asset: 'g', partition: '1' }, ...keys('h', 1)]);
    const [tokenless, waiter] = (await world().ledger.materializations({ run: other.id }, { limit: 10 })).items;
    expect((await facts(tokenless!.id))!.pool.tokenDue).toBeGreaterThan(15_000);
    await world().pass(30_000);
    await claim('one');
    expect(await facts(waiter!.id)).toMatchObject({ holder: { id: second!.id, run: run.id } });
    expect(await facts(987_654_321)).toBeUndefined();
  });

  it('is told of for what is not requested yet, with who has the same partition in hand', async () => {
    await enter('one', gpu({ concurrency: 2, rate: { count: 2, period: 60_000 } }));
    const run = await world().run(keys('g', 2));
    const [first, second] = await claim('one');
    await world().retry(second!, 60_000);
    const facts = await world().ledger.startFacts([
      { asset: 'never registered', partition: '' },
      ...['never planned', first!.partition, second!.partition].map((partition) => ({ asset: 'g', partition })),
      { asset: 'free', partition: 'x' },
    ]);
    expect(facts.map(({ asset, partition }) => [asset, partition])).toEqual([
      ['g', 'never planned'],
      ['g', first!.partition],
      ['g', second!.partition],
      ['free', 'x'],
    ]);
    expect(facts.map(({ holder }) => holder)).toEqual([
      null,
      { id: first!.id, run: run.id, retryAt: null },
      { id: second!.id, run: run.id, retryAt: expect.any(Date) },
      null,
    ]);
    expect(facts[0]!.pool).toEqual({ name: 'gpu', concurrency: 2, running: 1, tokenDue: expect.any(Number) });
    expect(facts[3]!.pool).toEqual({ name: 'default', concurrency: null, running: 0, tokenDue: null });
  });

  it('is told of for some of what waits in a run', async () => {
    await enter('one', gpu({ concurrency: 2, rate: { count: 2, period: 60_000 } }));
    const run = await world().run([
      ...keys('g', 100),
      ...keys('h', 1),
      { asset: 'free', partition: 'x', upstreams: [0] },
      { asset: 'h', partition: '0', upstreams: [0] },
    ]);
    const [first, second] = await claim('one');
    const other = await world().run(keys('g', 1));
    await world().retry(second!, 60_000);
    const ids = await world().ledger.waitingIn(run.id);
    const waiting = await Promise.all(ids.map(async (id) => (await world().ledger.materialization(id))!));
    // What is to be tried again, the first of g, the first of h; not what waits for its upstreams.
    expect(waiting.map(({ id, asset }) => `${asset} ${id - first!.id}`).sort()).toEqual(['g 1', 'g 2', 'h 100']);
    await world().pass(60_000);
    await world().ledger.fireTimers();
    await claim('one');
    expect(await world().ledger.waitingIn(other.id)).toHaveLength(1);
    expect(await world().ledger.waitingIn(987_654_321)).toEqual([]);
  });

  describe('of a rate', () => {
    beforeEach(() => enter('one'));

    it('lets as many begin as there are tokens, and says when the next one comes', async () => {
      await bound(gpu({ rate: { count: 3, period: 60_000 } }));
      await world().run([...keys('g', 8), ...keys('free', 1)]);
      const { claims, again } = await beat();
      expect(claims.map(({ asset }) => asset).sort()).toEqual(['free', 'g', 'g', 'g']);
      expect(again).toBeGreaterThan(15_000);
      expect(again).toBeLessThanOrEqual(20_000);
      await world().settle(...claims.map((one) => success(one)));
      expect((await beat()).claims).toEqual([]);
      await world().pass(20_000);
      expect((await beat()).claims).toHaveLength(1);
      expect((await beat()).claims).toEqual([]);
      await world().pass(3_600_000);
      expect((await beat()).claims).toHaveLength(3);
      expect((await beat()).again).toBeGreaterThan(15_000);
    });

    it('asks nobody to look again where nothing waits for a token', async () => {
      await bound(gpu({ rate: { count: 3, period: 60_000 } }));
      await world().run(keys('g', 3));
      expect((await beat()).claims).toHaveLength(3);
      expect((await beat()).again).toBeNull();
    });

    it('keeps the tokens it has when it changes, and may be bounded both ways', async () => {
      await bound(gpu({ rate: { count: 5, period: 60_000 } }));
      await world().run(keys('g', 20));
      expect(await claim('one', 3)).toHaveLength(3);
      await bound(gpu({ rate: { count: 10, period: 60_000 }, concurrency: 4 }));
      expect(await claim('one')).toHaveLength(1);
      await bound(gpu({ rate: { count: 10, period: 60_000 } }));
      expect(await claim('one')).toHaveLength(1);
      await bound(gpu({}));
      expect(await claim('one')).toHaveLength(15);
    });
  });

  describe('of a concurrency or rate per key', () => {
    const dimensions = ['tenant', 'day'];
    const enterKeyed = (id: string, perKey: PoolRegistration['perKey'], bounds: Partial<PoolRegistration> = {}) =>
      world().ledger.register(
        { id, host: 'here', pid: 1, worker: true, lease: LEASE },
        [
          { key: 'g', dimensions },
          { key: 'h', dimensions: 'tenant' },
          { key: 'free', dimensions: ['day'] },
        ].map(({ key, ...more }) => ({
          ...{ key, formerly: [], hash: `hash of ${key}`, upstreams: '', definition: { key } },
          ...{ partitioned: true, pool: 'gpu', ...more },
        })),
        [gpu({ ...bounds, ...(perKey && { perKey }) })],
      );
    const tenant = { dimension: 'tenant', ...UNBOUNDED };
    const rows = (of: string, count: number, asset = 'g') =>
      Array.from({ length: count }, (_, day) => ({ asset, partition: `${of}|${day}` }));
    const tenants = (claims: readonly Claim[]): string =>
      claims
        .map(({ partition }) => partition.split('|')[0])
        .sort()
        .join();

    it('never runs more of a key at once, over runs, assets and processes, and holds up no other key', async () => {
      await enterKeyed('one', { ...tenant, concurrency: 2 }, { concurrency: 5 });
      await enterKeyed('two', { ...tenant, concurrency: 2 }, { concurrency: 5 });
      await world().run([...rows('a', 9), { asset: 'h', partition: 'a' }, { asset: 'h', partition: 'a|b' }]);
      await world().run([...rows('a', 9), ...rows('b', 9)]);
      const first = [...(await claim('one', 3)), ...(await claim('two'))];
      expect(tenants(first)).toBe('a,a,a,b,b');
      // The whole key of an asset of that list, and another tenant than `a`.
      expect(first.filter(({ partition }) => partition === 'a|b')).toHaveLength(1);
      await world().settle(...first.filter(({ partition }) => partition.startsWith('b')).map((one) => success(one)));
      expect(tenants(await claim('one'))).toBe('b,b');
      await world().settle(...first.filter(({ partition }) => /^a.[0-9]/.test(partition)).map((one) => success(one)));
      expect(tenants(await claim('two'))).toBe('a,a');
    });

    it('does not bound what has no such dimension', async () => {
      await enterKeyed('one', { ...tenant, concurrency: 1 });
      await world().run([...keys('free', 4), ...rows('a', 3), { asset: 'g', partition: 'not of two parts' }]);
      expect(await claim('one')).toHaveLength(6);
    });

    it('gets a place of a key back however an attempt ends', async () => {
      await enterKeyed('one', { ...tenant, concurrency: 1 });
      await world().run([...rows('a', 6), ...rows('b', 6)]);
      const next = async (): Promise<Claim> => {
        const claims = await claim('one');
        expect(claims.map(({ partition }) => partition[0])).toEqual(['a']);
        return claims[0]!;
      };
      const [b, a] = (await claim('one')).toSorted((x, y) => y.partition.localeCompare(x.partition));
      expect(b!.partition).toBe('b|0');
      await world().fail(a!);
      await world().retry(await next(), 60_000);
      await world().settle({ ...attempt(await next()), kind: 'handed_back' });
      await world().settle({ ...attempt(await next()), kind: 'cancelled' });
      await next();
      await enter('three');
      await world().outlive('three');
      await world().ledger.rescue('three');
      expect(tenants(await world().claim('three', { assets: ASSETS }))).toBe('a,b');
    });

    it('lets as many of a key begin as it has tokens, and says when the next one comes', async () => {
      await enterKeyed(
        'one',
        { ...tenant, rate: { count: 2, period: 60_000 } },
        { rate: { count: 9, period: 60_000 } },
      );
      await world().run([...rows('a', 5), ...rows('b', 1)]);
      const { claims, again } = await beat();
      expect(tenants(claims)).toBe('a,a,b');
      expect(again).toBeGreaterThan(25_000);
      expect(again).toBeLessThanOrEqual(30_000);
      await world().pass(10_000);
      // Known still, though nobody has looked at what waits.
      const later = await beat();
      expect(later.claims).toEqual([]);
      expect(later.again).toBeGreaterThan(15_000);
      expect(later.again).toBeLessThanOrEqual(20_001);
      await world().run(rows('b', 3));
      expect(tenants((await beat()).claims)).toBe('b');
      await world().pass(30_000);
      expect(tenants((await beat()).claims)).toBe('a,b');
    });

    it('leaves to others in the same claim what it has no token for', async () => {
      await enterKeyed('one', { ...tenant, rate: { count: 3, period: 3_600_000 } }, { concurrency: 4 });
      await world().run(rows('a', 2));
      await world().settle(...(await claim('one')).map((one) => success(one)));
      await world().run(rows('b', 4));
      expect(tenants(await claim('one', 2))).toBe('b,b');
      // Of two places the pool has left, each run of a would have one; a has one token.
      await world().run(rows('a', 2));
      await world().run(rows('a', 4).slice(2));
      expect(tenants(await claim('one'))).toBe('a,b');
    });

    it('changes at once for open runs, and another dimension counts for what is planned then', async () => {
      const bounds = async (perKey: PoolRegistration['perKey']) => enterKeyed('one', perKey);
      await bounds({ ...tenant, concurrency: 1 });
      await world().run([...rows('a', 12), ...rows('b', 12)]);
      expect(tenants(await claim('one'))).toBe('a,b');
      await bounds({ ...tenant, concurrency: 3 });
      expect(tenants(await claim('one'))).toBe('a,a,b,b');
      expect(await claim('one')).toEqual([]);
      await bounds(undefined);
      expect(await claim('one', 2)).toHaveLength(2);
      await bounds({ ...tenant, concurrency: 3 });
      expect(await claim('one')).toEqual([]);
      await bounds({ dimension: 'day', concurrency: 1, rate: null });
      expect(await claim('one', 4)).toHaveLength(4);
      const run = await world().run([...rows('c', 3), ...rows('d', 3)]);
      const claims = await claim('one');
      expect(
        claims
          .filter(({ run: of }) => of === run.id)
          .map(({ partition }) => partition.slice(2))
          .sort(),
      ).toEqual([...['0', '1', '2']]);
    });

    it('is told of what waits for it', async () => {
      await enterKeyed('one', { ...tenant, concurrency: 1, rate: { count: 1, period: 60_000 } });
      const run = await world().run(rows('a', 2));
      await claim('one');
      const [waiting] = (await world().ledger.materializations({ run: run.id }, { limit: 1 })).items;
      expect(await world().ledger.waitingIn(run.id)).toEqual([waiting!.id]);
      const facts = (await world().ledger.waitFacts(waiting!.id))!;
      expect(facts.pool).toMatchObject({ name: 'gpu', concurrency: null });
      expect(facts.key).toMatchObject({ name: 'a', concurrency: 1, running: 1 });
      expect(facts.key!.tokenDue).toBeGreaterThan(50_000);
      const planned = ['a|2', 'new|0', '0'].map((partition) => ({ asset: 'g', partition }));
      const [full, fresh, keyless] = await world().ledger.startFacts(planned);
      expect(full!.key).toMatchObject({ name: 'a', concurrency: 1, running: 1 });
      expect([fresh!.key?.running ?? 0, fresh!.key?.tokenDue ?? null, keyless!.key]).toEqual([0, null, null]);
    });

    it('holds for one materialization that is asked for alone, and for what is tried again', async () => {
      await enterKeyed('one', { ...tenant, concurrency: 1 });
      const ask = async (partition: string) =>
        world().ledger.insertRun(runOf(), {
          plan: planOf([{ asset: 'g', partition }]),
          claim: { process: 'one', assets: ASSETS, limit: 5 },
        });
      const { claims, run } = await ask('a|0');
      expect(claims).toHaveLength(1);
      expect((await ask('a|1')).claims).toEqual([]);
      expect((await ask('b|1')).claims).toHaveLength(1);
      await world().fail(claims[0]!);
      const left = await world().ledger.leftovers(run.id);
      await world().ledger.insertRun(runOf({ retryOf: run.id }), { plan: left });
      expect(tenants(await claim('one'))).toBe('a');
    });
  });
}
