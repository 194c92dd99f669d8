// Managers that keep the newest value only: whoever reads an older one is told, and never given another one for it.
import assert from 'node:assert/strict';
import { collect, NOT_FOUND, stream, type Bench, type Declare, type Row } from './bench.js';

const MOVED = { code: 'FLOWSTONE_IO_VALUE_MOVED' };

/** Of a manager where what is stored replaces what was stored before; nothing is asked of others. */
export function checkReplacement(declare: Declare): void {
  const test: Declare = (name, body) =>
    declare(`${name}, where the newest value only is kept`, async (bench) => {
      if (bench.replaces) await body(bench);
    });

  test('tells who loads a value that another one has replaced', async (bench) => {
    const place = { partition: `replaced ${bench.nextMaterialization()}` };
    const { location: old } = await bench.store(bench.sample(1), place);
    const { location } = await bench.store(bench.sample(2), place);
    let told = 0;
    await assert.rejects(bench.sampleOf(old, { ...place, moved: () => told++ }), MOVED);
    assert.ok(told > 0, 'moved() is called before the error is thrown');
    assert.equal(await bench.sampleOf(location, place), 2);
  });

  test('tells who reads rows while they are replaced, and gives them no others', async (bench) => {
    if (!bench.takes('rows')) return;
    const place = { partition: `read ${bench.nextMaterialization()}` };
    const before = await collect(stream(20_000));
    const { location } = await bench.store(stream(20_000), place);
    let told = 0;
    const read: Row[] = [];
    try {
      for await (const row of await bench.rows(location, { ...place, moved: () => told++ })) {
        read.push(row);
        if (read.length === 1) await bench.store(stream(20_000, 1), place);
      }
      assert.equal(read.length, before.length, 'an end without an error is the end of all rows');
    } catch (error) {
      assert.equal((error as { code?: unknown }).code, MOVED.code);
      assert.ok(told > 0, 'moved() is called before the error is thrown');
    }
    assert.deepStrictEqual(read, before.slice(0, read.length));
  });

  test('leaves the newest value when an older one is deleted', async (bench) => {
    const place = { partition: `kept ${bench.nextMaterialization()}` };
    const { location: old } = await bench.store(bench.sample(1), place);
    const { location } = await bench.store(bench.sample(2), place);
    await bench.manager.delete(bench.loadContext(old, place));
    assert.equal(await bench.sampleOf(location, place), 2);
    await bench.manager.delete(bench.loadContext(location, place));
    await assert.rejects(bench.sampleOf(location, place), NOT_FOUND);
  });

  test('lets nobody replace a value who may not commit any more', async (bench: Bench) => {
    const place = { partition: `fenced ${bench.nextMaterialization()}` };
    const { location } = await bench.store(bench.sample(1), place);
    const context = { ...bench.storeContext(place), holds: async () => false };
    const stored = await bench.manager.store(context, bench.sample(2)).catch(() => undefined);
    // What is written with its record is fenced by that, and is not written yet.
    if (stored && 'release' in stored) await stored.release();
    assert.equal(await bench.sampleOf(location, place), 1);
  });
}
