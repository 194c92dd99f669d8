// GcSafe: whatever is computed, deleted and collected at the same time, no value that is referenced is ever deleted,
// and what is not referenced goes in the end.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { TestingModule } from '@nestjs/testing';
import {
  all,
  Asset,
  DependsOn,
  FlowStoneError,
  Partitions,
  type AssetContext,
  type FlowStoneService,
  type InputsOf,
  type IoManager,
  type LoadContext,
  type RunHandle,
  type StoreContext,
  type StoredAttempt,
} from '../../lib/index.js';
import { valueMoved, valueNotFound } from '../../lib/io/io-failures.js';
import { FlowStoneLifecycle } from '../../lib/flowstone.lifecycle.js';
import { startApp } from '../behaviour/graph.js';
import { testStorage, type TestStorage } from '../behaviour/storages.js';

const KEYS = ['a', 'b', 'c'];
/** Passes time: as much as the ledger needs for an answer, so that others come in between. */
let turn: () => Promise<unknown>;
/** Turns that executions take; drawn anew for each. */
let turns: number[] = [];
const linger = async (): Promise<void> => {
  for (let left = turns.pop() ?? 0; left > 0; left--) await turn();
};
let computed = 0;

@Asset({ partitions: Partitions.static(KEYS), io: 'slots' })
class Leaf {
  async execute(): Promise<number> {
    await linger();
    return ++computed;
  }
}
const nodeInputs = { leaf: Leaf };
@Asset({ partitions: 'inherit', keep: 2 })
@DependsOn(nodeInputs)
class Node {
  async execute(_context: AssetContext, { leaf }: InputsOf<typeof nodeInputs>): Promise<number> {
    await linger();
    return leaf + ++computed;
  }
}
const rootInputs = { leaves: all(Leaf), nodes: all(Node) };
@Asset({ keep: 1 })
@DependsOn(rootInputs)
class Root {
  async execute(_context: AssetContext, { leaves, nodes }: InputsOf<typeof rootInputs>): Promise<number> {
    let sum = ++computed;
    for (const input of [leaves, nodes]) {
      // Read late, one by one: whatever was pinned at the claim has to be there still.
      for await (const key of input.keys) {
        await linger();
        sum += await input.get(key);
      }
    }
    return sum;
  }
}
const ASSETS = [Leaf, Node, Root];

/** Keeps values by attempt; a store may fail once the value is there, which leaves an orphan. */
class WatchedManager implements IoManager {
  readonly versions = 'kept';
  readonly values = new Map<string, unknown>();
  failures = 0;

  async store({ materialization, epoch }: StoredAttempt, value: unknown) {
    const location = `${materialization}-${epoch}`;
    this.values.set(location, value);
    if (this.failures > 0 && this.failures-- > 0) throw new Error('stored, and then it broke');
    return { location, size: 1, hash: null, rows: null };
  }

  async load({ location }: { location: unknown }): Promise<unknown> {
    await new Promise(setImmediate);
    if (this.values.has(location as string)) return this.values.get(location as string);
    throw new FlowStoneError('FLOWSTONE_IO_VALUE_NOT_FOUND', `there is no ${String(location)}`);
  }

  async delete({ location }: { location: unknown }): Promise<void> {
    await new Promise(setImmediate);
    this.values.delete(location as string);
  }

  async *list(): AsyncGenerator<StoredAttempt> {
    for (const location of [...this.values.keys()]) {
      const [materialization, epoch] = location.split('-').map(Number);
      yield { materialization: materialization!, epoch: epoch! };
    }
  }

  async discard({ materialization, epoch }: StoredAttempt): Promise<boolean> {
    return this.values.delete(`${materialization}-${epoch}`);
  }
}

/** Keeps the newest value of a partition only. */
class SlotManager implements IoManager {
  readonly versions = 'head';
  readonly slots = new Map<string | undefined, { readonly by: number; readonly value: unknown }>();

  async store({ partition, materialization: by, holds }: StoreContext, value: unknown) {
    if (!(await holds!())) throw new Error('the lease is lost');
    this.slots.set(partition, { by, value });
    return { location: by, size: 1, hash: null, rows: null };
  }

  async load({ asset, partition, location, moved }: LoadContext): Promise<unknown> {
    await new Promise(setImmediate);
    const slot = this.slots.get(partition);
    if (slot === undefined) throw valueNotFound({ asset, partition }, 'the slot is empty');
    if (slot.by === location) return slot.value;
    moved?.();
    throw valueMoved({ asset, partition });
  }

  async delete({ partition, location }: LoadContext): Promise<void> {
    await new Promise(setImmediate);
    if (this.slots.get(partition)?.by === location) this.slots.delete(partition);
  }
}

