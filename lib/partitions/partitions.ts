// How users write partition schemes, what is wrong with one, and its stable text for an asset's definition, read back.
// The shapes are in partition-scheme.ts, the keys of a scheme in partition-set.ts.
import type {
  CalendarScheme,
  CronOptions,
  CronScheme,
  CustomKeysFunction,
  CustomScheme,
  DynamicScheme,
  MultiScheme,
  PartitionScheme,
  SingleScheme,
  StaticScheme,
  TimeOptions,
} from './partition-scheme.js';
import { isTimeScheme } from './partition-scheme.js';
import { keyTextProblem } from './partition-key.js';
import { timeSchemeProblems } from './time-rules.js';

export type * from './partition-scheme.js';

/**
 * The partition schemes. Time keys name the start of their window on the zone's wall clock. Nothing is checked here: what is
 * wrong with a scheme is reported at boot, with everything else.
 */
export const Partitions = {
  /**
   * Keys `2001-03-04T05`. In an hour the clock shows twice the two windows are `2001-10-28T02+02:00` and
   * `2001-10-28T02+01:00`; an hour the clock skips is no partition.
   */
  hourly: (options: TimeOptions): CalendarScheme => calendar('hourly', options),
  /** Keys `2001-03-04`; 23 or 25 hours long where the clock changes. A day the zone skipped is no partition. */
  daily: (options: TimeOptions): CalendarScheme => calendar('daily', options),
  /** Keys by the Monday a week begins with: `2001-03-05`. */
  weekly: (options: TimeOptions): CalendarScheme => calendar('weekly', options),
  /** Keys `2001-03`. */
  monthly: (options: TimeOptions): CalendarScheme => calendar('monthly', options),
  /**
   * Windows from tick to tick of a cron expression; keys `2001-03-04T05:30`, with seconds where the expression has any. A tick the
   * clock skips comes at the end of the gap. A tick the clock shows twice comes once, unless the expression fires in
   * every hour of the day: then both are windows, told apart by their offset as in `hourly`.
   */
  cron: ({ cron, ...options }: CronOptions): CronScheme => Object.freeze({ kind: 'cron', cron, ...times(options) }),
  /** Exactly these keys, in this order. */
  static: (keys: readonly string[]): StaticScheme => Object.freeze({ kind: 'static', keys: Object.freeze([...keys]) }),
  /** Keys added and removed at run time; assets that name the same list share it. */
  dynamic: (name: string): DynamicScheme => Object.freeze({ kind: 'dynamic', name }),
  /** Every combination of the dimensions' keys, in declared order: `{ day: '2001-03-04', region: 'eu' }`. */
  multi: (dimensions: Readonly<Record<string, SingleScheme>>): MultiScheme =>
    Object.freeze({ kind: 'multi', dimensions: Object.freeze({ ...dimensions }) }),
  /**
   * Keys computed by `compute`, which is asked for each plan, and again as work on it begins; it has 30 s to answer. With
   * `dimensions`, it returns for each partition its parts, as an array in that order or as a record. `name` tells two custom schemes apart in the definition of an asset, since code cannot
   * be compared; it is the function's own name unless told.
   */
  custom: (
    compute: CustomKeysFunction,
    { name, dimensions = [] }: { readonly name?: string; readonly dimensions?: readonly string[] } = {},
  ): CustomScheme =>
    Object.freeze({ kind: 'custom', compute, name: name ?? compute.name, dimensions: Object.freeze([...dimensions]) }),
} as const;

function calendar(kind: CalendarScheme['kind'], options: TimeOptions): CalendarScheme {
  return Object.freeze({ kind, ...times(options) });
}

function times({ start, end, timeZone = 'UTC', includeCurrent = false }: TimeOptions) {
  return { start, end, timeZone, includeCurrent };
}

/** What is wrong with a scheme, one sentence each; empty where it can be used. */
export function schemeProblems(scheme: PartitionScheme): string[] {
  if (isTimeScheme(scheme)) return timeSchemeProblems(scheme);
  switch (scheme.kind) {
    case 'static':
      return staticProblems(scheme.keys);
    case 'dynamic':
      return nameProblems('a dynamic scheme', [scheme.name]);
    case 'custom':
      return [
        ...(typeof scheme.compute === 'function' ? [] : ['a custom scheme needs a function that returns its keys']),
        ...nameProblems('a dimension', scheme.dimensions),
      ];
    case 'multi':
      return multiProblems(scheme);
    default:
      return [`${JSON.stringify(scheme)} is no partition scheme; write one of ${Object.keys(Partitions).join(', ')}`];
  }
}

