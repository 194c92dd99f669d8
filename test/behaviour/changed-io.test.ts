// An asset that is kept by another I/O manager than before: nothing becomes unreadable, and what is left of it goes in the end.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  Asset,
  type AssetOptions,
  type FlowStoneOptions,
  type FlowStoneService,
  type IoManager,
} from '../../lib/index.js';
import { valueMoved, valueNotFound } from '../../lib/io/io-failures.js';
import { startApp } from './graph.js';
import { DURABLE_STORAGES, testStorage, type TestStorage } from './storages.js';

/** One slot for each asset; what it needs to know is in the location. */
class SlotIoManager implements IoManager {
  readonly versions = 'head';
  readonly slots = new Map<string, { readonly by: number; readonly value: unknown }>();

  async store({ asset, materialization: by, options }: Parameters<IoManager['store']>[0], value: unknown) {
    const slot = `${asset} on ${String(options['shelf'])}`;
    this.slots.set(slot, { by, value });
    return { location: { slot, by }, size: 1, hash: null, rows: null };
  }

  async load({ asset, partition, location }: Parameters<IoManager['load']>[0]): Promise<unknown> {
    const { slot, by } = location as { slot: string; by: number };
    const found = this.slots.get(slot);
    if (found === undefined) throw valueNotFound({ asset, partition }, 'the slot is empty');
    if (found.by !== by) throw valueMoved({ asset, partition });
    return found.value;
  }

  async delete({ location }: Parameters<IoManager['delete']>[0]): Promise<void> {
    const { slot, by } = location as { slot: string; by: number };
    if (this.slots.get(slot)?.by === by) this.slots.delete(slot);
  }

  optionProblems(): string[] {
    return [];
  }
}

const VERSION_NOT_KEPT = { code: 'FLOWSTONE_IO_VERSION_NOT_KEPT' };
let computed = 0;

/** The same asset, kept otherwise. */
function keptBy(options: AssetOptions) {
  @Asset({ name: 'thing', ...options })
  class Thing {
    execute(): { n: number } {
      return { n: ++computed };
    }
  }
  return Thing;
}

describe.each(DURABLE_STORAGES)('an asset whose I/O manager changes (%s)', (storage) => {
  let where: TestStorage;
  let app: TestingModule | undefined;
  let flowstone: FlowStoneService;
  let slots: SlotIoManager;

  beforeEach(async () => {
    computed = 0;
    slots = new SlotIoManager();
    where = await testStorage(storage);
  });
  afterEach(async () => {
    await app?.close();
    await where.remove();
  });

  const start = async (options: AssetOptions, more: FlowStoneOptions = {}): Promise<void> => {
    await app?.close();
    const retention = { every: false as const, versions: { keep: 2 } };
    const given = { ...where.options, retention, managers: { slots }, ...more };
    ({ app, flowstone } = await startApp([keptBy(options)], given));
  };
  const compute = async () => (await flowstone.materialize('thing', { force: true })).wait();
  const ids = async () => (await flowstone.history('thing')).items.map(({ id }) => id).toReversed();

  it('is loaded from where it was stored, from kept to the newest only and back', async () => {
    await start({ io: 'filesystem', format: 'json' });
    await compute();
    await start({ io: 'slots', shelf: 'red' });
    expect(await flowstone.load('thing')).toEqual({ n: 1 });
    await compute();
    await compute();
    const [first, second, third] = await ids();
    expect(await flowstone.load('thing')).toEqual({ n: 3 });
    expect(await flowstone.load('thing', { version: first! })).toEqual({ n: 1 });
    await expect(flowstone.load('thing', { version: second! })).rejects.toMatchObject(VERSION_NOT_KEPT);
    await start({ io: 'filesystem', compression: 'gzip' });
    expect(await flowstone.load('thing')).toEqual({ n: 3 });
    expect(await flowstone.preview('thing')).toMatchObject({ kind: 'document', document: { n: 3 } });
    await compute();
    expect(await flowstone.load('thing')).toEqual({ n: 4 });
    // It may be there still, but nothing holds it.
    await expect(flowstone.load('thing', { version: third! })).rejects.toMatchObject(VERSION_NOT_KEPT);
  });

  it('leaves nothing behind where it was kept before', async () => {
    await start({ io: 'slots', shelf: 'red' });
    await compute();
    await start({ io: 'slots', shelf: 'blue' });
    await compute();
    await start({ io: 'filesystem' });
    for (let n = 0; n < 3; n++) await compute();
    expect(slots.slots.size).toBe(2);
    await flowstone.collect();
    expect(slots.slots.size).toBe(0);
    expect(await flowstone.load('thing')).toEqual({ n: 5 });
    expect(await flowstone.load('thing', { version: (await ids())[3]! })).toEqual({ n: 4 });
  });

  it('says which manager is missing where the old one is configured no more, and keeps its values for it', async () => {
    const UNKNOWN = { code: 'FLOWSTONE_IO_MANAGER_UNKNOWN', message: expect.stringContaining('"slots"') };
    await start({ io: 'slots', shelf: 'red' });
    await compute();
    await start({ io: 'filesystem' }, { managers: {} });
    await expect(flowstone.load('thing')).rejects.toMatchObject(UNKNOWN);
    await expect(flowstone.preview('thing')).rejects.toMatchObject(UNKNOWN);
    const [old] = await ids();
    for (let n = 0; n < 3; n++) await compute();
    await expect(flowstone.load('thing', { version: old! })).rejects.toMatchObject(UNKNOWN);
    expect((await flowstone.collect()).values).toBe(1);
    expect(slots.slots.size).toBe(1);
    await start({ io: 'filesystem' });
    expect((await flowstone.collect()).values).toBe(1);
    expect(slots.slots.size).toBe(0);
  });
});
