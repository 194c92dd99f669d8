// In what two runs differ, by (asset, partition).
import { FlowStoneError } from '../flowstone.errors.js';
import type { ComparedMaterialization, RunDifference } from '../ledger/lineage.port.js';
import { DURATION_APART, DURATION_FACTOR } from '../ledger/lineage.port.js';
import type { ConsumedInput } from '../ledger/records.js';
import type { LineageParts } from './lineage.parts.js';

const USUAL_LIMIT = 1000;
/** Inputs that are named of one difference. */
const MOST_INPUTS = 10;

/** What two materializations consumed of one partition; null: nothing. */
export interface InputChange {
  readonly asset: string;
  readonly partition: string;
  /** Data versions. */
  readonly a: string | null;
  readonly b: string | null;
}

/** What two runs did with one (asset, partition). Null: that run had nothing of it. */
export interface RunDiffEntry extends RunDifference {
  /** In what they differ; empty where only one of the runs has it. */
  readonly differs: readonly ('status' | 'data_version' | 'code_version' | 'inputs' | 'duration')[];
  /** Inputs that differ, the first ten, where both succeeded and their records are kept. */
  readonly inputs: readonly InputChange[];
}

/** Two runs side by side. `duration` differs where one took twice as long as the other or more, and a second at least. */
export interface RunDiff {
  readonly a: number;
  readonly b: number;
  readonly same: number;
  readonly differing: number;
  readonly onlyA: number;
  readonly onlyB: number;
  /** In the order of run A; then what only B has, in its order. */
  readonly entries: readonly RunDiffEntry[];
  /** There are more differences than were asked for. */
  readonly truncated: boolean;
}

/** @throws FlowStoneError FLOWSTONE_RUN_NOT_FOUND */
export async function diffRuns({ ledger }: LineageParts, a: number, b: number, limit = USUAL_LIMIT): Promise<RunDiff> {
  for (const run of [a, b]) {
    if (Number.isSafeInteger(run) && (await ledger.run(run))) continue;
    throw new FlowStoneError('FLOWSTONE_RUN_NOT_FOUND', `There is no run ${run} to compare. See runs().`, {
      context: { run },
    });
  }
  const { differences, ...counts } = await ledger.lineage.compareRuns(a, b, limit);
  const entries = differences.map((difference) => ({ ...difference, differs: kindsOf(difference) }));
  const changed = entries.filter(({ differs }) => differs.includes('inputs'));
  const consumed = await ledger.consumed(changed.flatMap((entry) => [entry.a!.id, entry.b!.id]));
  const known = (side: ComparedMaterialization | null): readonly ConsumedInput[] =>
    (side === null ? [] : (consumed.get(side.id) ?? [])).filter((input) => 'asset' in input);
  const told = counts.differing + counts.onlyA + counts.onlyB;
  return {
    ...{ a, b, ...counts },
    entries: entries.map((entry) => ({
      ...entry,
      inputs: entry.differs.includes('inputs') ? inputChanges(known(entry.a), known(entry.b)) : [],
    })),
    truncated: told > entries.length,
  };
}

function kindsOf({ a, b }: RunDifference): RunDiffEntry['differs'] {
  if (!a || !b) return [];
  const long = Math.max(a.duration ?? 0, b.duration ?? 0);
  const short = Math.min(a.duration ?? long, b.duration ?? long);
  return [
    ...(a.status === b.status ? [] : (['status'] as const)),
    ...(a.dataVersion === b.dataVersion ? [] : (['data_version'] as const)),
    ...(a.codeVersion === b.codeVersion ? [] : (['code_version'] as const)),
    ...(a.inputs === b.inputs ? [] : (['inputs'] as const)),
    ...(long - short >= DURATION_APART && long >= DURATION_FACTOR * short ? (['duration'] as const) : []),
  ];
}

function inputChanges(a: readonly ConsumedInput[], b: readonly ConsumedInput[]): InputChange[] {
  const place = ({ asset, partition }: ConsumedInput): string => JSON.stringify([asset, partition]);
  const versions = (inputs: readonly ConsumedInput[]) =>
    new Map(inputs.map((input) => [place(input), input.dataVersion]));
  const [ofA, ofB] = [versions(a), versions(b)];
  const places = new Map([...a, ...b].map((input) => [place(input), input]));
  const changes = [...places].filter(([key]) => ofA.get(key) !== ofB.get(key));
  return changes.slice(0, MOST_INPUTS).map(([key, { asset, partition }]) => ({
    ...{ asset, partition, a: ofA.get(key) ?? null, b: ofB.get(key) ?? null },
  }));
}
