// Makes what is missing or stale, shows how far it is, and sums up.
import type { FlowStoneService } from 'nestjs-flowstone';
import { showProgress } from './progress.js';
import { summaryOf } from './summary.js';

/** Resolves when all of it is made; rejects as the run does. */
export async function build(
  flowstone: FlowStoneService,
  { target, partition }: { target: string; partition: string | undefined },
  directory: string,
  out: NodeJS.WriteStream,
): Promise<void> {
  const started = performance.now();
  const run = await flowstone.materialize(target, partition === undefined ? { partitions: 'all' } : { partition });
  await showProgress(run.progress(), out);
  const result = await run.wait();
  const summary = await summaryOf(flowstone, result, { directory, took: performance.now() - started });
  out.write(`${summary.join('\n')}\n`);
}
