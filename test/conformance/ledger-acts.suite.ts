// Acts of people, and reads: invalidating, deleting, versions of external assets, dynamic partitions, pages.
import { expect, it } from '@jest/globals';
import { success, type World } from './ledger.fixture.js';

const ACT = { actor: 'mia', reason: 'because' };

export function actBehaviours(world: () => World): void {
  const materialize = async (...partitions: string[]) => {
    await world().run(partitions.map((partition) => ({ asset: 'p', partition })));
    for (const claim of await world().claim()) await world().succeed(claim);
  };
  const invalidated = async () => {
    const [heads] = await world().ledger.heads([{ asset: 'p', partitions: 'all' }]);
    return [...heads!.values()].filter((head) => head.invalidated).map(({ partition }) => partition);
  };

  it('invalidates the named heads, or all of an asset, and nothing that has none', async () => {
    await materialize('x', 'y', 'z');
    const targets = [
      { asset: 'p', partitions: ['y', 'missing'] },
      { asset: 'nobody', partitions: 'all' as const },
    ];
    expect(await world().ledger.invalidate(targets, ACT)).toBe(1);
    expect(await invalidated()).toEqual(['y']);
    expect(await world().ledger.invalidate([{ asset: 'p', partitions: 'all' }], ACT)).toBe(3);
    await materialize('x');
    expect((await invalidated()).sort()).toEqual(['y', 'z']);
    const { items } = await world().ledger.events({ asset: 'p' }, { limit: 100 });
    const told = items.filter(({ kind }) => kind === 'asset.invalidated');
    expect(told).toHaveLength(4);
    expect(told[0]).toMatchObject({ actor: 'mia', detail: { reason: 'because' }, asset: 'p' });
  });

  it('deletes heads, and condemns their values', async () => {
    await materialize('x', 'y');
    const head = (await world().headOf('p', 'x'))!;
    const deleted = await world().ledger.deleteHeads([{ asset: 'p', partitions: ['x', 'missing'] }], ACT);
    expect(deleted).toEqual({ heads: [{ asset: 'p', partition: 'x' }], collection: expect.any(Number) });
    const condemned = await world().ledger.collection.condemned(deleted.collection!, 0, 9);
    expect(condemned).toMatchObject([{ materialization: head.materialization, value: head.value }]);
    expect(await world().headOf('p', 'x')).toMatchObject({ materialization: null, value: null, dataVersion: null });
    expect(await world().ledger.materialization(head.materialization!)).toMatchObject({ status: 'success' });
    expect(await world().headOf('p', 'y')).toMatchObject({ materialization: expect.any(Number) });
  });

  it('condemns former versions with the head, also of one that is deleted already, and of no other', async () => {
    const ids: number[] = [];
    for (const partition of ['x', 'x', 'y', 'y', 'x']) {
      await materialize(partition);
      ids.push((await world().headOf('p', partition))!.materialization!);
    }
    const condemned = async () => {
      const deleted = await world().ledger.deleteHeads([{ asset: 'p', partitions: ['x'] }], ACT);
      if (deleted.collection === null) return [];
      const values = await world().ledger.collection.condemned(deleted.collection, 0, 9);
      return values.map(({ materialization }) => materialization);
    };
    expect(await condemned()).toEqual([ids[0], ids[1], ids[4]]);
    expect(await condemned()).toEqual([]);
    await materialize('x');
    const last = (await world().headOf('p', 'x'))!.materialization!;
    expect(await condemned()).toEqual([last]);
  });

  it('refuses to delete while one is active', async () => {
    await materialize('x');
    await world().run([{ asset: 'p', partition: 'y' }]);
    const { id } = await world().claimOne();
    const deleting = world().ledger.deleteHeads([{ asset: 'p', partitions: 'all' }], ACT);
    await expect(deleting).rejects.toMatchObject({
      code: 'FLOWSTONE_ASSET_BUSY',
      context: { asset: 'p', partition: 'y', materialization: id },
    });
    expect(await world().headOf('p', 'x')).toMatchObject({ materialization: expect.any(Number) });
  });

  it('records reported versions of an external asset as its head', async () => {
    const report = { asset: 'a', partition: '', dataVersion: '1', metadata: { source: 'api' } };
    const first = await world().ledger.reportVersion(report, ACT);
    const second = await world().ledger.reportVersion({ ...report, dataVersion: '2', metadata: null }, ACT);
    expect(await world().headOf('a')).toMatchObject({ materialization: second, dataVersion: '2', value: null });
    expect(await world().ledger.materialization(first)).toMatchObject({
      ...{ run: null, asset: 'a', status: 'success', dataVersion: '1', metadata: { source: 'api' }, attempts: 0 },
    });
    const { items } = await world().ledger.events({ asset: 'a' }, { limit: 1 });
    expect(items).toMatchObject([{ kind: 'asset.version_reported', materialization: second, actor: 'mia' }]);
  });

  it('pages through events one by one, also of materializations that ended together', async () => {
    const { ledger } = world();
    const partitions = Array.from({ length: 9 }, (_, index) => ({ asset: 'p', partition: `${index}` }));
    const run = await world().run([...partitions, { asset: 'a' }, { asset: 'b' }]);
    const claims = await world().claim();
    const [b, ...others] = claims.toReversed();
    await world().settle(...others.map((claim) => success(claim)));
    await world().fail(b!);
    await materialize('0', '1', '2');
    for (const filter of [{}, { run: run.id }, { asset: 'p' }, { run: run.id, asset: 'p' }]) {
      const { items: all, next } = await ledger.events(filter, { limit: 100 });
      expect(next).toBeNull();
      expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
      expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).toSorted((one, other) => other - one));
      const successes = all.filter((event) => event.asset === 'p' && event.run === run.id);
      expect(successes.map(({ partition }) => partition).sort()).toEqual(partitions.map(({ partition }) => partition));
      for (const event of successes) {
        expect(event).toMatchObject({ kind: 'materialization.success', actor: null, detail: null });
        const claim = claims.find(({ partition, asset }) => asset === 'p' && partition === event.partition)!;
        expect(event.materialization).toBe(claim.id);
      }
      for (const limit of [1, 2, 5, 9, all.length]) {
        for (let from = 0; from < all.length; from++) {
          const page = await ledger.events(filter, { limit, before: all[from]!.id });
          const items = all.slice(from + 1, from + 1 + limit);
          expect(page).toEqual({ items, next: from + 1 + limit < all.length ? items.at(-1)!.id : null });
        }
      }
    }
  });

  it('tells of each of very many that were cancelled together', async () => {
    const { ledger } = world();
    const partitions = Array.from({ length: 2_300 }, (_, index) => `${index}`);
    const run = await world().run(partitions.map((partition) => ({ asset: 'p', partition })));
    await ledger.cancelRun(run.id, { ...ACT, grace: 0 });
    const told: (string | null)[] = [];
    const ids: number[] = [];
    for (let before: number | null | undefined; before !== null;) {
      const page = await ledger.events({ asset: 'p' }, { limit: 700, before });
      told.push(...page.items.map(({ partition }) => partition));
      ids.push(...page.items.map(({ id }) => id));
      before = page.next;
    }
    expect(told.toSorted()).toEqual(partitions.toSorted());
    expect(ids).toEqual([...new Set(ids)].toSorted((one, other) => other - one));
  });

  it('adds dynamic partitions once, retires them, and revives them', async () => {
    const { ledger } = world();
    expect(await ledger.addPartitions('tenants', ['b', 'a', 'b'], ACT)).toEqual(['b', 'a']);
    expect(await ledger.addPartitions('tenants', ['a', 'c'], ACT)).toEqual(['c']);
    expect(await ledger.dynamicPartitions('tenants')).toEqual(['b', 'a', 'c']);
    expect(await ledger.removePartitions('tenants', ['a', 'never'], ACT)).toEqual(['a']);
    expect(await ledger.removePartitions('tenants', ['a'], ACT)).toEqual([]);
    expect(await ledger.dynamicPartitions('tenants')).toEqual(['b', 'c']);
    expect(await ledger.addPartitions('tenants', ['a'], ACT)).toEqual(['a']);
    expect([...(await ledger.dynamicPartitions('tenants'))].sort()).toEqual(['a', 'b', 'c']);
    expect(await ledger.dynamicPartitions('others')).toEqual([]);
    const { items } = await ledger.events({}, { limit: 2 });
    expect(items).toMatchObject([
      { kind: 'partitions.added', actor: 'mia', detail: { name: 'tenants', keys: ['a'] } },
      { kind: 'partitions.removed', detail: { name: 'tenants', keys: ['a'] } },
    ]);
  });

  it('answers each query for heads with what it named', async () => {
    await materialize('x', 'y', 'z');
    const [all, some, none, unknown, again] = await world().ledger.heads([
      { asset: 'p', partitions: 'all' },
      { asset: 'p', partitions: ['x', 'missing'] },
      { asset: 'a', partitions: 'all' },
      { asset: 'nobody', partitions: [''] },
      { asset: 'p', partitions: ['y', 'z'] },
    ]);
    expect([...all!.keys()].sort()).toEqual(['x', 'y', 'z']);
    expect([...some!.keys()]).toEqual(['x']);
    expect([...again!.keys()].sort()).toEqual(['y', 'z']);
    expect([none!.size, unknown!.size]).toEqual([0, 0]);
  });

  it('answers with the heads of an asset some at a time, each once', async () => {
    const { ledger } = world();
    await materialize('z', 'x', 'y', 'u');
    const found: string[] = [];
    for (let from: string | null = ''; from !== null;) {
      const { heads, next } = await ledger.headsFrom('p', from, 2);
      expect(heads.size).toBe(2);
      for (const [partition, head] of heads)
        expect(head).toMatchObject({ partition, materialization: expect.any(Number) });
      found.push(...heads.keys());
      from = next;
    }
    expect(found).toEqual(['u', 'x', 'y', 'z']);
    const rest = await ledger.headsFrom('p', 'y', 5);
    expect([[...rest.heads.keys()], rest.next]).toEqual([['y', 'z'], null]);
    expect((await ledger.headsFrom('nobody', '', 5)).heads.size).toBe(0);
  });

  it('pages newest first, to the end', async () => {
    const runs = [];
    for (let index = 0; index < 5; index++) runs.push((await world().run([{ asset: index === 2 ? 'a' : 'b' }])).id);
    const first = await world().ledger.runs({}, { limit: 2 });
    expect(first.items.map(({ id }) => id)).toEqual([runs[4], runs[3]]);
    const second = await world().ledger.runs({}, { limit: 3, before: first.next! });
    expect(second).toMatchObject({ items: [{ id: runs[2] }, { id: runs[1] }, { id: runs[0] }], next: null });
    expect((await world().ledger.runs({ asset: 'a' }, { limit: 9 })).items.map(({ id }) => id)).toEqual([runs[2]]);
    expect((await world().ledger.runs({ status: ['success'] }, { limit: 9 })).items).toEqual([]);
  });

  it('filters materializations by run, asset, partition and status', async () => {
    await materialize('x', 'y');
    const run = await world().run([{ asset: 'p', partition: 'x' }, { asset: 'a' }]);
    const list = async (filter: Parameters<World['ledger']['materializations']>[0]) =>
      (await world().ledger.materializations(filter, { limit: 9 })).items.map(
        ({ asset, partition }) => asset + partition,
      );
    expect(await list({ run: run.id })).toEqual(['a', 'px']);
    expect(await list({ asset: 'p' })).toEqual(['px', 'py', 'px']);
    expect(await list({ asset: 'p', partition: 'x' })).toEqual(['px', 'px']);
    expect(await list({ asset: 'p', partition: 'x', status: ['pending'] })).toEqual(['px']);
    expect(await list({ asset: 'nobody' })).toEqual([]);
  });
}
