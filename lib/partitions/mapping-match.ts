// What a mapping means for two given schemes: which dimension follows from which, or why that is impossible.
// For two given sets of partitions see resolve-mapping.ts.
import { FlowStoneError } from '../flowstone.errors.js';
import { canonicalKey } from './canonical-key.js';
import { type DimensionMapping, type FunctionMapping, type LeafSpec, type MappingSpec } from './mapping-spec.js';
import { isTimeScheme, type PartitionScheme, type SingleScheme, type TimeScheme } from './partition-scheme.js';

/** One dimension of the upstream (`''`: it has none) and the one of the downstream it follows from. */
export interface Link {
  readonly up: string;
  /** Undefined where it follows from none: all, keys, latest. */
  readonly down: string | undefined;
  readonly spec: LeafSpec;
}

/** A mapping that fits its schemes: links in the order of the upstream's dimensions, a choice from the whole set, or functions. */
export type Match =
  | { readonly kind: 'links'; readonly links: readonly Link[] }
  | { readonly kind: 'chosen'; readonly spec: LeafSpec }
  | { readonly kind: 'function'; readonly mapping: FunctionMapping };

type Leaf = readonly [name: string, scheme: SingleScheme];

/** What the mapping means between these schemes, or the problem in one sentence that names what to write instead. */
export function matchMapping(
  spec: MappingSpec,
  down: PartitionScheme | undefined,
  up: PartitionScheme | undefined,
): Match | string {
  if (up === undefined) {
    return spec.kind === 'same'
      ? { kind: 'links', links: [] }
      : 'the upstream is not partitioned, so there is only its whole; write the bare class';
  }
  switch (spec.kind) {
    case 'mapped':
      if (spec.mapping.kind === 'function') return { kind: 'function', mapping: spec.mapping };
      return matchDimensions(spec.mapping.dimensions, spec.mapping.single, spec.allowMissing, down, up);
    case 'all':
      return { kind: 'chosen', spec };
    case 'keys':
      return keysProblem(spec.keys, spec.allowMissing, up) ?? { kind: 'chosen', spec };
    case 'latest':
      return latestProblem(up) ?? { kind: 'chosen', spec };
    case 'same':
      return matchSame(spec, down, up);
    default:
      return matchTimed(spec, down, up);
  }
}

function leavesOf(scheme: PartitionScheme | undefined): readonly Leaf[] {
  if (scheme === undefined) return [];
  return scheme.kind === 'multi' ? Object.entries(scheme.dimensions) : [['', scheme]];
}

function matchSame(spec: LeafSpec, down: PartitionScheme | undefined, up: PartitionScheme): Match | string {
  if (down === undefined) {
    return 'this asset is not partitioned and the upstream is, so the bare class means many partitions; write all(...), keys(...) or latest(...)';
  }
  const upLeaves = leavesOf(up);
  if (up.kind !== 'multi') return joinLinks([findLink(spec, upLeaves[0]!, leavesOf(down))]);
  const downNames = new Map(leavesOf(down));
  const missing = upLeaves.filter(([name]) => !downNames.has(name)).map(([name]) => name);
  if (down.kind !== 'multi' || missing.length > 0) {
    const names = missing.length > 0 ? missing : upLeaves.map(([name]) => name);
    return `the upstream has dimensions this asset has not (${names.join(', ')}), so the bare class means many partitions; write all(...), or mapped(..., mapping.dimensions({ ${names.map((name) => `${name}: mapping.all()`).join(', ')} }))`;
  }
  return joinLinks(upLeaves.map((leaf) => findLink(spec, leaf, [[leaf[0], downNames.get(leaf[0])!]])));
}

