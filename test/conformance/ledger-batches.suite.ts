// Batches: claims that share a place, and when that is free again.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { PoolRegistration } from '../../lib/ledger/registrations.js';
import type { Claim, ClaimRequest } from '../../lib/ledger/work.js';
import { attempt, LEASE, planOf, runOf, success, type World } from './ledger.fixture.js';

const ASSETS = ['g', 'h', 'free'];

export function batchBehaviours(world: () => World): void {
  const enter = (id: string, bounds: Partial<PoolRegistration> = {}): Promise<unknown> =>
    world().ledger.register(
      { id, host: 'here', pid: 1, worker: true, lease: LEASE },
      ASSETS.map((key) => ({
        ...{ key, formerly: [], hash: `hash of ${key}`, upstreams: '', definition: { key } },
        ...{ partitioned: true, pool: key === 'free' ? 'default' : 'gpu' },
      })),
      [{ name: 'gpu', concurrency: null, rate: null, ...bounds }],
    );
  const claim = (process = 'one', request: Partial<ClaimRequest> = {}): Promise<readonly Claim[]> =>
    world().claim(process, { assets: ASSETS, batchSizes: new Map([['g', 3]]), ...request });
  const keys = (asset: string, count: number) =>
    Array.from({ length: count }, (_, index) => ({ asset, partition: `${index}` }));
  /** How many claims each batch has; those without one by themselves. */
  const shape = (claims: readonly Claim[]): number[] => [
    ...countBy(claims.map(({ id, batch }) => batch ?? `${id}`)).values(),
  ];
  const taken = async (of: Claim): Promise<number> => (await world().ledger.waitFacts(of.id))!.pool.running;

  beforeEach(() => enter('one', { concurrency: 100 }));

  it('have one place each, are filled before another place is taken, and hold what comes first', async () => {
    await world().run(keys('g', 10));
    const first = await claim('one', { limit: 2 });
    expect(shape(first)).toEqual([3, 3]);
    expect(first.map(({ partition }) => partition)).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(await taken(first[0]!)).toBe(2);
    const rest = await claim('one', { limit: 50 });
    expect(shape(rest)).toEqual([3, 1]);
    expect(await taken(first[0]!)).toBe(4);
    expect(new Set([...first, ...rest].map(({ batch }) => batch)).size).toBe(4);
  });

  it('are made of what a beat releases as well', async () => {
    await world().run([
      { asset: 'free', partition: 'above' },
      ...keys('free', 4).map((key) => ({ ...key, upstreams: [0] })),
    ]);
    const batchSizes = new Map([['free', 3]]);
    const [above] = await claim('one', { batchSizes });
    const { claims } = await world().ledger.beat([success(above!)], {
      process: 'one',
      assets: ASSETS,
      limit: 10,
      batchSizes,
    });
    expect(shape(claims)).toEqual([3, 1]);
  });

  it('are of what is computed in batches only, of one run each, and leave places to others', async () => {
    await world().run([...keys('g', 2), ...keys('h', 2), ...keys('free', 1)]);
    await world().run(keys('g', 4).slice(2));
    const claims = await claim('one', { limit: 10 });
    expect(shape(claims).toSorted()).toEqual([1, 1, 1, 2, 2]);
    for (const { asset, batch } of claims) expect(batch === null).toBe(asset !== 'g');
    expect(await taken(claims[0]!)).toBe(4);
    expect((await claim('one', { batchSizes: undefined })).length).toBe(0);
  });

  it('give their place back with the last of them, however each ends', async () => {
    await enter('one', { concurrency: 1 });
    await world().run(keys('g', 12));
    const [a, b, c] = await claim();
    expect(await claim()).toEqual([]);
    await world().settle(success(a!), { ...attempt(b!), kind: 'cancelled' });
    expect(await claim()).toEqual([]);
    await world().fail(c!);
    const [d, e, f] = await claim();
    expect(await taken(d!)).toBe(1);
    await world().retry(d!, 1000);
    await world().settle({ ...attempt(e!), kind: 'skipped', reason: 'fresh', joined: null });
    expect(await claim()).toEqual([]);
    await world().settle({ ...attempt(f!), kind: 'handed_back' });
    const again = await claim();
    expect(again).toHaveLength(3);
    await world().settle(...again.map((one) => success(one)));
    expect(await taken(a!)).toBe(0);
  });

  it('give it back when their process leaves or is lost', async () => {
    await enter('two', { concurrency: 1 });
    await world().run(keys('g', 4));
    const [first] = await claim('one');
    expect(await claim('two')).toEqual([]);
    await world().succeed(first!);
    await world().ledger.unregister('one');
    expect(await claim('two')).toHaveLength(3);
    await enter('three', { concurrency: 1 });
    await world().outlive('three');
    await world().ledger.rescue('three');
    const rescued = await claim('three');
    expect(shape(rescued)).toEqual([3]);
    expect(await taken(first!)).toBe(1);
  });

  it('give it back once, when they end from several sides at the same time', async () => {
    await world().run(keys('g', 30));
    const claims = await claim('one', { batchSizes: new Map([['g', 10]]) });
    expect(shape(claims)).toEqual([10, 10, 10]);
    await Promise.all(claims.map((one) => world().settle(success(one))));
    expect(await taken(claims[0]!)).toBe(0);
  });

  it('are made anew of what is tried again, while the others go on', async () => {
    await world().run(keys('g', 3));
    const [a, b, c] = await claim();
    await world().settle({ ...attempt(a!), kind: 'handed_back' });
    const [again] = await claim();
    expect(again).toMatchObject({ id: a!.id, epoch: a!.epoch + 1 });
    expect(again!.batch).not.toBe(b!.batch);
    expect(await taken(a!)).toBe(2);
    await world().settle(success(b!), success(c!));
    expect(await taken(a!)).toBe(1);
    await world().succeed(again!);
    expect(await taken(a!)).toBe(0);
  });

  it('are one of what a run may have at once', async () => {
    const run = await world().run(keys('g', 7), { maxConcurrency: 1 });
    const first = await claim();
    expect(shape(first)).toEqual([3]);
    expect(await claim()).toEqual([]);
    const waiting = (await world().ledger.materializations({ run: run.id, status: ['pending'] }, { limit: 1 }))
      .items[0]!;
    expect((await world().ledger.waitFacts(waiting.id))!.run).toEqual({ id: run.id, concurrency: 1, running: 1 });
    await world().settle(...first.map((one) => success(one)));
    expect(shape(await claim())).toEqual([3]);
  });

  it('take one token of a rate', async () => {
    await enter('one', { rate: { count: 2, period: 60_000 } });
    await world().run(keys('g', 9));
    expect(shape(await claim())).toEqual([3, 3]);
    await world().pass(30_000);
    expect(shape(await claim())).toEqual([3]);
  });

  it('count once when their pool is bounded first', async () => {
    await world().run(keys('free', 4));
    const batchSizes = new Map([['free', 4]]);
    const [first] = await claim('one', { batchSizes });
    await world().ledger.register(
      { id: 'two', host: 'here', pid: 1, worker: true, lease: LEASE },
      [],
      [{ name: 'default', concurrency: 2, rate: null }],
    );
    expect(await taken(first!)).toBe(1);
    await world().run(keys('free', 6).slice(4));
    expect(await claim('one', { batchSizes: undefined })).toHaveLength(1);
  });

  describe('leave out', () => {
    it('what another run has in hand, which then waits for that', async () => {
      await world().run(keys('g', 1));
      const [holder] = await claim();
      await world().run(keys('g', 3));
      const claims = await claim();
      expect(claims.map(({ partition }) => partition)).toEqual(['1', '2']);
      await world().succeed(holder!);
      expect((await claim()).map(({ joined }) => joined?.id)).toEqual([holder!.id]);
    });

    it('nothing when they are claimed with the insertion of their run', async () => {
      const batchSizes = new Map([['g', 3]]);
      const { claims } = await world().ledger.insertRun(runOf(), {
        plan: planOf(keys('g', 5)),
        claim: { process: 'one', assets: ASSETS, limit: 1, batchSizes },
      });
      expect(shape(claims)).toEqual([3]);
    });
  });
}

function countBy(names: readonly unknown[]): Map<unknown, number> {
  const counts = new Map<unknown, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
