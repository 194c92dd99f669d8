// Whatever happens, automation ends with everything fresh, computes nothing that need not be, and repeats no failure.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startApp } from '../behaviour/graph.js';
import { shape, SOURCES, step, World } from './automation-world.js';

describe('automation', () => {
  it('ends with everything fresh, whatever changed, failed or was cancelled before and meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(shape, { minLength: 1, maxLength: 6 }),
        fc.array(step, { maxLength: 20 }),
        async (shapes, steps) => {
          const world = new World(shapes);
          const { app, flowstone } = await startApp([...world.sources, ...world.classes], {
            storage: 'memory',
            concurrency: 3,
          });
          world.flowstone = flowstone;
          try {
            for (const each of steps) await world.take(each);
            await world.settle();
            // What failed or was cancelled waits for a change: of all sources, once nothing is broken any more.
            world.broken.clear();
            for (let source = 0; source < SOURCES; source++) {
              await flowstone.reportVersion(`s${source}`, { dataVersion: 'last' });
            }
            // A value may come out as it was, so that what failed below it sees no change: a person retries.
            await world.settle();
            for (const { id, status } of (await flowstone.runs({}, { limit: 1000 })).items) {
              if (status !== 'success')
                await flowstone
                  .retry(id)
                  .then((run) => run.wait())
                  .catch(() => undefined);
              await world.settle();
            }
            expect(await world.unfinished()).toEqual([]);
            const before = (await flowstone.runs({}, { limit: 1 })).items[0]?.id;
            await flowstone.automation.look();
            expect((await flowstone.runs({}, { limit: 1 })).items[0]?.id).toBe(before);
          } finally {
            await app.close();
          }
        },
      ),
      { numRuns: 100 },
    );
  }, 120_000);

  it('requests no run in which there is nothing to compute', async () => {
    const only = new Set(['report', 'break', 'mend', 'invalidate', 'wait']);
    const steps = fc.array(
      step.filter(({ do: what }) => only.has(what)),
      { maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(shape, { minLength: 1, maxLength: 6 }), steps, async (shapes, taken) => {
        const world = new World(shapes);
        const { app, flowstone } = await startApp([...world.sources, ...world.classes], {
          storage: 'memory',
          concurrency: 3,
        });
        world.flowstone = flowstone;
        try {
          // Versions never come back, so that what was stale when it was requested is so when it is claimed.
          for (const [number, each] of taken.entries()) {
            await world.take(each.do === 'report' ? { ...each, version: number } : each);
          }
          await world.settle();
          for (const { id, counts, requestedBy } of (await flowstone.runs({}, { limit: 1000 })).items) {
            expect({ id, requestedBy, done: counts.success + counts.failed > 0 }).toEqual({
              id,
              requestedBy: 'automation',
              done: true,
            });
          }
          // Whatever is broken has failed once with what there is, and is left alone.
          const { items } = await flowstone.runs({}, { limit: 1 });
          for (let look = 0; look < 3; look++) await flowstone.automation.look();
          expect((await flowstone.runs({}, { limit: 1 })).items[0]?.id).toBe(items[0]?.id);
        } finally {
          await app.close();
        }
      }),
      { numRuns: 100 },
    );
  }, 120_000);
});