/** within, window and previous: the time dimension moves, the others keep their key. */
function matchTimed(spec: LeafSpec, down: PartitionScheme | undefined, up: PartitionScheme): Match | string {
  const timed = leavesOf(up).filter(([, scheme]) => isTimeScheme(scheme));
  if (timed.length !== 1) {
    return `${spec.kind}(...) needs an upstream with one time dimension, and this one has ${timed.length}; write mapped(..., mapping.dimensions({ ... }))`;
  }
  const downLeaves = leavesOf(down);
  return joinLinks(
    leavesOf(up).map((leaf) => {
      if (leaf[0] === timed[0]![0]) return findLink(spec, leaf, downLeaves);
      const same = downLeaves.filter(([name]) => name === leaf[0]);
      if (same.length > 0) return findLink({ kind: 'same', allowMissing: spec.allowMissing }, leaf, same);
      return `the upstream's dimension '${leaf[0]}' is none of this asset; write mapped(..., mapping.dimensions({ ${leaf[0]}: mapping.all(), ... }))`;
    }),
  );
}

function matchDimensions(
  rules: Readonly<Record<string, DimensionMapping>>,
  single: DimensionMapping | undefined,
  allowMissing: boolean | undefined,
  down: PartitionScheme | undefined,
  up: PartitionScheme,
): Match | string {
  const upLeaves = leavesOf(up);
  const upNames = upLeaves.map(([name]) => name);
  if (single && up.kind === 'multi')
    return `the upstream has the dimensions ${upNames.join(', ')}; write mapping.dimensions({ ... })`;
  if (!single && up.kind !== 'multi') return "the upstream has no dimensions; write mapping.dimension('mine')";
  const unknown = Object.keys(rules).find((name) => !upNames.includes(name));
  if (unknown !== undefined) return `the upstream has no dimension '${unknown}'; it has ${upNames.join(', ')}`;
  return joinLinks(
    upLeaves.map((leaf) => {
      const rule: Pick<DimensionMapping, 'spec' | 'of'> | undefined =
        single ?? (Object.hasOwn(rules, leaf[0]) ? rules[leaf[0]] : undefined);
      const spec: LeafSpec = { ...(rule?.spec ?? { kind: 'same' }), allowMissing };
      const named = leavesOf(down).filter(([name]) => rule?.of === undefined || name === rule.of);
      if (rule?.of !== undefined && named.length === 0) return `this asset has no dimension '${rule.of}'`;
      return findLink(spec, leaf, named);
    }),
  );
}

function joinLinks(links: readonly (Link | string)[]): Match | string {
  const found: Link[] = [];
  for (const link of links) {
    if (typeof link === 'string') return link;
    found.push(link);
  }
  return { kind: 'links', links: found };
}

/** The one of the candidates that an upstream dimension can follow from: of several, that of its own name. */
function findLink(spec: LeafSpec, [up, upScheme]: Leaf, candidates: readonly Leaf[]): Link | string {
  if (spec.kind === 'all') return { up, down: undefined, spec };
  if (spec.kind === 'keys' || spec.kind === 'latest') {
    const problem =
      spec.kind === 'keys' ? keysProblem(spec.keys, spec.allowMissing, upScheme) : latestProblem(upScheme);
    return problem ?? { up, down: undefined, spec };
  }
  const problems = candidates.map(([, scheme]) => leafProblem(spec, scheme, upScheme));
  const fitting = candidates.filter((_, index) => problems[index] === undefined);
  const chosen = fitting.length > 1 ? fitting.find(([name]) => name === up) : fitting[0];
  if (chosen) return { up, down: chosen[0], spec };
  if (fitting.length > 1) {
    const names = fitting.map(([name]) => name);
    return `several dimensions of this asset fit (${names.join(', ')}); write mapped(..., mapping.dimension('${names[0]!}')) to choose`;
  }
  if (problems.length === 1) return problems[0]!;
  return candidates.length === 0
    ? `this asset is not partitioned, so ${spec.kind} has nothing to follow from; write all(...), keys(...) or latest(...)`
    : `none of this asset's dimensions (${candidates.map(([name]) => name).join(', ')}) fits the upstream's ${describe(upScheme)}; write all(...) or mapped(...)`;
}

