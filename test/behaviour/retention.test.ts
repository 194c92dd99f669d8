// Retention as applications meet it: what is kept, what goes, and what says that it went, on every storage.
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  Asset,
  DependsOn,
  Partitions,
  type AssetContext,
  type Collected,
  type FlowStoneOptions,
  type FlowStoneService,
  type InputsOf,
  type IoManager,
  type RetentionOptions,
} from '../../lib/index.js';
import { gate, startApp } from './graph.js';
import { STORAGES, testStorage, type TestStorage } from './storages.js';

let count = 0;
let reading: ReturnType<typeof gate<void>>;
let readOn: ReturnType<typeof gate<void>>;

@Asset({ keep: 2 })
class Counter {
  execute(): number {
    return ++count;
  }
}
@Asset()
class Plain {
  async *execute(): AsyncGenerator<{ n: number }> {
    yield { n: ++count };
  }
}
const readerInputs = { plain: Plain };
@Asset()
@DependsOn(readerInputs)
class Reader {
  async execute(_context: AssetContext, { plain }: InputsOf<typeof readerInputs>): Promise<number> {
    reading.open();
    await readOn.opened;
    return (await plain.toArray())[0]!.n;
  }
}
@Asset({ partitions: Partitions.static(['a/b', 'c']) })
class Parts {
  execute(): number {
    if (count < 0) throw new Error('it broke');
    return ++count;
  }
}

const NOTHING = { values: 0, orphans: 0, runs: 0, materializations: 0, events: 0 };
/** Nothing is old enough to go by itself, and nobody collects but the test. */
const PATIENT: RetentionOptions = { every: false };

