// Follows a run to its end, and sees to what it asks on the way.
import { setTimeout as pause } from 'node:timers/promises';
import type { FlowStoneService, RunHandle } from 'nestjs-flowstone';
import { showProgress } from './progress.js';
import type { Reviewer } from './review.js';

const MS_BETWEEN_LOOKS = 500;

/** Resolves to whether it has ended, rather than waits for decisions that were put off; rejects as the run does. */
export async function followToEnd(
  flowstone: FlowStoneService,
  run: RunHandle,
  review: Reviewer,
  out: NodeJS.WriteStream,
): Promise<boolean> {
  const putOff = new Set<number>();
  for (;;) {
    await showProgress(run.progress(), out);
    const { status } = await run.wait({ until: 'settled' });
    if (status !== 'waiting') return true;
    const { items } = await flowstone.approvals.list({ run: run.id });
    const asked = items.filter(({ id }) => !putOff.has(id));
    for (const approval of asked) if (!(await review(approval))) putOff.add(approval.id);
    if (asked.length > 0) continue;
    if (items.length > 0) return false;
    // Workers may not have started yet.
    await pause(MS_BETWEEN_LOOKS);
  }
}
