// What is not there, was deleted, was aborted or cannot be reached.
import assert from 'node:assert/strict';
import type { IoManager, StoredAttempt } from '../../io/io-manager.port.js';
import { NOT_FOUND, type Declare } from './bench.js';

const DAY = 24 * 3_600_000;
const FAILED = { code: 'FLOWSTONE_IO_FAILED' };

/** Of any manager. */
export function checkAbsence(test: Declare): void {
  test('does not find what was deleted, and deletes twice', async (bench) => {
    const { location } = await bench.store(bench.sample(1));
    const context = bench.loadContext(location);
    if (bench.manager.exists) assert.equal(await bench.manager.exists(context), true);
    await bench.manager.delete(context);
    await bench.manager.delete(context);
    if (bench.manager.exists) assert.equal(await bench.manager.exists(context), false);
    await assert.rejects(bench.load(location), NOT_FOUND);
  });

  test('calls nothing lost that is there, if it knows what is lost', async (bench) => {
    const { location } = await bench.store(bench.sample(1));
    assert.equal(bench.manager.lost?.(location), undefined);
    const later = await bench.another();
    try {
      if (later.manager.lost?.(location) !== undefined) await assert.rejects(later.load(location), NOT_FOUND);
    } finally {
      await later.manager.close?.();
    }
  });

  test('lists attempts and discards what one left, if it can do either', async (bench) => {
    const { manager } = bench;
    // What is replaced by the next one need not be looked for.
    if (!manager.list || !manager.discard || bench.replaces) return;
    const namespace = `conformance ${bench.nextMaterialization()}`;
    const found = new Map<number, StoredAttempt>();
    const listed = async (of: string): Promise<number[]> => {
      const epochs: number[] = [];
      for await (const stored of manager.list!(of)) {
        assert.equal(stored.materialization, attempt.materialization);
        found.set(stored.epoch, stored);
        epochs.push(stored.epoch);
      }
      return epochs.sort((a, b) => a - b);
    };
    const attempt = { namespace, asset: 'a/b', partition: '..', materialization: bench.nextMaterialization() };
    const orphan = { ...attempt, epoch: 1 };
    await bench.store(bench.sample(1), orphan);
    const { location } = await bench.store(bench.sample(2), { ...attempt, epoch: 2 });
    assert.deepEqual(await listed(namespace), [1, 2]);
    assert.deepEqual(await listed(`${namespace} more`), []);
    const discard = (days: number) =>
      manager.discard!({ ...orphan, ...found.get(1)! }, new Date(Date.now() + days * DAY));
    assert.equal(await discard(-1), false);
    assert.equal(await discard(1), true);
    assert.equal(await discard(1), false);
    assert.deepEqual(await listed(namespace), [2]);
    assert.equal(await bench.sampleOf(location, attempt), 2);
  });

  test('stores nothing once it is aborted', async (bench) => {
    const reason = new Error('cancelled');
    const namespace = `aborted ${bench.nextMaterialization()}`;
    const place = { namespace, signal: AbortSignal.abort(reason) };
    await assert.rejects(bench.store(bench.sample(1), place), (thrown) => thrown === reason);
    for await (const left of bench.manager.list?.(namespace) ?? []) assert.fail(`it lists ${JSON.stringify(left)}`);
  });
}

/** Of any manager. @param createBroken makes one whose storage cannot be reached */
export function checkFailures(test: Declare, createBroken: () => IoManager | Promise<IoManager>): void {
  test('reports a storage that fails as failure, not as an absent value', async (bench) => {
    const { location } = await bench.store(bench.sample(1));
    const broken = bench.with(await createBroken());
    await assert.rejects(broken.load(location), FAILED);
    await assert.rejects(broken.store(broken.sample(1)), FAILED);
    const context = broken.loadContext(location);
    await assert.rejects(broken.manager.delete(context), FAILED);
    if (broken.manager.exists) await assert.rejects(broken.manager.exists(context), FAILED);
    await broken.manager.close?.();
  });
}
