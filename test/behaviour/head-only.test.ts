// What happens where a value is kept only while it is the newest, and is replaced while somebody reads it.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  Asset,
  DependsOn,
  Partitions,
  RunFailed,
  type AssetContext,
  type BatchContext,
  type BatchItem,
  type BatchResults,
  type FlowStoneService,
  type InputsOf,
  type IoManager,
  type LoadContext,
  type Rows,
  type StoreContext,
} from '../../lib/index.js';
import { valueMoved } from '../../lib/io/io-failures.js';
import { rowsInBatches } from '../../lib/io/rows.js';
import { FakeClock, startTestGraph } from '../../lib/testing/index.js';
import { startApp } from './graph.js';
import { STORAGES, testStorage, type TestStorage } from './storages.js';

/** One slot for each asset. A value is moved while its second row is read, as often as `moves` says. */
class SlotIoManager implements IoManager {
  readonly versions = 'head';
  readonly slots = new Map<string, { readonly id: number; readonly rows: readonly { readonly n: number }[] }>();
  moves = 0;

  async store({ asset, materialization }: StoreContext, value: unknown) {
    const rows: { n: number }[] = [];
    for await (const row of value as AsyncIterable<{ n: number }>) rows.push(row);
    this.slots.set(asset, { id: materialization, rows });
    return { location: { id: materialization }, size: 1, hash: null, rows: rows.length };
  }

  async load({ asset, partition, moved }: LoadContext): Promise<Rows<{ n: number }>> {
    const { rows } = this.slots.get(asset)!;
    return rowsInBatches(
      async function* (this: SlotIoManager) {
        yield rows.slice(0, 1);
        if (this.moves-- > 0) {
          moved?.();
          throw valueMoved({ asset, partition });
        }
        yield rows.slice(1);
      }.bind(this),
    );
  }

  async delete(): Promise<void> {}
}

const slots = new SlotIoManager();
let attempts: number[] = [];
let swallows = false;

@Asset({ io: 'slots' })
class Readings {
  async *execute(): AsyncGenerator<{ n: number }> {
    yield { n: 1 };
    yield { n: 2 };
  }
}
const inputs = { readings: Readings };
@Asset()
@DependsOn(inputs)
class Sum {
  async execute({ attempt }: AssetContext, { readings }: InputsOf<typeof inputs>): Promise<number> {
    attempts.push(attempt);
    let sum = 0;
    try {
      for await (const { n } of readings) sum += n;
    } catch (error) {
      if (!swallows) throw error;
    }
    return sum;
  }
}
@Asset({ batch: { size: 2 }, partitions: Partitions.static(['a', 'b']) })
@DependsOn(inputs)
class Sums {
  async *executeMany(_: BatchContext, items: readonly BatchItem<InputsOf<typeof inputs>>[]): BatchResults<number> {
    for (const {
      partition,
      inputs: { readings },
      attempt,
    } of items) {
      attempts.push(attempt);
      yield [partition.key, (await readings.toArray()).length];
    }
  }
}

describe.each(STORAGES)('an input that is replaced while it is read (%s)', (storage) => {
  let where: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeEach(async () => {
    attempts = [];
    swallows = false;
    slots.moves = 0;
    where = await testStorage(storage);
    ({ app, flowstone } = await startApp([Readings, Sum, Sums], { ...where.options, managers: { slots } }));
  });
  afterEach(async () => {
    await app.close();
    await where.remove();
  });

  it('is read anew, which uses up no attempt', async () => {
    slots.moves = 3;
    await (await flowstone.materialize(Sum)).wait();
    expect(await flowstone.load(Sum)).toBe(3);
    expect(attempts).toEqual([1, 1, 1, 1]);
    expect((await flowstone.history(Sum)).items).toHaveLength(1);
  });

  it('never becomes part of a value, also where code catches the error', async () => {
    slots.moves = 2;
    swallows = true;
    await (await flowstone.materialize(Sum)).wait();
    expect(await flowstone.load(Sum)).toBe(3);
    expect(attempts).toHaveLength(3);
  });

  it('is read anew in a batch', async () => {
    slots.moves = 2;
    await (await flowstone.materialize(Sums, { partitions: 'all' })).wait();
    expect(await flowstone.load(Sums, { partition: 'b' })).toBe(2);
    expect(new Set(attempts)).toEqual(new Set([1]));
  });

  it('is told to who loads it outside of a run', async () => {
    await (await flowstone.materialize(Readings)).wait();
    slots.moves = 1;
    const rows = await flowstone.load(Readings);
    await expect(rows.toArray()).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_MOVED' });
    expect(await rows.toArray()).toHaveLength(2);
  });
});

describe('an input that is replaced again and again', () => {
  it('fails what reads it, after half a minute', async () => {
    attempts = [];
    swallows = false;
    slots.moves = 6;
    const clock = new FakeClock('2001-01-01T00:00:00Z');
    const providers = [Readings, Sum, Sums];
    await using graph = await startTestGraph({ providers, clock, options: { managers: { slots } } });
    const { flowstone } = graph;
    const run = await flowstone.materialize(Sum);
    const status = async () => (await flowstone.history(Sum)).items[0]?.status;
    // Twice anew at once, then after a while.
    for (const [index, milliseconds] of [200, 2000, 20_000].entries()) {
      while (attempts.length < 3 + index || (await status()) !== 'pending') await new Promise(setImmediate);
      expect(attempts).toHaveLength(3 + index);
      clock.advance(milliseconds);
    }
    await expect(run.wait()).rejects.toBeInstanceOf(RunFailed);
    const [record] = (await flowstone.history(Sum)).items;
    expect(record).toMatchObject({
      status: 'failed',
      error: { code: 'FLOWSTONE_INPUT_KEEPS_CHANGING', message: expect.stringContaining('force: true') },
    });
    expect(attempts).toHaveLength(6);
  });
});
