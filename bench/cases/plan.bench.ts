// A plan of 100 assets with 10,000 partitions each, nothing materialized yet: a million entries, 2.4 million edges.
import { setImmediate as breath } from 'node:timers/promises';
import { Partitions } from '../../lib/partitions/partitions.js';
import { makePlan } from '../../lib/planning/plan.js';
import type { PlanningAsset, PlanningFacts } from '../../lib/planning/planning.port.js';
import { buildPlanningModel } from '../../lib/planning/planning-model.js';
import type { BenchCase } from '../bench.case.js';

const ASSETS = 100;
const PARTITIONS = 10_000;
const EDGES = 2_400_000;

/** Asset i consumes two or three assets before it, each by the same day: 240 dependencies in all. */
function declare(): PlanningAsset[] {
  const scheme = Partitions.daily({ start: '1970-01-01' });
  let left = EDGES / PARTITIONS;
  return Array.from({ length: ASSETS }, (_, index) => {
    const count = Math.min(index, left, index % 2 === 0 ? 2 : 3);
    left -= count;
    const dependencies = Array.from({ length: count }, (_unused, step) => ({
      alias: `input${step}`,
      upstream: `asset_${index - 1 - step}`,
      mapping: { kind: 'same' } as const,
      optional: false,
      ordering: false,
    }));
    return { key: `asset_${index}`, external: false, codeVersion: '1', scheme, dependencies };
  });
}

const nothingRecorded: PlanningFacts = {
  heads: (queries) => Promise.resolve(queries.map(() => new Map())),
  headsFrom: () => Promise.resolve({ heads: new Map(), next: null }),
  consumed: () => Promise.resolve(new Map()),
  breath: () => breath(),
  waits: () => Promise.resolve([]),
};

const bench: BenchCase = {
  title: 'plan of 100 assets x 10,000 partitions, in memory',
  parts: {
    async plan() {
      const assets = declare();
      const now = new Date(Date.UTC(1970, 0, 1) + PARTITIONS * 86_400_000);
      const before = process.memoryUsage.rss();
      const start = performance.now();
      const model = buildPlanningModel(assets, { now, dynamicKeys: () => [], customKeys: () => [] });
      const targets = assets.map(({ key }) => ({ asset: key, partitions: 'all' as const }));
      const request = { targets, upstream: 'stale', downstream: false, force: false } as const;
      const plan = await makePlan(model, nothingRecorded, request);
      const seconds = (performance.now() - start) / 1000;
      const megabytes = (process.resourceUsage().maxRSS * 1024 - before) / 1e6;
      if (plan.size !== ASSETS * PARTITIONS) throw new Error(`the plan has ${plan.size} entries`);
      const edges = plan.edges.upstreams.length;
      if (edges !== EDGES) throw new Error(`the plan has ${edges} edges`);
      return { seconds, megabytes };
    },
  },
  measures: [
    { name: 'time', unit: 's', ours: 'seconds', atMost: 1 },
    { name: 'memory for it', unit: 'MB', ours: 'megabytes', atMost: 150 },
  ],
};

export default bench;
