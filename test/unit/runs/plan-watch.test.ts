// When runs are looked for that wait to be planned.
import { describe, expect, it } from '@jest/globals';
import { PlanWatch } from '../../../lib/runs/plan.watch.js';

/** A watch whose looks answer as they are given, and that looks again when it is told to. */
function watchOf(
  answers: readonly (ReadonlySet<string> | undefined)[],
  amid: (look: number) => void = () => undefined,
) {
  let looks = 0;
  const told: (readonly string[])[] = [];
  const watch = new PlanWatch({
    planNext: async () => {
      const look = looks++;
      await new Promise(setImmediate);
      amid(look);
      return answers[look];
    },
    planned: (readyIn) => {
      told.push([...readyIn]);
      watch.planIfDue();
    },
    broken: (error) => {
      throw error;
    },
  });
  const over = async (): Promise<void> => {
    while (!watch.isFree) await watch.over();
  };
  return { watch, told, over, looks: () => looks };
}

describe('the watch of plans', () => {
  it('plans one run after the other, also where they make nothing ready', async () => {
    const { watch, told, over, looks } = watchOf([new Set(), new Set(['heavy']), new Set()]);
    watch.planIfDue();
    await over();
    expect(told).toEqual([[], ['heavy'], []]);
    expect(looks()).toBe(4);
  });

  it('looks again for what was heard of while it looked in vain', async () => {
    const { watch, over, looks } = watchOf([undefined, new Set()], (look) => {
      if (look > 0) return;
      watch.expect();
      watch.planIfDue();
    });
    watch.planIfDue();
    await over();
    expect(looks()).toBe(3);
  });
});
