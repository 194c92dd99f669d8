// Makes what is missing or stale, shows how far it is, and sums up.
import type { FlowStoneService, RunHandle } from 'nestjs-flowstone';
import type { Selection } from '../command-line.js';
import { followToEnd } from './follow.js';
import { reviewerFor } from './review.js';
import { summaryOf } from './summary.js';

/** Resolves when all of it is made, or waits for decisions that were put off; rejects as the run does. */
export async function build(
  flowstone: FlowStoneService,
  { target, partition, autoApprove }: Selection & { autoApprove: boolean },
  directory: string,
  out: NodeJS.WriteStream,
): Promise<void> {
  const started = performance.now();
  const tags = { asked: partition === undefined ? target : `${target} ${partition}` };
  const review = reviewerFor(flowstone, { autoApprove }, out);
  let made = 0;
  const follow = async (run: RunHandle): Promise<boolean> => {
    const { counts } = await run.view();
    const ended = await followToEnd(flowstone, run, review, out);
    made += (await run.view()).counts.success - counts.success;
    return ended;
  };
  let ended = true;
  for (const id of await openRuns(flowstone, tags.asked)) {
    out.write(`Continuing run ${id}, which did not end.\n`);
    ended = (await follow(flowstone.run(id))) && ended;
  }
  const what = partition === undefined ? { partitions: 'all' as const } : { partition };
  if (ended) ended = await follow(await flowstone.materialize(target, { ...what, tags }));
  const took = performance.now() - started;
  out.write(`${(await summaryOf(flowstone, { made, waits: !ended, took, directory })).join('\n')}\n`);
}

/** Runs that the same command began and that did not end, oldest first: FlowStone has taken them up at its start. */
async function openRuns(flowstone: FlowStoneService, asked: string): Promise<number[]> {
  const { items } = await flowstone.runs({ status: ['planning', 'running'] });
  return items
    .filter(({ tags }) => tags.asked === asked)
    .map(({ id }) => id)
    .toReversed();
}
