// Prints what would be made, and why.
import type { FlowStoneService } from 'nestjs-flowstone';
import type { Selection } from '../command-line.js';
import { aligned, whole } from './format.js';

/** One line for each asset with the reasons of its first entry; nothing is made. */
export async function printPlan(
  flowstone: FlowStoneService,
  { target, partition }: Selection,
  out: NodeJS.WriteStream,
): Promise<void> {
  const plan = await flowstone.plan(target, partition === undefined ? { partitions: 'all' } : { partition });
  if (plan.size === 0) {
    out.write('Everything is fresh: nothing would be made.\n');
    return;
  }
  const firsts = new Map<string, number>();
  for (const { asset, index } of plan.entries()) if (!firsts.has(asset)) firsts.set(asset, index);
  const counts = plan.counts();
  const lines = aligned([
    ['asset', 'certain', 'conditional'],
    ...[...firsts.keys()].map((asset) => [
      asset,
      whole(counts.get(asset)!.certain),
      whole(counts.get(asset)!.conditional),
    ]),
  ]);
  out.write(`${lines[0]}   why (of the first)\n`);
  for (const [position, index] of [...firsts.values()].entries()) {
    const reasons = (await plan.explain(index)).map(({ message }) => message).join('; ');
    out.write(`${lines[position + 1]}   ${reasons}\n`);
  }
  out.write('\nCertain entries run. Conditional ones run only where something above them comes out different.\n');
}
