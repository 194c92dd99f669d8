// Materializing a small graph through the service: values, cut-off, failure, retry, cancel, single flight.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  all,
  Asset,
  DependsOn,
  Partitions,
  RunFailed,
  type AssetContext,
  type FlowStoneService,
  type InputsOf,
} from '../../lib/index.js';
import { gate, startApp } from './graph.js';
import { STORAGES, testStorage, type TestStorage } from './storages.js';

let numbers = [1, 2, 3];
let computed: string[] = [];
let failing: string | undefined;
let held: Promise<void> | undefined;
let begun: (() => void) | undefined;

@Asset({ codeVersion: '1' })
class Numbers {
  async execute({ asset }: AssetContext): Promise<number[]> {
    computed.push(asset);
    begun?.();
    await held;
    return numbers;
  }
}
const evenInputs = { numbers: Numbers };
@Asset()
@DependsOn(evenInputs)
class Evens {
  execute({ asset }: AssetContext, inputs: InputsOf<typeof evenInputs>): number[] {
    computed.push(asset);
    if (failing === asset) throw new Error('no evens today');
    return inputs.numbers.filter((n) => n % 2 === 0);
  }
}
const totalInputs = { evens: Evens };
@Asset()
@DependsOn(totalInputs)
class Total {
  execute({ asset }: AssetContext, { evens }: InputsOf<typeof totalInputs>): number {
    computed.push(asset);
    return evens.reduce((sum, n) => sum + n, 0);
  }
}
@Asset({ partitions: Partitions.static(['a', 'b', 'c']) })
class Letters {
  execute({ asset, partition }: AssetContext): string {
    computed.push(`${asset}[${partition.key}]`);
    if (failing === partition.key) throw new Error(`no ${partition.key} today`);
    return partition.key.toUpperCase();
  }
}
const wordInputs = { letters: all(Letters) };
@Asset()
@DependsOn(wordInputs)
class Word {
  async execute({ asset }: AssetContext, { letters }: InputsOf<typeof wordInputs>): Promise<string> {
    computed.push(asset);
    let word = '';
    for await (const [, letter] of letters) word += letter;
    return word;
  }
}

describe.each(STORAGES)('materialize on %s', (kind) => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeEach(async () => {
    numbers = [1, 2, 3];
    computed = [];
    failing = held = begun = undefined;
    storage = await testStorage(kind);
    ({ app, flowstone } = await startApp([Numbers, Evens, Total, Letters, Word], storage.options));
  });
  afterEach(async () => {
    await app.close();
    await storage.remove();
  });

  it('computes what is missing upstream, in order, and the value can be loaded', async () => {
    const result = await (await flowstone.materialize(Total)).wait();
    expect(computed).toEqual(['numbers', 'evens', 'total']);
    expect(result).toMatchObject({ status: 'success', counts: { total: 3, success: 3 } });
    expect(await flowstone.load(Total)).toBe(2);
    expect(await flowstone.status(Total)).toEqual({ state: 'fresh', reasons: [] });
  });

  it('computes nothing when everything is fresh', async () => {
    await (await flowstone.materialize(Total)).wait();
    computed = [];
    expect(await (await flowstone.materialize(Total)).wait()).toMatchObject({
      counts: { total: 0 },
      status: 'success',
    });
    expect(computed).toEqual([]);
  });

  it('cuts off early where a recomputed value is the same', async () => {
    await (await flowstone.materialize(Total)).wait();
    computed = [];
    numbers = [1, 2, 3, 5];
    await flowstone.invalidate(Numbers);
    const result = await (await flowstone.materialize(Total)).wait();
    expect(computed).toEqual(['numbers', 'evens']);
    expect(result.counts).toMatchObject({ success: 2, skipped: 1 });
  });

  it('fails what depends on a failure, goes on elsewhere, and retries only what is left', async () => {
    failing = 'b';
    const handle = await flowstone.materialize([Word, Total], { partitions: 'missing' });
    const failed = await handle.wait().catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(RunFailed);
    expect((failed as RunFailed).result).toMatchObject({
      counts: { failed: 1, upstream_failed: 1, success: 5 },
      failures: [{ asset: 'letters', partition: 'b', error: { code: 'FLOWSTONE_EXECUTE_FAILED' } }],
    });
    failing = undefined;
    computed = [];
    const again = await flowstone.retry(handle.id);
    await again.wait();
    expect(computed).toEqual(['letters[b]', 'word']);
    expect(await flowstone.load(Word)).toBe('ABC');
  });

  it('joins a materialization that is running already', async () => {
    const holding = gate();
    held = holding.opened;
    const first = await flowstone.materialize(Numbers);
    const second = await flowstone.materialize(Numbers);
    holding.open();
    await first.wait();
    const joined = await second.wait();
    expect(computed).toEqual(['numbers']);
    expect(joined.counts).toMatchObject({ skipped: 1, total: 1 });
    const [record] = (await flowstone.materializations(second.id)).items;
    expect(record?.skipped).toMatchObject({ reason: 'joined' });
  });

  it('cancels what has not begun and tells what runs', async () => {
    const holding = gate();
    held = holding.opened;
    const running = new Promise<void>((resolve) => (begun = resolve));
    const handle = await flowstone.materialize(Total);
    await running;
    await handle.cancel('enough');
    holding.open();
    await expect(handle.wait()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_CANCELLED' });
    expect((await handle.view()).counts).toMatchObject({ pending: 0, running: 0 });
    expect(computed).toEqual(['numbers']);
  });

  it('refuses bad requests and records nothing', async () => {
    await expect(flowstone.materialize('totl')).rejects.toMatchObject({ code: 'FLOWSTONE_SELECTION_UNKNOWN' });
    await expect(flowstone.materialize(Letters)).rejects.toMatchObject({ code: 'FLOWSTONE_PARTITION_REQUIRED' });
    await expect(flowstone.materialize(Letters, { partition: 'd' })).rejects.toMatchObject({
      code: 'FLOWSTONE_PARTITION_UNKNOWN',
    });
    expect((await flowstone.runs()).items).toEqual([]);
  });

  it('returns the same run for the same key, and refuses another request under it', async () => {
    const first = await flowstone.materialize(Numbers, { runKey: 'today' });
    const second = await flowstone.materialize(Numbers, { runKey: 'today' });
    expect(second.id).toBe(first.id);
    await expect(flowstone.materialize(Total, { runKey: 'today' })).rejects.toMatchObject({
      code: 'FLOWSTONE_RUN_KEY_CONFLICT',
    });
    await first.wait();
  });

  it('shares one materialization among all who ensure', async () => {
    const heads = await Promise.all(Array.from({ length: 20 }, () => flowstone.ensure(Total)));
    expect(computed).toEqual(['numbers', 'evens', 'total']);
    expect(await heads[7]!.load()).toBe(2);
    expect((await flowstone.runs()).items).toHaveLength(1);
  });
});
