import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Claim, ClaimRequest, Ledger, Outcome } from '../../../lib/ledger/ledger.port.js';
import type { WorkQueue } from '../../../lib/queue/queue.port.js';
import { Coordinator, type ClaimDesk, type Execution } from '../../../lib/runs/coordinator.js';
import type { Membership } from '../../../lib/runs/membership.js';
import { RunSignals } from '../../../lib/runs/run.signals.js';

const claimOf = (id: number) => ({ id, epoch: 1, run: 1, asset: 'a', batch: null }) as Claim;
const claimsOf = (count: number) => Array.from({ length: count }, (_, index) => claimOf(index + 1));

/** A coordinator whose ledger takes what it is told and has nothing to claim; `told` are the outcomes of each beat. */
function coordinatorOf(execute: (claim: Claim) => Promise<void>, concurrency: number) {
  const told: (readonly Outcome[])[] = [];
  let heard: (() => void) | undefined;
  const ledger = {
    async fireTimers() {
      return { released: 0, due: [], next: null };
    },
    async beat(outcomes: readonly Outcome[], _request: ClaimRequest) {
      if (outcomes.length > 0) told.push(outcomes);
      heard?.();
      const verdicts = outcomes.map(() => 'committed' as const);
      return { verdicts, endedRuns: [], released: false, claims: [], again: null, outdated: false, rings: [] };
    },
  } as Partial<Ledger> as Ledger;
  const executionOf = (claim: Claim): Execution => ({
    claim,
    batchSize: 1,
    run() {
      const outcome = execute(claim).then((): Outcome => ({ kind: 'cancelled', id: claim.id, epoch: claim.epoch }));
      return { outcomes: [outcome], over: outcome };
    },
  });
  const desk = {
    succeeded: () => undefined,
    async examine(claims: readonly Claim[]) {
      return { executions: claims.map(executionOf), settled: [] };
    },
  } as Partial<ClaimDesk> as ClaimDesk;
  const membership = { claimant: () => ({ process: 'p', assets: ['a'] }) } as Partial<Membership> as Membership;
  const queue = { ring: () => undefined, isPaused: () => false } as Partial<WorkQueue> as WorkQueue;
  const news = {
    ...{ runEnded: () => undefined, failed: () => undefined, outage: () => undefined },
    broken: (error: unknown) => {
      throw error;
    },
  };
  const coordinator = new Coordinator(ledger, membership, queue, desk, async () => false, new RunSignals(), news, {
    ...{ concurrency, worker: true, pools: new Map([['a', 'default']]), batchSizes: new Map() },
  });
  const settled = async (count: number): Promise<void> => {
    while (told.flat().length < count) await new Promise<void>((resolve) => (heard = resolve));
  };
  return { coordinator, told, settled };
}

describe('the coordinator', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('settles together what ends as soon as it begins', async () => {
    jest.spyOn(performance, 'now').mockReturnValue(1);
    const { coordinator, told, settled } = coordinatorOf(async () => undefined, 10);
    coordinator.accept(claimsOf(30));
    await settled(30);
    expect(told.map((outcomes) => outcomes.length)).toEqual([30]);
  });

  it('does not wait with that until all has begun where it takes longer', async () => {
    let now = 1;
    jest.spyOn(performance, 'now').mockImplementation(() => (now += 1));
    const { coordinator, told, settled } = coordinatorOf(async () => undefined, 10);
    coordinator.accept(claimsOf(100));
    await settled(100);
    expect(told.length).toBeGreaterThan(3);
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
});
