// Whether what an asset declares of its automation can be, given its dependencies and partitions.
import { didYouMean } from '../graph/did-you-mean.js';
import { dimensionsOf } from '../partitions/partition-dimensions.js';
import type { PartitionScheme } from '../partitions/partitions.js';
import { automationProblem, type AutomationOptions } from './automation.options.js';
import type { Declaration, NoteMistake } from './declaration.reader.js';

export function checkAutomation(
  { options, dependencies }: Declaration,
  scheme: PartitionScheme | undefined,
  note: NoteMistake,
): void {
  const { automation, external } = options;
  if (automation === undefined) return;
  if (external) {
    note('it is external and has the option automation', 'remove automation: its versions are reported');
    return;
  }
  const consumed = dependencies.filter(({ spec }) => !spec.ordering).map(({ alias }) => alias);
  const problem = automationProblem(automation, consumed);
  if (problem !== undefined) {
    const [what, ...fix] = problem.split(/[:;] (.*)/s);
    note(`its automation cannot be used: ${what}`, fix.join('').trim() || 'see docs/automation.md');
    return;
  }
  const { key } = automation as AutomationOptions;
  const dimensions = [dimensionsOf(scheme)].flat();
  if (key === undefined || dimensions.includes(key)) return;
  const known =
    dimensions.length > 0 ? `its dimensions are ${dimensions.join(', ')}` : 'its partitions have no dimensions';
  note(`key '${key}' of its automation is no dimension of its partitions`, `${known}${didYouMean(key, dimensions)}`);
}
