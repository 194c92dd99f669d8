// Two applications with the same assets in one database, one Redis and one directory, told apart by namespace alone: what
// one does, the other must not see, run, wait for, stop or remove.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Asset,
  DependsOn,
  Partitions,
  type AssetContext,
  type FlowStoneOptions,
  type InputsOf,
} from '../../lib/index.js';
import { gate } from '../behaviour/graph.js';
import { testStorage, type TestStorage } from '../behaviour/storages.js';
import { redisUrl } from '../services/services.js';
import { startOnBull, type BullApp } from './start-on-bull.js';

const POOL = 'narrow';

/** What the code of each application does while it executes, by namespace. */
const holds = new Map<string, (context: AssetContext) => Promise<void>>();

function assetsOf(namespace: string) {
  let count = 0;
  const partitions = Partitions.dynamic('keys');

  @Asset({ name: 'number', pool: POOL })
  class Counted {
    async execute(context: AssetContext): Promise<string> {
      await holds.get(namespace)?.(context);
      return `${namespace} ${++count}`;
    }
  }
  const inputs = { counted: Counted };
  @Asset({ name: 'part', pool: POOL, partitions, codeVersion: namespace })
  @DependsOn(inputs)
  class Part {
    async execute(context: AssetContext, { counted }: InputsOf<typeof inputs>): Promise<string> {
      await holds.get(namespace)?.(context);
      return `${context.partition.key} of ${counted}`;
    }
  }
  return [Counted, Part];
}

const startSide = (namespace: string, options: FlowStoneOptions): Promise<BullApp> =>
  startOnBull(assetsOf(namespace), [POOL], { ...options, namespace });

describe('two applications in one database and one Redis', () => {
  let storage: TestStorage;
  let one: BullApp;
  let two: BullApp;

  beforeEach(async () => {
    storage = await testStorage('postgres');
    const queue = { redis: await redisUrl(), prefix: `test-${randomBytes(6).toString('hex')}` };
    const options = { ...storage.options, queue, pollInterval: 50, retention: { every: false } } as const;
    one = await startSide('a', { ...options, pools: { [POOL]: { concurrency: 1 } } });
    two = await startSide('b', { ...options, retention: { every: false, versions: { keep: 1 } } });
  });
  afterEach(async () => {
    holds.clear();
    await Promise.all([one, two].map(({ app }) => app.close()));
    await storage.remove();
  });

  it('compute, keep and list the same assets each for itself', async () => {
    await (await one.flowstone.materialize('number')).wait();
    expect(await two.flowstone.status('number')).toMatchObject({ state: 'missing' });
    expect(await two.flowstone.runs()).toEqual({ items: [], next: null });
    expect((await two.flowstone.history('number')).items).toEqual([]);
    await (await two.flowstone.materialize('number')).wait();
    await (await two.flowstone.materialize('number', { force: true })).wait();
    expect(await one.flowstone.load('number')).toBe('a 1');
    expect(await two.flowstone.load('number')).toBe('b 2');
    expect((await one.flowstone.runs()).items).toHaveLength(1);
    expect((await two.flowstone.runs({ asset: 'number' })).items).toHaveLength(2);
  });

  it('have partitions, run keys and definitions of their own', async () => {
    await one.flowstone.addPartitions('keys', ['x', 'y']);
    await two.flowstone.addPartitions('keys', ['z']);
    expect((await one.flowstone.partitions('part')).size).toBe(2);
    expect((await two.flowstone.partitions('part')).size).toBe(1);
    const [a, b] = await Promise.all([
      one.flowstone.materialize('part', { partition: 'x', runKey: 'daily' }),
      two.flowstone.materialize('part', { partition: 'z', runKey: 'daily' }),
    ]);
    expect(a.id).not.toBe(b.id);
    await Promise.all([a.wait(), b.wait()]);
    expect(await one.flowstone.load('part', { partition: 'x' })).toBe('x of a 1');
    // Each is current with its own code version, whichever was registered later.
    expect(await one.flowstone.status('part', 'x')).toMatchObject({ state: 'fresh' });
    expect(await two.flowstone.status('part', 'z')).toMatchObject({ state: 'fresh' });
    expect(await two.flowstone.removePartitions('keys', ['x'])).toEqual([]);
  });

  it('reach nothing of each other by number', async () => {
    const run = await one.flowstone.materialize('number');
    await run.wait();
    const [materialization] = (await one.flowstone.materializations(run.id)).items;
    const { flowstone } = two;
    await expect(flowstone.run(run.id).view()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_NOT_FOUND' });
    await expect(flowstone.cancel(run.id)).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_NOT_FOUND' });
    await expect(flowstone.retry(run.id)).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_NOT_FOUND' });
    expect((await flowstone.materializations(run.id)).items).toEqual([]);
    expect(await flowstone.whyWaiting(materialization!.id)).toBeUndefined();
    await (await flowstone.materialize('number')).wait();
    await expect(flowstone.load('number', { version: materialization!.id })).rejects.toMatchObject({
      family: 'request',
    });
  });

  it('hold up nobody of the other: not by places, by the lock of a partition, by a cancel or by a pause', async () => {
    const [begun, go] = [gate(), gate()];
    holds.set('a', async () => {
      begun.open();
      await go.opened;
    });
    await one.flowstone.addPartitions('keys', ['x']);
    await two.flowstone.addPartitions('keys', ['x']);
    const held = await one.flowstone.materialize('part', { partition: 'x' });
    await begun.opened;
    expect(await (await two.flowstone.materialize('part', { partition: 'x' })).wait()).toMatchObject({
      counts: { success: 2 },
    });
    await two.bull(POOL).pause();
    expect(await one.bull(POOL).isPaused()).toBe(false);
    await expect(two.flowstone.cancel(held.id)).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_NOT_FOUND' });
    go.open();
    expect((await held.wait()).counts).toMatchObject({ success: 2 });
    expect((await one.flowstone.health()).queue.pools).toMatchObject({ [POOL]: { paused: false } });
    expect((await two.flowstone.health()).queue.pools).toMatchObject({ [POOL]: { paused: true } });
  });

  it('collect and delete only their own', async () => {
    const versions = new Map<BullApp, number[]>();
    for (const side of [one, two]) {
      for (let n = 0; n < 3; n++) await (await side.flowstone.materialize('number', { force: true })).wait();
      versions.set(
        side,
        (await side.flowstone.history('number')).items.map(({ id }) => id),
      );
    }
    expect(await two.flowstone.collect()).toMatchObject({ values: 2 });
    const load = ({ flowstone }: BullApp, version: number) => flowstone.load('number', { version });
    for (const version of versions.get(one)!) expect(await load(one, version)).toMatch(/^a \d/);
    await expect(load(two, versions.get(two)![2]!)).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VERSION_NOT_KEPT' });
    await two.flowstone.delete('number');
    await two.flowstone.invalidate('part');
    expect(await one.flowstone.load('number')).toBe('a 3');
    expect(await one.flowstone.status('number')).toMatchObject({ state: 'fresh' });
  });
});