function staticProblems(keys: readonly string[]): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const key of keys) {
    const problem = typeof key === 'string' ? keyTextProblem(key) : 'it is no text';
    if (problem) problems.push(`static key ${JSON.stringify(key)} cannot be used: ${problem}`);
    if (seen.has(key)) problems.push(`static key ${JSON.stringify(key)} is listed twice`);
    seen.add(key);
  }
  return problems;
}

function multiProblems({ dimensions }: MultiScheme): string[] {
  const names = Object.keys(dimensions);
  if (names.length === 0) return ['a multi scheme needs at least one dimension'];
  return [
    ...nameProblems('a dimension', names),
    ...Object.entries<PartitionScheme>(dimensions).flatMap(([name, scheme]) =>
      scheme.kind === 'multi'
        ? [`dimension '${name}' is itself multi; write its dimensions beside the others`]
        : schemeProblems(scheme).map((problem) => `dimension '${name}': ${problem}`),
    ),
  ];
}

function nameProblems(what: string, names: readonly string[]): string[] {
  const problems = names
    .filter((name) => typeof name !== 'string' || !/^[A-Za-z][A-Za-z0-9_.-]{0,99}$/.test(name))
    .map(
      (name) =>
        `${what} cannot be named ${JSON.stringify(name)}: use letters, digits, '_', '.', '-', beginning with a letter`,
    );
  if (new Set(names).size < names.length) problems.push(`${what} is named twice in ${JSON.stringify(names)}`);
  return problems;
}

/**
 * A text that is equal for schemes with the same partitions, for the definition of an asset. The order of dimensions and of
 * static keys is part of it; of a custom scheme, its name and dimensions are.
 */
export function schemeFingerprint(scheme: PartitionScheme | undefined): string {
  return JSON.stringify(fingerprintParts(scheme));
}

/**
 * The scheme of which {@link schemeFingerprint} made this text. `custom` gives the one of a name and dimensions, since code is
 * no text.
 */
export function readFingerprint(
  text: string,
  custom: (name: string, dimensions: readonly string[]) => CustomScheme,
): PartitionScheme | undefined {
  const parts = JSON.parse(text) as readonly [string, ...unknown[]] | null;
  return parts === null ? undefined : readParts(parts, custom);
}

function readParts(
  [kind, first, ...rest]: readonly unknown[],
  custom: (name: string, dimensions: readonly string[]) => CustomScheme,
): PartitionScheme {
  switch (kind) {
    case 'static':
      return Partitions.static(first as string[]);
    case 'dynamic':
      return Partitions.dynamic(first as string);
    case 'custom':
      return custom(first as string, rest[0] as string[]);
    case 'multi': {
      const dimensions = (first as [string, unknown[]][]).map(([name, each]) => [name, readParts(each, custom)]);
      return Partitions.multi(Object.fromEntries(dimensions) as Record<string, SingleScheme>);
    }
    default: {
      const [start, end, timeZone, includeCurrent] = rest as [string, string | null, string, boolean];
      const options = { start, end: end ?? undefined, timeZone, includeCurrent };
      if (kind === 'cron') return Partitions.cron({ cron: first as string, ...options });
      return calendar(kind as CalendarScheme['kind'], options);
    }
  }
}

function fingerprintParts(scheme: PartitionScheme | undefined): unknown {
  if (scheme === undefined) return null;
  if (isTimeScheme(scheme)) {
    const cron = scheme.kind === 'cron' ? scheme.cron.trim().split(/\s+/).join(' ') : null;
    return [scheme.kind, cron, scheme.start, scheme.end ?? null, scheme.timeZone, scheme.includeCurrent];
  }
  switch (scheme.kind) {
    case 'static':
      return ['static', scheme.keys];
    case 'dynamic':
      return ['dynamic', scheme.name];
    case 'custom':
      return ['custom', scheme.name, scheme.dimensions];
    case 'multi':
      return ['multi', Object.entries(scheme.dimensions).map(([name, each]) => [name, fingerprintParts(each)])];
  }
}