describe.each(STORAGES)('retention, its ledger on %s', (kind) => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  const start = async (retention: RetentionOptions, more: FlowStoneOptions = {}): Promise<void> => {
    ({ app, flowstone } = await startApp([Counter, Plain, Reader, Parts], { ...storage.options, ...more, retention }));
  };
  const compute = async (asset: typeof Counter | typeof Plain | typeof Parts, times: number): Promise<number[]> => {
    for (let n = 0; n < times; n++)
      await (await flowstone.materialize(asset, { partitions: 'all', force: true })).wait();
    return (await flowstone.history(asset)).items.map(({ id }) => id);
  };
  /** Collects until so many runs are gone: what ends in the millisecond in which a pass begins is young to it. */
  const collectRuns = async (runs: number): Promise<Collected> => {
    let sum: Collected = NOTHING;
    while (sum.runs < runs) {
      const { values, orphans, materializations, events, runs: more } = await flowstone.collect();
      sum = {
        values: sum.values + values,
        orphans: sum.orphans + orphans,
        runs: sum.runs + more,
        materializations: sum.materializations + materializations,
        events: sum.events + events,
      };
    }
    return sum;
  };
  const files = async (asset: string): Promise<string[]> => {
    const folder = join(storage.options.directory!, 'values', 'default', asset);
    const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    return found.filter((entry) => entry.isFile()).map(({ name }) => name);
  };

  beforeEach(async () => {
    count = 0;
    reading = gate();
    readOn = gate();
    storage = await testStorage(kind);
  });
  afterEach(async () => {
    await app.close();
    await storage.remove();
  });

  it('keeps as many versions as the asset says; older ones say that they are not kept', async () => {
    await start(PATIENT);
    const [head, former, old, oldest] = await compute(Counter, 4);
    expect(await flowstone.load(Counter, { version: oldest! })).toBe(1);
    expect(await flowstone.collect()).toEqual({ ...NOTHING, values: 2 });
    expect(await flowstone.load(Counter)).toBe(4);
    expect(await flowstone.load(Counter, { version: head! })).toBe(4);
    expect(await flowstone.load(Counter, { version: former! })).toBe(3);
    for (const version of [old!, oldest!]) {
      await expect(flowstone.load(Counter, { version })).rejects.toMatchObject({
        code: 'FLOWSTONE_IO_VERSION_NOT_KEPT',
        message: expect.stringContaining('only the newest 2 versions are (keep: 2)'),
        context: { asset: 'counter', partition: null, version },
      });
    }
    const { items } = await flowstone.history(Counter);
    expect(items.map(({ valueRemoved }) => valueRemoved)).toEqual([false, false, true, true]);
    expect(await flowstone.collect()).toEqual(NOTHING);
  });

  it('removes runs, records and events by age, and nothing of heads', async () => {
    await start({ every: false, runs: 0, events: 0, orphans: 0, versions: { keep: 1 } });
    readOn.open();
    const [head] = await compute(Plain, 2);
    const run = await flowstone.materialize(Reader);
    await run.wait();
    expect(await collectRuns(3)).toMatchObject({ runs: 3, materializations: 1, values: 1 });
    expect((await flowstone.runs()).items).toEqual([]);
    expect((await flowstone.history(Plain)).items.map(({ id }) => id)).toEqual([head]);
    expect(await flowstone.status(Reader)).toMatchObject({ state: 'fresh' });
    expect(await flowstone.load(Reader)).toBe(2);
    await expect(run.view()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_NOT_FOUND' });
  });

  it('lets what runs read the version it has pinned, even a deleted one', async () => {
    await start({ every: false, versions: { keep: 1 } });
    await compute(Plain, 1);
    const run = await flowstone.materialize(Reader);
    await reading.opened;
    await compute(Plain, 1);
    expect(await flowstone.delete(Plain)).toBe(1);
    expect(await flowstone.collect()).toEqual(NOTHING);
    readOn.open();
    await run.wait();
    expect(await flowstone.load(Reader)).toBe(1);
    expect(await flowstone.collect()).toEqual({ ...NOTHING, values: 2 });
  });

  it('deletes the values of a deleted head, those of former versions too, at once where nothing runs', async () => {
    await start(PATIENT);
    const [version, former] = await compute(Counter, 2);
    expect(await flowstone.load(Counter, { version: former! })).toBe(count - 1);
    expect(await flowstone.delete(Counter)).toBe(1);
    expect(await files('counter')).toEqual([]);
    await expect(flowstone.load(Counter, { version: former! })).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VERSION_NOT_KEPT',
    });
    await expect(flowstone.load(Counter)).rejects.toMatchObject({ code: 'FLOWSTONE_VALUE_MISSING' });
    await expect(flowstone.load(Counter, { version: version! })).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VERSION_NOT_KEPT',
      message: expect.stringContaining('or delete() removed it'),
    });
    expect(await flowstone.collect()).toEqual(NOTHING);
  });

  it('returns the same run for a run key whose run is gone', async () => {
    await start({ every: false, runs: 0, orphans: 0 });
    const { id } = await flowstone.materialize(Counter, { runKey: 'k' });
    await flowstone.run(id).wait();
    await collectRuns(1);
    const again = await flowstone.materialize(Counter, { runKey: 'k' });
    expect(again.id).toBe(id);
    expect(await again.wait()).toMatchObject({ id, status: 'success', counts: { success: 1 } });
  });

  it('collects by itself, every now and then', async () => {
    await start({ every: '10ms', versions: { keep: 1 } });
    const ids = await compute(Plain, 3);
    const gone = async (): Promise<boolean> => (await flowstone.history(Plain)).items.at(-1)!.valueRemoved;
    while (!(await gone())) await new Promise(setImmediate);
    expect(await flowstone.load(Plain)).toBeDefined();
    await expect(flowstone.load(Plain, { version: ids.at(-1)! })).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VERSION_NOT_KEPT',
      message: expect.stringContaining('keep: 1'),
    });
  });

  if (kind !== 'memory') {
    it('stops amid its work when the application closes', async () => {
      await start(PATIENT);
      await compute(Counter, 3);
      const collecting = flowstone.collect();
      await app.close();
      await collecting.catch((error: unknown) => expect(error).toMatchObject({ name: 'AbortError' }));
      await start(PATIENT);
      await flowstone.collect();
      expect(await flowstone.load(Counter)).toBe(3);
    });

    it('removes the files that attempts left behind, temporary ones and empty folders too', async () => {
      await start(PATIENT);
      const folder = join(storage.options.directory!, 'values', 'default', 'parts', 'a%2Fb');
      await compute(Parts, 1);
      const [kept] = (await flowstone.history(Parts, { partition: 'a/b' })).items;
      count = -10;
      await expect((await flowstone.materialize(Parts, { partition: 'a/b', force: true })).wait()).rejects.toThrow(
        'it broke',
      );
      const [failed] = (await flowstone.history(Parts, { partition: 'a/b' })).items;
      const orphans = [`${failed!.id}-1.json`, `${kept!.id}-0.json.0a.tmp`];
      const strangers = ['notes.txt', `${failed!.id + 1000}-1.json`];
      for (const name of [...orphans, ...strangers]) await writeFile(join(folder, name), '{}');
      await mkdir(join(folder, '..', 'empty'));
      expect(await flowstone.collect()).toEqual(NOTHING);
      const yesterday = new Date(Date.now() - 25 * 3_600_000);
      for (const name of [...orphans, ...strangers]) await utimes(join(folder, name), yesterday, yesterday);
      expect(await flowstone.collect()).toEqual({ ...NOTHING, orphans: 2 });
      expect((await readdir(folder)).sort()).toEqual([`${kept!.id}-1.json`, ...strangers].sort());
      expect((await readdir(join(folder, '..'))).sort()).toEqual(['a%2Fb', 'c']);
      expect(await flowstone.load(Parts, { partition: 'a/b' })).toBe(1);
    });
  }

  it('goes on with the rest where a value cannot be deleted, and tries again', async () => {
    let broken = true;
    const values = new Map<number, unknown>();
    const moody: IoManager = {
      versions: 'kept',
      store: async ({ materialization }, value) => {
        values.set(materialization, value);
        return { location: materialization, size: 1, hash: null, rows: null };
      },
      load: async ({ location }) => values.get(location as number),
      delete: async ({ location }) => {
        if (broken) throw new Error('no network');
        values.delete(location as number);
      },
      // oxlint-disable-next-line require-yield -- it fails before there is anything to yield
      async *list() {
        throw new Error('no network');
      },
      discard: async () => false,
    };
    await start({ every: false, runs: 0, orphans: 0, versions: { keep: 1 } }, { io: 'moody', managers: { moody } });
    await compute(Plain, 3);
    expect(await flowstone.collect()).toMatchObject({ values: 0, runs: 3 });
    broken = false;
    expect(await flowstone.collect()).toMatchObject({ values: 2 });
    expect(values.size).toBe(1);
  });
});

