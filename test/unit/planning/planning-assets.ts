// Short ways to declare assets for tests of planning.

import type { PlanningAsset, PlanningDependency } from '../../../lib/planning/planning.port.js';
import type { PartitionMoment } from '../../../lib/partitions/partition-set.js';
import { Partitions } from '../../../lib/partitions/partitions.js';

/** Five days exist: 1 to 5 January. */
export const DAYS = ['2001-01-01', '2001-01-02', '2001-01-03', '2001-01-04', '2001-01-05'] as const;
export const daily = Partitions.daily({ start: DAYS[0], end: '2001-01-06' });

export const moment: PartitionMoment = {
  now: new Date('2002-01-01T00:00:00Z'),
  dynamicKeys: () => [],
  customKeys: () => [],
};

export function on(upstream: string, details: Partial<PlanningDependency> = {}): PlanningDependency {
  return { alias: upstream, upstream, mapping: { kind: 'same' }, optional: false, ordering: false, ...details };
}

export function asset(key: string, details: Partial<Omit<PlanningAsset, 'key'>> = {}): PlanningAsset {
  return { key, external: false, codeVersion: undefined, scheme: undefined, dependencies: [], ...details };
}
