// Processes are killed at random moments, their start included, one after the other on the same data.
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DURABLE_STORAGES, testStorage, type TestStorage } from '../behaviour/storages.js';
import { live } from './crash-process.js';
import { build, expectSurvival, TIMES } from './survivor.js';

const SEEDS = Array.from({ length: Number(process.env['FLOWSTONE_TEST_ROUNDS'] ?? 5) }, (_, round) => round + 1);
/** The first process of a round dies at its start or soon after, the others amid the work; some see its end. */
const DEATHS = [
  { from: 'start', within: 2500 },
  { from: 'work', within: 600 },
  { from: 'work', within: 1200 },
] as const;

beforeAll(build, 120_000);

describe.each(DURABLE_STORAGES)('processes killed at random, their ledger on %s', (kind) => {
  let storage: TestStorage;

  beforeEach(async () => {
    storage = await testStorage(kind);
  });
  afterEach(() => storage.remove());

  it.each(SEEDS)(
    'lose nothing (seed %i)',
    async (seed) => {
      const random = randomFrom(seed);
      const options = { ...storage.options, ...TIMES };
      const later = seed % 2 === 0;
      let acknowledged: number | undefined;
      for (const { from, within } of DEATHS) {
        const life = await live({ options, later, shutdown: false }, '', { from, after: random() * within });
        if (life.end !== 0 && life.end !== 'SIGKILL') throw new Error(`it ended with ${life.end}: ${life.logged}`);
        if (acknowledged !== undefined) expect(life.acknowledged ?? acknowledged).toBe(acknowledged);
        acknowledged ??= life.acknowledged;
      }
      await expectSurvival(options, later, acknowledged);
    },
    60_000,
  );
});

/** Numbers in [0, 1) that the seed decides (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
