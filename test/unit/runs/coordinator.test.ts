import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Ledger } from '../../../lib/ledger/ledger.port.js';
import type { Claim, ClaimRequest, Outcome } from '../../../lib/ledger/work.js';
import type { WorkQueue } from '../../../lib/queue/queue.port.js';
import { Coordinator } from '../../../lib/runs/coordinator.js';
import type { ClaimDesk, Execution } from '../../../lib/runs/execution.port.js';
import type { Membership } from '../../../lib/runs/membership.js';
import { RunSignals } from '../../../lib/runs/run.signals.js';

const claimOf = (id: number) => ({ id, epoch: 1, run: 1, asset: 'a', batch: null }) as Claim;
const claimsOf = (count: number) => Array.from({ length: count }, (_, index) => claimOf(index + 1));

/**
 * A coordinator whose ledger takes what it is told and has what `claims` gives; `told` are the outcomes of each beat,
 * `examined` the claims that were looked at, with the number of beats before.
 */
function coordinatorOf(
  execute: (claim: Claim) => Promise<void>,
  concurrency: number,
  claims: (outcomes: readonly Outcome[], limit: number) => Promise<readonly Claim[]> = async () => [],
  { alone = false, rated = [] as string[], shared = [] as string[], fresh = (): boolean => false } = {},
) {
  const told: (readonly Outcome[])[] = [];
  const examined: { readonly id: number; readonly beats: number }[] = [];
  let heard: (() => void) | undefined;
  const ledger = {
    async fireTimers() {
      return { rings: [], due: [], next: null };
    },
    approvals: {
      async fireDue() {
        return { rings: [], fired: false, more: false };
      },
    } as Partial<Ledger['approvals']> as Ledger['approvals'],
    async stopPending() {
      return { running: [], ended: [], rings: [], more: false };
    },
    async beat(outcomes: readonly Outcome[], { limit }: ClaimRequest) {
      if (outcomes.length > 0) told.push(outcomes);
      heard?.();
      const verdicts = outcomes.map(() => 'committed' as const);
      const claimed = await claims(outcomes, limit);
      return {
        verdicts,
        endedRuns: [],
        released: false,
        fresh: fresh(),
        claims: claimed,
        again: null,
        outdated: false,
        rings: [],
      };
    },
  } as Partial<Ledger> as Ledger;
  const executionOf = (claim: Claim): Execution => ({
    claim,
    batchSize: 1,
    async run(_abort, _fellows, ended) {
      await execute(claim);
      ended(claim, { kind: 'cancelled', id: claim.id, epoch: claim.epoch });
    },
  });
  const desk = {
    succeeded: () => undefined,
    apart: (looked) => [looked],
    async examine(looked: readonly Claim[]) {
      examined.push(...looked.map(({ id }) => ({ id, beats: told.length })));
      return { executions: looked.map(executionOf), settled: [] };
    },
  } as Partial<ClaimDesk> as ClaimDesk;
  const membership = { claimant: () => ({ process: 'p', assets: ['a'] }) } as Partial<Membership> as Membership;
  const rung: string[] = [];
  let deliver!: Parameters<WorkQueue['start']>[1];
  const queue = {
    ring: (pool, passed = 0) => void rung.push(passed === 0 ? pool : `${pool} ${passed}`),
    isPaused: () => false,
    start: async (_pools, work) => {
      deliver = work;
    },
    stop: async () => undefined,
  } as Partial<WorkQueue> as WorkQueue;
  const news = {
    ...{ runEnded: () => undefined, failed: () => undefined, outage: () => undefined, answered: () => undefined },
    posted: () => undefined,
    broken: (error: unknown) => {
      throw error;
    },
  };
  const coordinator = new Coordinator(ledger, membership, queue, desk, async () => undefined, new RunSignals(), news, {
    ...{ concurrency, worker: true, tellsAttempts: false, pools: new Map([['a', 'default']]), batchSizes: new Map() },
    ...{ alone, rated: new Set(rated), isHeld: () => false, isShared: (pool: string) => shared.includes(pool) },
  });
  const settled = async (count: number): Promise<void> => {
    while (told.flat().length < count) await new Promise<void>((resolve) => (heard = resolve));
  };
  const hear = (pool: string, passed = 0): void => void deliver!({ pool, passed });
  return { coordinator, told, examined, settled, rung, hear };
}

