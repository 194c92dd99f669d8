// A fixed moment to resolve schemes at, and short ways to look at a set and a mapping. Not a test.
import { type MappingSpec, type ResolvedMapping, resolveMapping } from '../../../lib/partitions/mapping.js';
import { type PartitionMoment, type PartitionSet, resolvePartitions } from '../../../lib/partitions/partition-set.js';
import type { PartitionScheme } from '../../../lib/partitions/partitions.js';

export function momentAt(now: string, lists: Readonly<Record<string, readonly string[]>> = {}): PartitionMoment {
  return {
    now: new Date(now),
    dynamicKeys: (name) => lists[name] ?? [],
    customKeys: (scheme) => lists[scheme.name] ?? [],
  };
}

/** Long after every scheme of these tests has ended. */
const LATER = momentAt('2026-11-24T00:00:00Z');

export function resolveAll(scheme: PartitionScheme | undefined, moment: PartitionMoment = LATER): PartitionSet {
  return resolvePartitions(scheme, moment);
}

export function keysOf(set: PartitionSet): string[] {
  return Array.from({ length: set.size }, (_, ordinal) => set.keyAt(ordinal));
}

/** One line per window: its key and its length in minutes. */
export function windowsOf(scheme: PartitionScheme): string[] {
  const set = resolveAll(scheme);
  return keysOf(set).map((key, ordinal) => {
    const { start, end } = set.windowAt(ordinal)!;
    return `${key} ${(end.getTime() - start.getTime()) / 60_000}`;
  });
}

export interface Mapped {
  readonly resolved: ResolvedMapping;
  upstream(down: string): string[];
  downstream(up: string): string[];
  missing(down: string): readonly string[];
}

/** A mapping that is asked and answers by keys. */
export function mapKeys(
  spec: MappingSpec,
  down: PartitionScheme | undefined,
  up: PartitionScheme | undefined,
  moment: PartitionMoment = LATER,
): Mapped {
  const downSet = resolvePartitions(down, moment);
  const upSet = resolvePartitions(up, moment);
  const resolved = resolveMapping(spec, { scheme: down, set: downSet }, { scheme: up, set: upSet });
  return {
    resolved,
    upstream: (key) => collect(upSet, (visit) => resolved.upstreamOf(downSet.ordinalOf(key), visit)),
    downstream: (key) => collect(downSet, (visit) => resolved.downstreamOf(upSet.ordinalOf(key), visit)),
    missing: (key) => resolved.missingOf(downSet.ordinalOf(key)),
  };
}

function collect(set: PartitionSet, ask: (visit: (from: number, to: number) => void) => void): string[] {
  const keys: string[] = [];
  ask((from, to) => {
    for (let ordinal = from; ordinal < to; ordinal++) keys.push(set.keyAt(ordinal));
  });
  return keys;
}
