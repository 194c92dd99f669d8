// The protocol of evaluations against a model: whoever evaluates when, dies, comes late or is overtaken, the cursor is n exactly
// when the events up to n have been requested, each once since the cursor was last set.
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MemoryLedger } from '../../lib/ledger/memory/memory-ledger.js';
import type { NewEvaluation, TakenSensor } from '../../lib/ledger/sensors.port.js';
import { runOf } from '../conformance/ledger.fixture.js';

const LEASE = 1000;
const SENSOR = { name: 'numbers', hash: 'one', definition: {}, paused: false };

type Step =
  | { readonly do: 'take'; readonly by: number; readonly cause: 'due' | 'news' | 'asked' }
  | {
      readonly do: 'commit';
      readonly by: number;
      readonly events: number;
      readonly fails: boolean;
      readonly next: number;
    }
  | { readonly do: 'leave' | 'die'; readonly by: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'pause' | 'resume' }
  | { readonly do: 'set'; readonly to: number | null };

const by = fc.integer({ min: 0, max: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('take' as const), by, cause: fc.constantFrom('due', 'news', 'asked') }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      by,
      events: fc.integer({ min: 0, max: 3 }),
      fails: fc.boolean(),
      next: fc.constantFrom(0, 500),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('leave' as const, 'die' as const), by }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 600, LEASE + 1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('pause' as const, 'resume' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('set' as const), to: fc.option(fc.integer({ min: 0, max: 5 })) }),
  },
);

/** What is to have been requested: each time since the cursor was set, the events from there up to it. */
class Model {
  requested: number[] = [];
  cursor: number | null = null;
  /** Who may still commit: the last that took it, unless something came between. */
  holder: { readonly by: number; readonly until: number } | undefined;
}

it('the cursor is n exactly when what is up to n was requested', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      let now = 1_000_000;
      const ledger = new MemoryLedger(() => now);
      const names = ['a', 'b', 'c'];
      for (const id of names) {
        await ledger.register({ id, host: 'here', pid: 1, worker: true, lease: 1_000_000 }, []);
        await ledger.sensors.declare(id, [SENSOR]);
      }
      const act = { actor: null, reason: null };
      const model = new Model();
      /** What each process believes to hold, however long ago. */
      const held = new Map<number, TakenSensor>();
      for (const each of steps) {
        if (each.do === 'pass') now += each.ms;
        else if (each.do === 'take') {
          const taken = await ledger.sensors.take('numbers', 'one', names[each.by]!, LEASE, each.cause);
          if (!taken) continue;
          // Never while another one may still commit.
          expect(model.holder === undefined || model.holder.until < now).toBe(true);
          expect(taken.cursor).toBe(model.cursor);
          held.set(each.by, taken);
          model.holder = { by: each.by, until: now + LEASE };
        } else if (each.do === 'commit') {
          const taken = held.get(each.by);
          if (!taken) continue;
          const from = taken.cursor as number | null;
          const events = each.fails ? [] : Array.from({ length: each.events }, (_, n) => (from ?? 0) + n + 1);
          const evaluation: NewEvaluation = {
            ...{ status: each.fails ? 'failed' : events.length > 0 ? 'requested' : 'skipped', reason: null, by: null },
            runs: events.map((event) => ({ runKey: null, run: runOf({ tags: { event: String(event) } }) })),
            ...{ partitions: [], cursor: events.at(-1) },
          };
          const committed = await ledger.sensors.commit(taken, evaluation, each.next);
          const mayCommit = model.holder?.by === each.by && model.holder.until > now;
          expect(committed !== undefined).toBe(mayCommit);
          if (!mayCommit) continue;
          model.holder = undefined;
          model.requested.push(...events);
          model.cursor = events.at(-1) ?? model.cursor;
        } else if (each.do === 'leave') {
          const taken = held.get(each.by);
          if (taken) await ledger.sensors.leave(taken);
          if (model.holder?.by === each.by) model.holder = undefined;
        } else if (each.do === 'die') {
          held.delete(each.by);
        } else if (each.do === 'set') {
          await ledger.sensors.setCursor('numbers', each.to, act);
          Object.assign(model, { cursor: each.to, holder: undefined });
        } else if (await ledger.sensors.pause('numbers', each.do === 'pause', act)) model.holder = undefined;
        const { sensors } = await ledger.sensors.all();
        expect(sensors[0]!.cursor).toBe(model.cursor);
      }
      const { items } = await ledger.runs({}, { limit: 1000 });
      expect(items.map(({ tags }) => Number(tags['event'])).toReversed()).toEqual(model.requested);
    }),
    { numRuns: 300 },
  );
});
