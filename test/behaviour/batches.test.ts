// Batches: several partitions computed by one call of executeMany, each ending by itself.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import {
  Asset,
  currentContext,
  DependsOn,
  Partitions,
  Requires,
  RunFailed,
  type BatchContext,
  type BatchItem,
  type BatchResults,
  type FlowStoneService,
  type InputsOf,
  type RunHandle,
} from '../../lib/index.js';
import { MemoryIoManager } from '../../lib/io/managers/memory.io-manager.js';
import { FakeClock, startTestGraph } from '../../lib/testing/index.js';
import { gate, startApp } from './graph.js';
import { STORAGES, testStorage, type TestStorage } from './storages.js';

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];
type Item = BatchItem<InputsOf<typeof wordInputs>>;
type Act = (context: BatchContext<typeof resources>, items: readonly Item[]) => BatchResults<string>;

/** The keys of each call. */
let calls: string[][] = [];
let act: Act;
let texts: Record<string, string> = {};
let loads = 0;

@Injectable()
class Dictionary {
  spell(text: string): string {
    return text.toUpperCase();
  }
}
const resources = { dictionary: Dictionary };

@Asset({ partitions: Partitions.static(KEYS) })
class Texts {
  execute(): string {
    return texts[currentContext()!.partition!.key] ?? currentContext()!.partition!.key;
  }
}
@Asset()
class Language {
  execute(): { name: string } {
    return { name: `language ${++loads}` };
  }
}
const wordInputs = { text: Texts, language: Language };
@Asset({ partitions: 'inherit', batch: { size: 4 } })
@DependsOn({ text: Texts })
class Short {
  async *executeMany(_context: BatchContext, items: readonly BatchItem<{ text: string }>[]): BatchResults<string> {
    for (const { partition, inputs } of items) yield [partition.key, inputs.text.slice(0, 1)];
  }
}
@Asset({ partitions: Partitions.static(KEYS), batch: { size: 4 }, retry: { attempts: 2, delay: '1h', jitter: 0.5 } })
@DependsOn(wordInputs)
@Requires(resources)
class Words {
  executeMany(context: BatchContext<typeof resources>, items: readonly Item[]): BatchResults<string> {
    calls.push(items.map(({ partition }) => partition.key).toSorted());
    return act(context, items);
  }
}
@Asset({ batch: { size: 10 } })
class Whole {
  async *executeMany(_context: BatchContext, items: readonly BatchItem[]): BatchResults<AsyncIterable<{ n: number }>> {
    for (const { partition } of items) yield [partition.key, this.rows()];
  }
  private async *rows(): AsyncGenerator<{ n: number }> {
    yield { n: 1 };
    yield { n: 2 };
  }
}

const spelled: Act = async function* ({ resources: { dictionary } }, items) {
  for (const { partition, inputs } of items) yield [partition.key, dictionary.spell(inputs.text)];
};
const failures = async (run: RunHandle): Promise<Record<string, string>> => {
  const error = await run.wait().catch((thrown: unknown) => thrown);
  const { result } = error as RunFailed;
  return Object.fromEntries(result.failures.map(({ partition, error: record }) => [partition, record!.message]));
};

beforeEach(() => {
  calls = [];
  texts = {};
  act = spelled;
  loads = 0;
});

