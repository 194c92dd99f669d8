// Values are kept apart by namespace, asset, partition and attempt, whatever the keys and however many at once.
import assert from 'node:assert/strict';
import type { StoredValue } from '../../io/io-manager.port.js';
import { keyTextProblem } from '../../partitions/partition-key.js';
import { isUnwritten, NOT_FOUND, type Declare } from './bench.js';

const HOSTILE_KEYS = [
  ...[
    '',
    '.',
    '..',
    '/',
    '../../etc/passwd',
    'a/b',
    'a\\b',
    '%',
    '%2F',
    '_',
    '%5F',
    '\0',
    'a\0b',
    ' ',
    'a ',
    'CON',
    'con.txt',
  ],
  ...[
    'é',
    'e\u0301',
    '日本',
    '💧',
    '\ud800',
    '\udc00',
    '__proto__',
    'constructor',
    "'; drop table x; --",
    '"',
    '\n',
    '|',
    '*',
    '~',
  ],
  ...['x'.repeat(300), `${'x'.repeat(300)}y`, '日'.repeat(400), '2001-03-04', '2001-03-04T00:00:00+01:00'],
];
/** Of any manager. */
export function checkAddresses(test: Declare): void {
  test('keeps values of any keys apart', async (bench) => {
    const places = [undefined, ...HOSTILE_KEYS].map((partition, index) => ({ partition, value: bench.sample(index) }));
    const stored = await Promise.all(
      places.map(async ({ partition, value }) =>
        bench.store(value, { partition }).catch((error: unknown) => {
          // No ledger has keys that are no text for PostgreSQL, so that a manager may refuse them.
          if (partition === undefined || keyTextProblem(partition) === undefined) throw error;
          assert.equal((error as { code?: unknown }).code, 'FLOWSTONE_IO_VALUE_UNSUPPORTED');
          return undefined;
        }),
      ),
    );
    for (const [index, value] of stored.entries()) {
      const { partition } = places[index]!;
      if (!value) continue;
      assert.deepStrictEqual(await bench.sampleOf(value.location, { partition }), index, JSON.stringify(partition));
    }
  });

  test('keeps namespaces and assets apart, also under hostile names', async (bench) => {
    const names = ['a', 'a.b', '..', 'a/b', '%'];
    const places = names.flatMap((namespace) => names.map((asset) => ({ namespace, asset })));
    const locations = await Promise.all(places.map(async (place, index) => bench.store(bench.sample(index), place)));
    for (const [index, { location }] of locations.entries()) {
      assert.equal(await bench.sampleOf(location, places[index]), index);
    }
  });

  test('stores what an attempt left before its commit once more, in another place', async (bench) => {
    const attempt = { materialization: bench.nextMaterialization() };
    const lost = await bench.store(bench.sample(1), { ...attempt, epoch: 1 });
    const committed = await bench.store(bench.sample(2), { ...attempt, epoch: 2 });
    assert.notDeepStrictEqual(lost.location, committed.location);
    await bench.manager.delete(bench.loadContext(lost.location));
    assert.equal(await bench.sampleOf(committed.location), 2);
  });

  test('leaves the value of a partition as it is when an attempt dies before its commit', async (bench) => {
    const place = { partition: `died ${bench.nextMaterialization()}` };
    const { location } = await bench.store(bench.sample(1), place);
    const context = bench.storeContext(place);
    const value = await bench.manager.store(context, bench.sample(2));
    if (!isUnwritten(value) && bench.replaces) return;
    assert.equal(await bench.sampleOf(location, place), 1);
    if (!isUnwritten(value)) return;
    if (!('write' in value)) {
      await assert.rejects(bench.sampleOf(value.location, place), (thrown) => isAbsent(thrown));
      return;
    }
    // A commit that is undone leaves nothing either.
    const undone = new Error('undone');
    let unseen: StoredValue | undefined;
    const write: typeof value.write = async (sql) => {
      unseen = await value.write(sql);
      throw undone;
    };
    const committing = bench.commit(context, { write, release: async () => undefined });
    await assert.rejects(committing, (thrown) => thrown === undone);
    await assert.rejects(bench.sampleOf(unseen!.location, place), (thrown) => isAbsent(thrown));
    assert.equal(await bench.sampleOf(location, place), 1);
    const { location: seen } = await bench.commit(context, value);
    assert.equal(await bench.sampleOf(seen, place), 2);
  });

  test('finds a value by where it is recorded, whatever its asset says now', async (bench) => {
    const { location } = await bench.store(bench.sample(7));
    assert.equal(await bench.sampleOf(location, { options: {} }), 7);
    await bench.manager.delete(bench.loadContext(location, { options: {} }));
    await assert.rejects(bench.sampleOf(location, { options: {} }), NOT_FOUND);
  });

  test('stores two attempts at one partition at the same time, and one of them or both are there', async (bench) => {
    const place = { partition: `raced ${bench.nextMaterialization()}` };
    const numbers = [1, 2, 3, 4];
    const stored = await Promise.all(numbers.map((number) => bench.store(bench.sample(number), place)));
    const found = await Promise.allSettled(stored.map(({ location }) => bench.sampleOf(location, place)));
    const right = found.flatMap((outcome, index) => {
      if (outcome.status === 'fulfilled') assert.equal(outcome.value, numbers[index]);
      else assert.ok(isAbsent(outcome.reason));
      return outcome.status === 'fulfilled' ? [index] : [];
    });
    assert.equal(right.length, bench.replaces ? 1 : numbers.length);
  });

  test('stores and loads many values at the same time', async (bench) => {
    const read = async (index: number) => {
      const partition = `p${index}`;
      return bench.sampleOf((await bench.store(bench.sample(index), { partition })).location, { partition });
    };
    const indexes = Array.from({ length: 50 }, (_, index) => index);
    assert.deepStrictEqual(await Promise.all(indexes.map(read)), indexes);
  });
}

/** Whether an error says that the value is not there, or another one is. */
function isAbsent(thrown: unknown): boolean {
  const { code } = thrown as { code?: unknown };
  return code === NOT_FOUND.code || code === 'FLOWSTONE_IO_VALUE_MOVED';
}
