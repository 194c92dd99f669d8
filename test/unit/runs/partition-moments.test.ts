// When the functions of custom schemes are asked for their keys, how long they are waited for, and by whom.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { AssetRegistry } from '../../../lib/assets/asset.registry.js';
import type { DeclaredAsset } from '../../../lib/assets/asset.definition.js';
import type { Ledger } from '../../../lib/ledger/ledger.port.js';
import { Partitions } from '../../../lib/partitions/partitions.js';
import type { CustomKeysFunction, PartitionScheme } from '../../../lib/partitions/partition-scheme.js';
import type { PlanningModel } from '../../../lib/planning/planning-model.js';
import type { Catalogue } from '../../../lib/runs/catalogue.js';
import { SCHEME_LIMIT } from '../../../lib/runs/custom.schemes.js';
import { PartitionMoments } from '../../../lib/runs/partition.moments.js';

const asset = (key: string, scheme?: PartitionScheme, upstreams: readonly string[] = []): DeclaredAsset =>
  ({
    ...{ key, scheme, external: false, codeVersion: undefined },
    dependencies: upstreams.map((upstream) => ({ alias: upstream, upstream, mapping: { kind: 'same' } })),
  }) as unknown as DeclaredAsset;

function momentsOf(compute: CustomKeysFunction): PartitionMoments {
  const shops = Partitions.custom(compute, { name: 'shops' });
  const definitions = [
    asset('rates'),
    asset('regions', Partitions.static(['eu'])),
    asset('shop', shops),
    asset('sales', shops, ['shop']),
    asset('books', undefined, ['shop']),
  ];
  const ledger = { now: async () => new Date(), dynamicPartitions: async () => [] } as Partial<Ledger> as Ledger;
  const registry = { definitions, require: () => ({ resources: {} }) } as unknown as AssetRegistry;
  return new PartitionMoments(ledger, registry, { definitions } as unknown as Catalogue, {
    config: {},
    healthy: async () => undefined,
  });
}

const shopsIn = (model: PlanningModel): number => model.setOf(model.requireIndex('shop')).size;

/** A function whose calls answer when the test says so. */
function held(): { calls: (keys: string[]) => void; compute: CustomKeysFunction; begun: () => number } {
  const open: ((keys: string[]) => void)[] = [];
  let begun = 0;
  return {
    compute: () => {
      begun++;
      return new Promise((resolve) => open.push(resolve));
    },
    calls: (keys) => open.splice(0).forEach((answer) => answer(keys)),
    begun: () => begun,
  };
}

describe('the moments of partitions', () => {
  beforeEach(() => void jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] }));
  afterEach(() => void jest.useRealTimers());
  const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

  it('ask no custom scheme that the assets in question and their upstreams do not use', async () => {
    const { compute, begun } = held();
    const moments = momentsOf(compute);
    const model = await moments.recent(['rates', 'regions']);
    expect(model.setOf(model.requireIndex('regions')).size).toBe(1);
    expect(begun()).toBe(0);
    expect([...moments.withCustomKeys(['rates', 'books', 'books', 'sales'])]).toEqual(['books', 'sales']);
  });

  it('ask once for a model, whoever it is for, when that is needed', async () => {
    const { compute, calls, begun } = held();
    const moments = momentsOf(compute);
    const first = await moments.recent(['rates']);
    const asked = Promise.all([moments.recent(['books']), moments.recent(['shop', 'rates'])]);
    await pass(0);
    calls(['a', 'b']);
    for (const model of await asked) expect(model).toBe(first);
    expect(shopsIn(await moments.recent(['sales']))).toBe(2);
    expect(begun()).toBe(1);
  });

  it('answer who asks during a call with what a later one says, all of them with one', async () => {
    const { compute, calls, begun } = held();
    const moments = momentsOf(compute);
    const before = moments.fresh();
    await pass(0);
    const during = [moments.fresh(), moments.fresh(), moments.fresh()];
    await pass(0);
    expect(begun()).toBe(1);
    calls(['a']);
    expect(shopsIn(await before)).toBe(1);
    await pass(0);
    calls(['a', 'b']);
    for (const model of await Promise.all(during)) expect(shopsIn(model)).toBe(2);
    expect(begun()).toBe(2);
  });

  it('give up a function that does not answer, and say what to do', async () => {
    const { compute, begun } = held();
    const moments = momentsOf(compute);
    const waiting = moments.fresh();
    await pass(SCHEME_LIMIT);
    const model = await waiting;
    expect(() => shopsIn(model)).toThrow(
      'The function of the custom scheme "shops" has not answered for 30 s. Give what it asks a shorter time limit',
    );
    expect(() => shopsIn(model)).toThrow(expect.objectContaining({ code: 'FLOWSTONE_PARTITION_SCHEME_FAILED' }));
    // Plans of what does not need it are not affected.
    expect(model.setOf(model.requireIndex('regions')).size).toBe(1);
    expect(begun()).toBe(1);
  });

  it('begin no more than a call a minute of a function that does not answer', async () => {
    const { compute, begun } = held();
    const moments = momentsOf(compute);
    for (let second = 0; second < 300; second++) {
      void moments.recent(['shop']);
      void moments.fresh();
      await pass(1000);
    }
    expect(begun()).toBe(5);
  });

  it('ask again at once when a call that was given up has ended after all', async () => {
    const { compute, calls, begun } = held();
    const moments = momentsOf(compute);
    const waiting = moments.recent(['shop']);
    await pass(SCHEME_LIMIT);
    const model = await waiting;
    expect(() => shopsIn(model)).toThrow('has not answered');
    calls(['late']);
    await pass(0);
    const again = moments.recent(['shop']);
    await pass(0);
    calls(['a', 'b']);
    expect(shopsIn(await again)).toBe(2);
    expect(begun()).toBe(2);
  });

  it('take no more from a function that was given up', async () => {
    let ended = false;
    const moments = momentsOf(async function* () {
      try {
        for (let shop = 0; ; shop++) {
          yield String(shop);
          await new Promise((resolve) => setTimeout(resolve, 1000));
        }
      } finally {
        ended = true;
      }
    });
    const waiting = moments.fresh();
    await pass(SCHEME_LIMIT + 1000);
    await waiting;
    expect(ended).toBe(true);
  });

  it('ask a function that threw again for the next who needs it', async () => {
    let fails = true;
    const moments = momentsOf(() => {
      if (fails) throw new Error('no list');
      return ['a'];
    });
    const model = await moments.recent(['shop']);
    expect(() => shopsIn(model)).toThrow('The function of the custom scheme "shops" failed: no list. Until it answers');
    fails = false;
    expect(await moments.recent(['shop'])).toBe(model);
    expect(shopsIn(model)).toBe(1);
  });
});