const command = fc.oneof(
  { weight: 5, arbitrary: fc.record({ act: fc.constant('compute' as const), asset: fc.nat(2), key: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('delete' as const), asset: fc.nat(2), key: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('collect' as const) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('break' as const) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('wait' as const), turns: fc.nat(30) }) },
);
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

/** What may fail: what was broken on purpose, and what an upstream that was deleted in between left without input. */
const ALLOWED = new Set([
  'FLOWSTONE_EXECUTE_FAILED',
  'FLOWSTONE_INPUT_MISSING',
  'FLOWSTONE_INPUT_KEEPS_CHANGING',
  'FLOWSTONE_PLAN_UPSTREAM_MISSING',
]);

describe.each([
  ['memory', 40],
  ['postgres', 20],
] as const)('retention on %s', (kind, numRuns) => {
  const manager = new WatchedManager();
  const slots = new SlotManager();
  const failures: string[] = [];
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeAll(async () => {
    storage = await testStorage(kind);
    ({ app, flowstone } = await startApp(ASSETS, {
      ...storage.options,
      io: 'watched',
      managers: { watched: manager, slots },
      concurrency: 4,
      onFailure: ({ error }) => void (ALLOWED.has(error.code) || failures.push(error.message)),
      retention: { every: false, runs: 0, events: 0, orphans: 0, versions: { keep: 1 } },
    }));
    const { ledger } = app.get(FlowStoneLifecycle).require();
    turn = async () => Promise.all([ledger.now(), new Promise(setImmediate)]);
  });
  afterAll(async () => {
    await app.close();
    await storage.remove();
  });

  const perform = async (given: Command, runs: RunHandle[], collecting: Promise<unknown>[]): Promise<void> => {
    if (given.act === 'break') manager.failures++;
    else if (given.act === 'collect') collecting.push(flowstone.collect());
    else if (given.act === 'wait') for (let left = given.turns; left > 0; left--) await turn();
    else {
      const asset = ASSETS[given.asset]!;
      const place = asset === Root ? {} : { partition: KEYS[given.key]! };
      if (given.act === 'compute') runs.push(await flowstone.materialize(asset, { ...place, force: true }));
      else {
        await flowstone.delete(asset, place).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'FLOWSTONE_ASSET_BUSY' });
        });
      }
    }
  };

  const records = async () => {
    const pages = await Promise.all(ASSETS.map((asset) => flowstone.history(asset, { limit: 1000 })));
    return pages.flatMap(({ items }) => items);
  };

  it('never deletes what is referenced, and everything else in the end', async () => {
    const worlds = fc.record({
      commands: fc.array(command, { minLength: 15, maxLength: 60 }),
      delays: fc.array(fc.nat(12), { maxLength: 60 }),
    });
    await fc.assert(
      fc.asyncProperty(worlds, async ({ commands, delays }) => {
        turns = [...delays];
        const runs: RunHandle[] = [];
        const collecting: Promise<unknown>[] = [];
        for (const given of commands) await perform(given, runs, collecting);
        await Promise.all(collecting);
        // Runs may be gone before they are waited for: here, retention keeps nothing that has ended.
        await Promise.all(runs.map((run) => run.wait().catch(() => undefined)));
        expect(failures).toEqual([]);
        manager.failures = 0;
        for (const asset of ASSETS) {
          for (const key of asset === Root ? [undefined] : KEYS) {
            const place = key === undefined ? {} : { partition: key };
            await flowstone.load(asset, place).catch((error: unknown) => {
              expect(error).toMatchObject({ code: 'FLOWSTONE_VALUE_MISSING' });
            });
          }
        }
        let idle = 0;
        while (idle < 2) {
          const removed = Object.values(await flowstone.collect()).reduce((sum, n) => sum + n, 0);
          idle = removed === 0 ? idle + 1 : 0;
        }
        const kept = (await records()).filter(({ valueRemoved, value }) => value !== null && !valueRemoved);
        const located = (io: string) => kept.flatMap(({ value }) => (value!.io === io ? [value!.location] : [])).sort();
        expect([...manager.values.keys()].sort()).toEqual(located('watched'));
        expect([...slots.slots.values()].map(({ by }) => by).sort()).toEqual(located('slots'));
        const versions = new Map<string, number>();
        for (const { asset, partition } of kept) {
          const name = `${asset}[${partition}]`;
          versions.set(name, (versions.get(name) ?? 0) + 1);
        }
        expect([...versions].filter(([name, n]) => n > (name.startsWith('node') ? 2 : 1))).toEqual([]);
      }),
      { numRuns, endOnFailure: false },
    );
  }, 240_000);
});
