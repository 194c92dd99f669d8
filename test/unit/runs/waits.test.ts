// What something of a plan would wait for, gathered from what is recorded of its entries.
import { describe, expect, it } from '@jest/globals';
import type { StartFacts } from '../../../lib/ledger/ledger.port.js';
import { Waits } from '../../../lib/runs/waits.js';

const facts: StartFacts = {
  ...{ asset: 'report', partition: '', holder: null, key: null, now: new Date('2030-01-01T00:00:00Z') },
  pool: { name: 'gpu', concurrency: null, running: 2, tokenDue: null },
};
const workers = { current: new Map([['report', { live: true } as never]]), held: new Map(), superseded: [] };

function waitsOf(recorded: readonly StartFacts[]): ReturnType<Waits['ofEntries']> {
  const ledger = { startFacts: async () => recorded } as never;
  return new Waits(ledger, workers, { isPaused: () => false }).ofEntries(recorded);
}

describe('what a plan would wait for', () => {
  it('is nothing where all of it could begin in its turn', async () => {
    expect(await waitsOf([facts])).toEqual([]);
  });

  it('is told once for each asset and reason, also while the seconds to the next token pass', async () => {
    const rated = [2960, 2940, 2900].map((tokenDue) => ({ ...facts, pool: { ...facts.pool, tokenDue } }));
    expect(await waitsOf(rated)).toMatchObject([
      { kind: 'pool_rate', message: expect.stringContaining('next in 3 s') },
    ]);
  });

  it('names the first partition with a key that is full, and of those that others have in hand ten', async () => {
    const held = Array.from({ length: 12 }, (_, id) => ({
      ...{ ...facts, partition: `p${id}`, holder: { id, run: 1, retryAt: null } },
    }));
    const key = { name: 'acme', concurrency: 1, running: 1, tokenDue: null };
    const waits = await waitsOf([...held, ...['a1', 'a2'].map((partition) => ({ ...facts, partition, key }))]);
    expect(waits.map(({ kind, partition }) => `${kind} ${partition}`)).toEqual([
      ...Array.from({ length: 10 }, (_, id) => `holder p${id}`),
      'key_concurrency a1',
    ]);
  });
});
