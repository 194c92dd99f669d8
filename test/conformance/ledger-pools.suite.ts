// Pools: how much of one runs at once, and how much may begin in a time.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Beat, Claim, PoolRegistration } from '../../lib/ledger/ledger.port.js';
import { attempt, LEASE, success, type World } from './ledger.fixture.js';

const ASSETS = ['g', 'h', 'free'];
const UNBOUNDED = { concurrency: null, rate: null };

export function poolBehaviours(world: () => World): void {
  const enter = (id: string, ...pools: readonly PoolRegistration[]): Promise<void> =>
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
  const bound = (...pools: readonly PoolRegistration[]): Promise<void> => enter(`entrant ${++entered}`, ...pools);
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
      ...{ ...of, asset: 'g', status: 'pending', upstreams: { open: 0, first: null }, pool: full },
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
}