describe.each(STORAGES)('a batch, its ledger on %s', (kind) => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeAll(async () => {
    storage = await testStorage(kind);
    ({ app, flowstone } = await startApp([Texts, Language, Short, Words, Whole, Dictionary], storage.options));
  });
  beforeEach(async () => {
    // Upstream first, so that what is asked for next is ready together.
    await (await flowstone.materialize([Texts, Language], { partitions: 'all', force: true })).wait();
    await flowstone.delete(Words, { partitions: 'all' });
  });
  afterAll(async () => {
    await app.close();
    await storage.remove();
  });

  it('computes what is ready together, at most so many at a time, and each value can be loaded', async () => {
    const run = await flowstone.materialize(Words, { partitions: KEYS });
    expect((await run.wait()).counts).toMatchObject({ total: 6, success: 6 });
    expect(calls.map((keys) => keys.length).toSorted()).toEqual([2, 4]);
    expect(calls.flat().toSorted()).toEqual(KEYS);
    expect(await flowstone.load(Words, { partition: 'e' })).toBe('E');
  });

  it('leaves out what needs no computing before it is formed', async () => {
    await (await flowstone.materialize(Short, { partitions: KEYS })).wait();
    texts = { a: 'apple', b: 'banana' };
    await flowstone.invalidate(Texts, { partitions: KEYS });
    const run = await flowstone.materialize(Short, { partitions: KEYS });
    expect((await run.wait()).counts).toMatchObject({ total: 12, success: 8, skipped: 4 });
  });

  it('serves an asset without partitions, whose values may be rows', async () => {
    await (await flowstone.materialize(Whole)).wait();
    expect(await (await flowstone.load(Whole)).toArray()).toEqual([{ n: 1 }, { n: 2 }]);
    expect((await flowstone.history(Whole)).items[0]).toMatchObject({ value: { rows: 2 } });
  });

  it('commits each key at once, while the call goes on', async () => {
    const going = gate();
    act = async function* (context, items) {
      yield* spelled(context, items.slice(0, 1));
      await going.opened;
      yield* spelled(context, items.slice(1));
    };
    const run = await flowstone.materialize(Words, { partitions: ['a', 'b', 'c'] });
    while ((await run.view()).counts.success === 0) await new Promise(setImmediate);
    expect(await flowstone.load(Words, { partition: 'a' })).toBe('A');
    expect((await run.view()).counts).toMatchObject({ success: 1, running: 2 });
    going.open();
    expect((await run.wait()).counts).toMatchObject({ success: 3 });
    expect(calls).toEqual([['a', 'b', 'c']]);
  });

  it('fails one key where that is said, and records what is reported of another', async () => {
    act = async function* (context, [a, b, c, d]) {
      context.report(a!.partition.key, { dataVersion: 'v7', metadata: { pages: 3 } });
      yield [
        b!.partition.key,
        context.fail(b!.partition.key, Object.assign(new Error('illegible'), { retryable: false })),
      ];
      context.fail(c!.partition.key, Object.assign(new Error('torn'), { retryable: false }));
      yield* spelled(context, [d!, a!]);
    };
    const run = await flowstone.materialize(Words, { partitions: ['a', 'b', 'c', 'd'] });
    expect(await failures(run)).toEqual({ b: 'words[b] failed: illegible', c: 'words[c] failed: torn' });
    const { items } = await flowstone.history(Words, { partition: 'a' });
    expect(items[0]).toMatchObject({ dataVersion: 'v7', metadata: { pages: 3 }, status: 'success', attempts: 1 });
  });

  it('fails what was not yielded when the code throws, and keeps what was', async () => {
    act = async function* (context, items) {
      yield* spelled(context, items.slice(0, 2));
      throw Object.assign(new Error('no more'), { retryable: false });
    };
    const run = await flowstone.materialize(Words, { partitions: ['a', 'b', 'c', 'd'] });
    expect(await failures(run)).toEqual({ c: 'words[c] failed: no more', d: 'words[d] failed: no more' });
    expect((await run.view()).counts).toMatchObject({ success: 2, failed: 2 });
    act = spelled;
    expect((await (await flowstone.retry(run.id)).wait()).counts).toMatchObject({ total: 2, success: 2 });
  });

  it('fails alone the item whose value cannot be stored', async () => {
    act = async function* (context, items) {
      yield [items[0]!.partition.key, new Map() as unknown as string];
      yield* spelled(context, items.slice(1));
    };
    const run = await flowstone.materialize(Words, { partitions: ['a', 'b', 'c'] });
    expect(Object.keys(await failures(run))).toEqual(['a']);
    expect((await run.view()).counts).toMatchObject({ success: 2, failed: 1 });
  });

  it('gives every item its inputs, and those that all share once', async () => {
    const seen = new Map<string, unknown[]>();
    act = async function* (context, items) {
      for (const { partition, inputs, previous, idempotencyKey, attempt, epoch } of items) {
        seen.set(partition.key, [inputs.text, inputs.language, previous, idempotencyKey, attempt, epoch]);
      }
      expect(currentContext()).toBe(context);
      yield* spelled(context, items);
    };
    await (await flowstone.materialize(Words, { partitions: ['a', 'b'] })).wait();
    const [a, b] = [seen.get('a')!, seen.get('b')!];
    expect([a[0], b[0]]).toEqual(['a', 'b']);
    expect(a[1]).toBe(b[1]);
    expect([a[2], b[2]]).toEqual([undefined, undefined]);
    expect(a.slice(4)).toEqual([1, 1]);
    expect(a[3]).not.toBe(b[3]);
    const { dataVersion } = (await flowstone.history(Words, { partition: 'a' })).items[0]!;
    await (await flowstone.materialize(Words, { partition: 'a', force: true })).wait();
    expect(seen.get('a')![2]).toBe(dataVersion);
  });
});

