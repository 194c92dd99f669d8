// Which partitions have passed their checks, of those of which a condition asks that.
import type { DeclaredAsset } from '../../assets/asset.definition.js';
import { leavesOf, type Condition } from '../../assets/condition.js';
import type { CheckLedger } from '../../ledger/checks.port.js';
import type { Question } from './decide.js';

/** Partitions of an asset whose results are read at once. */
const READ_AT_ONCE = 5000;

/** Of a node that was not read, no. A value without checks that count has passed them. */
export async function readChecked(
  { scope, states, automated }: Pick<Question, 'scope' | 'states' | 'automated'>,
  nodes: readonly number[],
  ledger: Pick<CheckLedger, 'latest'>,
  definitions: readonly DeclaredAsset[],
): Promise<(node: number) => boolean> {
  const asked = new Set<number>();
  const { starts, from, to } = scope.edges;
  for (const node of nodes) {
    const when = automated(scope.blockOf(node).asset)?.automation.when;
    if (!when || !asks(when)) continue;
    asked.add(node);
    for (let range = starts[node]!; range < starts[node + 1]!; range++)
      for (let upstream = from[range]!; upstream < to[range]!; upstream++) asked.add(upstream);
  }
  if (asked.size === 0) return () => false;
  const byAsset = new Map<string, number[]>();
  for (const node of asked) {
    if (states.stateOf(node) === 'missing') continue;
    const asset = scope.assetKeyOf(node);
    const ofAsset = byAsset.get(asset);
    if (ofAsset) ofAsset.push(node);
    else byAsset.set(asset, [node]);
  }
  const counting = new Map(
    definitions.map(({ key, checks }) => [key, checks.filter(({ severity }) => severity === 'error')] as const),
  );
  const checked = new Set<number>();
  for (const [asset, ofAsset] of byAsset) {
    const checks = counting.get(asset) ?? [];
    const passed = checks.length === 0 ? new Set<string>() : await readPassed(asset, ofAsset);
    for (const node of ofAsset) {
      const partition = scope.partitionKeyOf(node);
      if (checks.every(({ name }) => passed.has(placeOf(partition, name)))) checked.add(node);
    }
  }
  return (node) => checked.has(node);

  async function readPassed(asset: string, ofAsset: readonly number[]): Promise<ReadonlySet<string>> {
    const passed = new Set<string>();
    for (let at = 0; at < ofAsset.length; at += READ_AT_ONCE) {
      const partitions = ofAsset.slice(at, at + READ_AT_ONCE).map((node) => scope.partitionKeyOf(node));
      for (const { partition, check, status } of await ledger.latest(asset, partitions))
        if (status === 'passed') passed.add(placeOf(partition, check));
    }
    return passed;
  }
}

function asks(when: Condition): boolean {
  return leavesOf(when).some((leaf) => (leaf.kind === 'status' || leaf.kind === 'upstream') && leaf.is === 'checked');
}

function placeOf(partition: string, check: string): string {
  return JSON.stringify([partition, check]);
}
