// The schedules that the classes of an application declare, checked against its assets.
import type { AssetClass, AssetDefinition } from '../../assets/asset.definition.js';
import { defaultAssetKey } from '../../assets/asset.key.js';
import type { Discovery } from '../../assets/asset.explorer.js';
import type { DeclarationProblem } from '../../assets/declaration.problem.js';
import { isClass } from '../../assets/dependency.js';
import { didYouMean } from '../../graph/did-you-mean.js';
import { parseSelection } from '../../graph/selection-parser.js';
import { TIME_KINDS } from './scheduled.partitions.js';
import { schedulesOf } from './schedule.decorator.js';
import {
  DECLARED,
  definitionHash,
  scheduleDefinition,
  scheduleProblems,
  type ScheduleDefinition,
  type ScheduleOptions,
} from './schedule.options.js';

/** A schedule that code declares. */
export interface OwnSchedule {
  readonly name: string;
  readonly hash: string;
  readonly definition: ScheduleDefinition;
  readonly partition: ScheduleOptions['partition'];
}

interface AssetsByClass {
  find(asset: AssetClass | string): { readonly definition: AssetDefinition } | undefined;
  readonly definitions: readonly AssetDefinition[];
}

/** What is declared, and every mistake in it. */
export function readSchedules(
  { providers }: Pick<Discovery, 'providers'>,
  assets: AssetsByClass,
): { readonly schedules: readonly OwnSchedule[]; readonly problems: readonly DeclarationProblem[] } {
  const schedules: OwnSchedule[] = [];
  const problems: DeclarationProblem[] = [];
  const owners = new Map<string, string>();
  for (const target of providers.keys()) {
    if (!isClass(target)) continue;
    const declared = schedulesOf(target);
    for (const options of declared) {
      const asset = assets.find(target)?.definition;
      const name = options?.name ?? asset?.key ?? defaultAssetKey(target.name);
      const note = (problem: string, fix: string): void =>
        void problems.push({
          asset: asset?.key ?? name,
          class: target.name,
          problem: `its schedule '${name}': ${problem}`,
          fix,
        });
      const found = scheduleProblems(options, DECLARED);
      for (const problem of found) {
        const [what, ...fix] = problem.split(/[:;] (.*)/s);
        note(what!, fix.join('').trim() || 'see docs/schedules.md');
      }
      if (found.length > 0) continue;
      const other = owners.get(name);
      if (other !== undefined) note(`${other} has one of that name as well`, "name it: @Schedule({ name: '...' })");
      owners.set(name, target.name);
      const targets = targetsOf(options, asset, assets, note);
      if (!targets) continue;
      checkPartitions(options, targets, assets, note);
      const definition = scheduleDefinition(options, targets);
      schedules.push({ name, definition, hash: definitionHash(definition), partition: options.partition });
    }
  }
  return { schedules, problems };
}

type Note = (problem: string, fix: string) => void;

function targetsOf(
  { targets }: ScheduleOptions,
  asset: AssetDefinition | undefined,
  assets: AssetsByClass,
  note: Note,
): readonly string[] | undefined {
  if (targets === undefined) {
    if (asset && !asset.external) return [asset.key];
    note(asset ? 'it is external' : 'it has no targets', 'name what is to be run: @Schedule({ targets: [TheAsset] })');
    return undefined;
  }
  const list = Array.isArray(targets)
    ? (targets as readonly (AssetClass | string)[])
    : [targets as AssetClass | string];
  if (list.length === 0) note('it has no targets', 'name what is to be run: @Schedule({ targets: [TheAsset] })');
  const keys = list.map((target) => {
    if (typeof target === 'string') return selectionIn(target, assets, note);
    const found = isClass(target) ? assets.find(target) : undefined;
    if (!found)
      note(`${isClass(target) ? target.name : String(target)} is no asset`, 'name assets, keys or selections');
    return found?.definition.key;
  });
  return keys.every((key) => key !== undefined) && keys.length > 0 ? keys : undefined;
}

function selectionIn(text: string, assets: AssetsByClass, note: Note): string | undefined {
  if (assets.find(text)) return text;
  try {
    parseSelection(text);
    return text;
  } catch (error) {
    const near = didYouMean(
      text,
      assets.definitions.map(({ key }) => key),
    );
    note(
      `'${text}' selects nothing: ${error instanceof Error ? error.message : String(error)}`,
      `name assets, keys or selections${near}`,
    );
    return undefined;
  }
}

/** Of what is named by itself it can be told whether its partitions have to be. */
function checkPartitions(
  options: ScheduleOptions,
  targets: readonly string[],
  assets: AssetsByClass,
  note: Note,
): void {
  if (options.partition ?? options.partitions) return;
  for (const target of targets) {
    const scheme = assets.find(target)?.definition.scheme;
    if (!scheme || TIME_KINDS.has(scheme.kind)) continue;
    note(
      `${target} is partitioned, and not by time alone`,
      "say which partitions: partition: (tick) => ..., or partitions: 'stale' | 'all' | [...]",
    );
  }
}