function leafProblem(spec: LeafSpec, down: SingleScheme, up: SingleScheme): string | undefined {
  if (spec.kind === 'same') return sameProblem(down, up, spec.allowMissing);
  if (!isTimeScheme(down) || !isTimeScheme(up)) {
    return `${spec.kind}(...) is between windows of time, and these are ${describe(down)} and ${describe(up)}; write all(...), keys(...) or mapped(...)`;
  }
  if (spec.kind === 'within') return zoneProblem(down, up);
  if (spec.kind !== 'window' && spec.kind !== 'previous') return undefined;
  const { kind, start, end } = spec;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start > end) {
    return `${kind}({ start: ${start}, end: ${end} }) has to count whole windows from start up to end`;
  }
  if (kind === 'previous' && end > -1) return `previous({ start: ${start}, end: ${end} }) has to end at -1 or earlier`;
  if (haveSameWindows(down, up)) return undefined;
  return `${kind}(...) counts windows of one scheme, and these are ${describe(down)} and ${describe(up)}; write within(...) or mapped(...)`;
}

function sameProblem(down: SingleScheme, up: SingleScheme, allowMissing: boolean | undefined): string | undefined {
  if (isTimeScheme(down) && isTimeScheme(up)) {
    if (haveSameWindows(down, up)) return undefined;
    return (
      zoneProblem(down, up) ??
      `the windows differ (${describe(down)}, ${describe(up)}), so the bare class means many partitions; write within(...)`
    );
  }
  if (down.kind === 'static' && up.kind === 'static') {
    const has = new Set(up.keys);
    const missing = allowMissing ? [] : down.keys.filter((key) => !has.has(key));
    if (missing.length === 0) return undefined;
    return `the upstream has no partition ${quote(missing)}; add it there, or allow it with allowMissing`;
  }
  if (down.kind === 'dynamic' && up.kind === 'dynamic' && down.name === up.name) return undefined;
  if (down.kind === 'custom' && up.kind === 'custom' && down.compute === up.compute) {
    if (JSON.stringify(down.dimensions) === JSON.stringify(up.dimensions)) return undefined;
  }
  return `the two are partitioned differently (${describe(down)}, ${describe(up)}), so the bare class means no one partition; write all(...), keys(...) or mapped(...)`;
}

function haveSameWindows(down: TimeScheme, up: TimeScheme): boolean {
  if (down.timeZone !== up.timeZone) return false;
  if (down.kind === 'cron' && up.kind === 'cron') return cronText(down.cron) === cronText(up.cron);
  return down.kind === up.kind;
}

function cronText(cron: string): string {
  return cron.trim().split(/\s+/).join(' ');
}

function zoneProblem(down: TimeScheme, up: TimeScheme): string | undefined {
  if (down.timeZone === up.timeZone) return undefined;
  return `the time zones differ (${down.timeZone}, ${up.timeZone}); give both the same, or write mapped(..., mapping.many({ ... }))`;
}

function keysProblem(
  keys: readonly string[],
  allowMissing: boolean | undefined,
  up: PartitionScheme,
): string | undefined {
  if (keys.length === 0) return 'keys(...) names no partition; name at least one, or leave the dependency out';
  for (const key of keys) {
    try {
      canonicalKey(up, key);
    } catch (error) {
      if (error instanceof FlowStoneError) return `keys(...): ${error.message}`;
      throw error;
    }
  }
  const missing = up.kind === 'static' && !allowMissing ? keys.filter((key) => !up.keys.includes(key)) : [];
  return missing.length > 0 ? `the upstream has no partition ${quote(missing)}` : undefined;
}

function latestProblem(up: PartitionScheme): string | undefined {
  if (isTimeScheme(up)) return undefined;
  return `latest(...) needs an upstream partitioned by time alone, and this one is ${describe(up)}; write keys(...) or mapped(...)`;
}

function describe(scheme: PartitionScheme): string {
  switch (scheme.kind) {
    case 'cron':
      return `cron '${scheme.cron}' in ${scheme.timeZone}`;
    case 'dynamic':
      return `dynamic '${scheme.name}'`;
    case 'custom':
      return `custom '${scheme.name}'`;
    case 'multi':
      return `multi by ${Object.keys(scheme.dimensions).join(', ')}`;
    default:
      return scheme.kind;
  }
}

function quote(keys: readonly string[]): string {
  const shown = keys
    .slice(0, 5)
    .map((key) => `'${key}'`)
    .join(', ');
  return keys.length > 5 ? `${shown} and ${keys.length - 5} more` : shown;
}