describe('the coordinator', () => {
  // Timers pass when a test says so.
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['Date', 'hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate'] });
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('settles together what ends as soon as it begins', async () => {
    const { coordinator, told, settled } = coordinatorOf(async () => undefined, 10);
    coordinator.accept(claimsOf(30));
    await settled(30);
    expect(told.map((outcomes) => outcomes.length)).toEqual([30]);
  });

  it('does not wait with that until all has begun where it takes longer', async () => {
    const execute = async ({ id }: Claim): Promise<void> => {
      if (id === 60) jest.advanceTimersByTime(2);
    };
    const { coordinator, told, settled } = coordinatorOf(execute, 10);
    coordinator.accept(claimsOf(100));
    await settled(100);
    expect(told).toHaveLength(2);
  });

  it('settles what has ended while others execute', async () => {
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const { coordinator, told, settled } = coordinatorOf(async ({ id }) => (id === 1 ? ended : undefined), 10);
    coordinator.accept(claimsOf(20));
    await settled(19);
    expect(told.flat().map(({ id }) => id)).not.toContain(1);
    end();
    await settled(20);
  });

  it('sends what has finished before it looks at what it has claimed', async () => {
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const execute = async ({ id }: Claim): Promise<void> => (id === 2 ? ended : undefined);
    const { coordinator, examined, settled } = coordinatorOf(execute, 10, async ([first]) => {
      if (first?.id !== 1) return [];
      end();
      await new Promise(setImmediate);
      return [claimOf(3)];
    });
    coordinator.accept(claimsOf(2));
    await settled(3);
    expect(examined).toEqual([
      { id: 1, beats: 0 },
      { id: 2, beats: 0 },
      { id: 3, beats: 2 },
    ]);
  });

  it('looks first where that and the executions take no time, and settles all together', async () => {
    jest.spyOn(performance, 'now').mockReturnValue(1);
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const execute = async ({ id }: Claim): Promise<void> => (id === 102 ? ended : undefined);
    const { coordinator, told, settled } = coordinatorOf(execute, 10, async ([first]) => {
      if (first?.id !== 101) return [];
      end();
      await new Promise(setImmediate);
      return [claimOf(103)];
    });
    coordinator.accept(claimsOf(100));
    await settled(100);
    coordinator.accept([claimOf(101), claimOf(102)]);
    await settled(103);
    expect(told.slice(-2).map((outcomes) => outcomes.map(({ id }) => id))).toEqual([[101], [102, 103]]);
  });

  describe('that has claimed more than it can begin, of what takes long', () => {
    /** Two of six are executed, and do not end for `time` ms. */
    async function toldAfter(time: number, options?: { alone?: boolean; rated?: string[] }) {
      const clock = jest.spyOn(performance, 'now').mockReturnValue(0);
      const parts = coordinatorOf(() => new Promise(() => undefined), 2, undefined, options);
      parts.coordinator.accept(claimsOf(6));
      await new Promise(setImmediate);
      clock.mockReturnValue(time);
      jest.advanceTimersByTime(time);
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      return parts.told.flat();
    }

    it('gives back what others could begin sooner', async () => {
      const given = await toldAfter(1000);
      expect(given.map(({ id }) => id)).toEqual([6, 5, 4]);
      expect(given).toEqual(Array.from(given, () => expect.objectContaining({ kind: 'handed_back' })));
    });

    it('keeps it for a while', async () => {
      expect(await toldAfter(200)).toEqual([]);
    });

    it('keeps it where there is nobody else', async () => {
      expect(await toldAfter(1000, { alone: true })).toEqual([]);
    });

    it('keeps what has cost a token of a rate', async () => {
      expect(await toldAfter(1000, { rated: ['default'] })).toEqual([]);
    });
  });

  it('passes on what it hears of a pool in which others work for what it does not', async () => {
    const { coordinator, rung, hear } = coordinatorOf(async () => undefined, 1, undefined, { shared: ['mixed'] });
    await coordinator.start();
    hear('default');
    hear('mixed', 1);
    await new Promise(setImmediate);
    jest.advanceTimersByTime(1000);
    expect(rung).toEqual(['mixed 2']);
    coordinator.close();
  });

  it('passes on what it hears while it has no place, after a while', async () => {
    jest.spyOn(performance, 'now').mockReturnValue(0);
    const { coordinator, rung, hear } = coordinatorOf(() => new Promise(() => undefined), 1, undefined, {
      alone: true,
    });
    await coordinator.start();
    hear('default');
    jest.advanceTimersByTime(1000);
    expect(rung).toEqual([]);
    coordinator.accept(claimsOf(10));
    hear('default');
    hear('default');
    expect(rung).toEqual([]);
    jest.advanceTimersByTime(1000);
    expect(rung).toEqual(['default 1']);
    // It has come back: later.
    hear('default', 3);
    jest.advanceTimersByTime(900);
    expect(rung).toEqual(['default 1']);
    jest.advanceTimersByTime(100);
    expect(rung).toEqual(['default 1', 'default 4']);
    // It was everywhere.
    hear('default', 5);
    jest.advanceTimersByTime(10_000);
    expect(rung).toHaveLength(2);
    hear('default', 2);
    hear('default');
    coordinator.close();
    expect(rung.slice(2)).toEqual(['default 1']);
  });

  it('tells once that there is more than it takes, and again when something became ready since', async () => {
    let next = 0;
    let releases = 0;
    const ends: (() => void)[] = [];
    const claims = async (_outcomes: readonly Outcome[], limit: number): Promise<readonly Claim[]> =>
      Array.from({ length: limit }, () => claimOf(++next));
    const { coordinator, rung, settled } = coordinatorOf(
      () => new Promise((resolve) => ends.push(resolve)),
      1,
      claims,
      { fresh: () => releases-- > 0 },
    );
    await coordinator.start();
    coordinator.accept([claimOf(++next)]);
    const endOne = async (count: number): Promise<void> => {
      while (ends.length < count) await new Promise(setImmediate);
      ends[count - 1]!();
      await settled(count);
      while (ends.length < count + 1) await new Promise(setImmediate);
    };
    for (let count = 1; count <= 4; count++) await endOne(count);
    expect(rung).toEqual(['default']);
    releases = 1;
    for (let count = 5; count <= 8; count++) await endOne(count);
    expect(rung).toEqual(['default', 'default']);
  });
});