describe('retention where a manager keeps the newest value only', () => {
  it('says so of older versions, and deletes nothing that took their place', async () => {
    let slot: { readonly id: number; readonly value: unknown } | undefined;
    const single: IoManager = {
      versions: 'head',
      store: async ({ materialization: id }, value) => {
        slot = { id, value };
        return { location: id, size: 1, hash: null, rows: null };
      },
      load: async () => slot!.value,
      delete: async ({ location }) => void (slot?.id === location && (slot = undefined)),
    };
    const managers = { single };
    @Asset({ io: 'single' })
    class Single {
      execute(): number {
        return ++count;
      }
    }
    count = 0;
    const { app, flowstone } = await startApp([Single], { storage: 'memory', managers, retention: { every: false } });
    for (let n = 0; n < 2; n++) await (await flowstone.materialize(Single, { force: true })).wait();
    const [head, old] = (await flowstone.history(Single)).items;
    expect(await flowstone.load(Single, { version: head!.id })).toBe(2);
    await expect(flowstone.load(Single, { version: old!.id })).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VERSION_NOT_KEPT',
      message: expect.stringContaining("'single' keeps only the newest"),
    });
    await flowstone.delete(Single);
    expect(slot).toBeUndefined();
    await app.close();

    @Asset({ io: 'single', keep: 2 })
    class Greedy {
      execute(): void {}
    }
    await expect(startApp([Greedy], { storage: 'memory', managers })).rejects.toMatchObject({
      code: 'FLOWSTONE_DECLARATION_INVALID',
      message: expect.stringContaining('keep'),
    });
  });
});

describe('retention options', () => {
  const refused: [RetentionOptions, string][] = [
    [{ runs: 'soon' as '1s' }, 'runs is false or a duration'],
    [{ versions: { keep: 0 } }, 'versions is { keep: n }'],
    [{ versions: 5 }, 'versions is { keep: n }'],
    [{ run: '1d' } as RetentionOptions, 'without run (did you mean "runs"?)'],
    [{ runs: '1d' }, 'twice as long as orphans'],
    ['30d' as RetentionOptions, 'an object of runs'],
  ];
  it.each(refused)('are refused at boot when wrong: %j', async (retention, problem) => {
    await expect(startApp([], { storage: 'memory', retention })).rejects.toMatchObject({
      code: 'FLOWSTONE_OPTIONS_INVALID',
      message: expect.stringContaining(problem),
    });
  });
});
