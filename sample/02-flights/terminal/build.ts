// Makes what is missing or stale, shows how far it is, and sums up.
import type { FlowStoneService, RunHandle } from 'nestjs-flowstone';
import type { Selection } from '../command-line.js';
import { showProgress } from './progress.js';
import { summaryOf } from './summary.js';

/** Resolves when all of it is made; rejects as the run does. */
export async function build(
  flowstone: FlowStoneService,
  { target, partition }: Selection,
  directory: string,
  out: NodeJS.WriteStream,
): Promise<void> {
  const started = performance.now();
  const tags = { asked: partition === undefined ? target : `${target} ${partition}` };
  let made = 0;
  const follow = async (run: RunHandle): Promise<void> => {
    const { counts } = await run.view();
    await showProgress(run.progress(), out);
    made += (await run.wait()).counts.success - counts.success;
  };
  for (const id of await openRuns(flowstone, tags.asked)) {
    out.write(`Continuing run ${id}, which was interrupted.\n`);
    await follow(flowstone.run(id));
  }
  const what = partition === undefined ? { partitions: 'all' as const } : { partition };
  await follow(await flowstone.materialize(target, { ...what, tags }));
  const took = performance.now() - started;
  out.write(`${(await summaryOf(flowstone, { made, took, directory })).join('\n')}\n`);
}

/** Runs that the same command began and that did not end, oldest first: FlowStone has taken them up at its start. */
async function openRuns(flowstone: FlowStoneService, asked: string): Promise<number[]> {
  const { items } = await flowstone.runs({ status: ['planning', 'running'] });
  return items
    .filter(({ tags }) => tags.asked === asked)
    .map(({ id }) => id)
    .toReversed();
}