describe.each(['memory', 'postgres'] as const)('a batch has one place, its ledger on %s', (kind) => {
  let storage: TestStorage;
  const many = Array.from({ length: 45 }, (_, index) => `${index}`);

  @Asset({ partitions: Partitions.static(many), batch: { size: 20 }, pool: 'narrow' })
  class Many {
    async *executeMany(_context: BatchContext, items: readonly BatchItem[]): BatchResults<number> {
      calls.push(items.map(({ partition }) => partition.key));
      for (const { partition } of items) yield [partition.key, 1];
    }
  }

  beforeEach(async () => {
    storage = await testStorage(kind);
  });
  afterEach(() => storage.remove());

  it.each([
    ['of its process', { concurrency: 1 }, {}],
    ['of its pool', { pools: { narrow: { concurrency: 1 } } }, {}],
    ['of what its run may have', {}, { maxConcurrency: 1 }],
  ])('%s', async (_of, options, request) => {
    const { app, flowstone } = await startApp([Many], { ...storage.options, ...options });
    await (await flowstone.materialize(Many, { partitions: 'all', ...request })).wait();
    expect(calls.map((keys) => keys.length)).toEqual([20, 20, 5]);
    await app.close();
  });
});

it('hands back what a batch had not yielded when its process closed, no attempt used up', async () => {
  const storage = await testStorage('postgres');
  const begun = gate();
  let computing = async function* (
    { signal }: BatchContext,
    [first, ...others]: readonly BatchItem[],
  ): BatchResults<number> {
    yield [first!.partition.key, 1];
    begun.open();
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    for (const { partition } of others) yield [partition.key, 2];
  };
  class Interrupted {
    executeMany(context: BatchContext, items: readonly BatchItem[]): BatchResults<number> {
      calls.push(items.map(({ partition }) => partition.key));
      return computing(context, items);
    }
  }
  Asset({ partitions: Partitions.static(['a', 'b', 'c']), batch: { size: 5 } })(Interrupted);
  const first = await startApp([Interrupted], { ...storage.options, drainDeadline: '50ms' });
  const { id } = await first.flowstone.materialize(Interrupted, { partitions: 'all' });
  await begun.opened;
  await first.app.close();
  computing = async function* (_context, items) {
    for (const { partition } of items) yield [partition.key, 3];
  };
  const second = await startApp([Interrupted], storage.options);
  await second.flowstone.run(id).wait();
  expect(calls).toEqual([
    ['a', 'b', 'c'],
    ['b', 'c'],
  ]);
  expect(await second.flowstone.load(Interrupted, { partition: 'a' })).toBe(1);
  expect(await second.flowstone.load(Interrupted, { partition: 'b' })).toBe(3);
  const { items } = await second.flowstone.history(Interrupted);
  expect(items.map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
  await second.app.close();
  await storage.remove();
});

describe('in a batch', () => {
  const providers = [Texts, Language, Words, Dictionary];
  const at = '2001-01-01T00:00:00Z';

  it.each([
    ['a key that no item has', ['x', 'value']],
    ['no pair', 'value'],
    ['a failure of nobody', ['b', 'twice']],
  ])(
    '%s is an error that fails what is left, and what fails together is tried again together',
    async (_what, extra) => {
      const clock = new FakeClock(at);
      await using graph = await startTestGraph({ providers, clock });
      await (await graph.flowstone.materialize([Texts, Language], { partitions: 'all' })).wait();
      act = async function* (context, items) {
        yield* spelled(context, items.slice(0, 2));
        act = spelled;
        yield extra as unknown as [string, string];
      };
      const run = await graph.flowstone.materialize(Words, { partitions: ['a', 'b', 'c', 'd'] });
      const retrying = async () =>
        (await graph.flowstone.history(Words)).items.filter(({ attempts }) => attempts === 1);
      while ((await retrying()).length < 4) await new Promise(setImmediate);
      const errors = (await retrying()).filter(({ status }) => status === 'pending').map(({ error }) => error!.code);
      expect(errors).toEqual(['FLOWSTONE_BATCH_KEY_UNEXPECTED', 'FLOWSTONE_BATCH_KEY_UNEXPECTED']);
      clock.advance(3 * 3_600_000);
      await run.wait();
      expect(calls).toEqual([
        ['a', 'b', 'c', 'd'],
        ['c', 'd'],
      ]);
    },
  );

  it('what is not yielded fails by name, the last time for good', async () => {
    const clock = new FakeClock(at);
    await using graph = await startTestGraph({ providers, clock });
    await (await graph.flowstone.materialize([Texts, Language], { partitions: 'all' })).wait();
    act = (context, items) => spelled(context, items.slice(1));
    const run = await graph.flowstone.materialize(Words, { partitions: ['a', 'b'] });
    const attempts = async () => (await graph.flowstone.history(Words, { partition: 'a' })).items[0]?.attempts;
    while ((await attempts()) !== 1) await new Promise(setImmediate);
    clock.advance(3 * 3_600_000);
    const error = await run.wait().catch((thrown: unknown) => thrown);
    expect((error as RunFailed).result.failures).toMatchObject([
      { partition: 'a', attempts: 2, error: { code: 'FLOWSTONE_BATCH_KEY_MISSING', context: { key: 'a' } } },
    ]);
  });

  it('are items of several runs, and the cancel of one run leaves the others alone', async () => {
    const clock = new FakeClock(at);
    await using graph = await startTestGraph({ providers, clock, options: { cancelGrace: '20ms' } });
    await (await graph.flowstone.materialize([Texts, Language], { partitions: 'all' })).wait();
    act = async function* (context, items) {
      for (const { partition } of items) yield [partition.key, context.fail(partition.key, new Error('later'))];
    };
    const runs = [];
    for (const partition of ['a', 'b', 'c']) runs.push(await graph.flowstone.materialize(Words, { partition }));
    const failed = async () => (await graph.flowstone.history(Words)).items.filter(({ attempts }) => attempts === 1);
    while ((await failed()).length < 3) await new Promise(setImmediate);

    const begun = gate<readonly Item[]>();
    const going = gate();
    act = async function* (context, items) {
      begun.open(items);
      await going.opened;
      expect(context.signal.aborted).toBe(false);
      yield* spelled(context, items);
    };
    calls = [];
    clock.advance(3 * 3_600_000);
    const items = await begun.opened;
    expect(calls).toEqual([['a', 'b', 'c']]);
    await runs[1]!.cancel();
    const ofB = items.find(({ partition }) => partition.key === 'b')!;
    expect(items.map(({ signal }) => signal.aborted)).toEqual(items.map((item) => item === ofB));
    await expect(runs[1]!.wait()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_CANCELLED' });
    going.open();
    await runs[0]!.wait();
    await runs[2]!.wait();
    expect(await graph.flowstone.load(Words, { partition: 'c' })).toBe('C');
    await expect(graph.flowstone.load(Words, { partition: 'b' })).rejects.toMatchObject({
      code: 'FLOWSTONE_VALUE_MISSING',
    });
  });

  it('those not yielded before the timeout of the call fail by it', async () => {
    const begun = gate<number>();
    let reason: unknown;
    class Slow {
      async *executeMany({ signal }: BatchContext, [first, ...others]: readonly BatchItem[]): BatchResults<string> {
        begun.open(others.length);
        yield [first!.partition.key, 'in time'];
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        reason = signal.reason;
        for (const { partition } of others) yield [partition.key, 'too late'];
      }
    }
    Asset({ partitions: Partitions.static(['a', 'b', 'c']), batch: { size: 5 }, timeout: '2s' })(Slow);
    await using graph = await startTestGraph({ providers: [Slow] });
    const run = await graph.flowstone.materialize(Slow, { partitions: 'all' });
    expect(await begun.opened).toBe(2);
    const { result } = (await run.wait().catch((thrown: unknown) => thrown)) as RunFailed;
    expect(result.counts).toMatchObject({ success: 1, failed: 2 });
    expect(result.failures.map(({ error }) => error!.code)).toEqual(Array(2).fill('FLOWSTONE_EXECUTE_TIMEOUT'));
    expect(reason).toMatchObject({ kind: 'timeout' });
  });

  it('one whose inputs cannot be loaded fails alone', async () => {
    const shaky = new MemoryIoManager();
    const load = shaky.load.bind(shaky);
    shaky.load = async (context) => {
      if (context.partition === 'b') throw new Error('unreadable');
      return load(context);
    };
    class Fragile {
      execute = (): string => 'text';
    }
    Asset({ partitions: Partitions.static(['a', 'b', 'c']), io: 'shaky' })(Fragile);
    class Reader {
      async *executeMany(_context: BatchContext, items: readonly BatchItem[]): BatchResults<number> {
        calls.push(items.map(({ partition }) => partition.key));
        for (const { partition } of items) yield [partition.key, 1];
      }
    }
    Asset({ partitions: 'inherit', batch: { size: 5 } })(Reader);
    DependsOn({ text: Fragile })(Reader);
    await using graph = await startTestGraph({ providers: [Fragile, Reader], options: { managers: { shaky } } });
    await (await graph.flowstone.materialize(Fragile, { partitions: 'all' })).wait();
    const run = await graph.flowstone.materialize(Reader, { partitions: 'all' });
    expect(await failures(run)).toEqual({ b: expect.stringContaining('unreadable') });
    expect(calls).toEqual([['a', 'c']]);
  });

  it('all are told to stop when all are cancelled', async () => {
    await using graph = await startTestGraph({ providers });
    await (await graph.flowstone.materialize([Texts, Language], { partitions: 'all' })).wait();
    const begun = gate();
    act = async function* ({ signal }, [a]) {
      yield [a!.partition.key, 'A'];
      begun.open();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw signal.reason;
    };
    const run = await graph.flowstone.materialize(Words, { partitions: ['a', 'b', 'c'] });
    await begun.opened;
    await run.cancel();
    await expect(run.wait()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_CANCELLED' });
    expect((await run.view()).counts).toMatchObject({ success: 1, cancelled: 2 });
  });
});
