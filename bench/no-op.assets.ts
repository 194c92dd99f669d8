// Assets that do nothing and store nothing: what is left to measure is planning, ledger and execution around them.
// How they are materialized and measured: measured-run.ts.
import { after, Asset, DependsOn, Partitions, window } from '../lib/index.js';

/** A class that does nothing, or only what a case gives it to do. */
export type BenchAsset = new () => { execute(): void | Promise<void> };

/** Assets, and the runs that materialize all of them, one after the other. */
export interface Work {
  readonly assets: readonly BenchAsset[];
  /** Selections, each one run of `runSize` materializations. */
  readonly runs: readonly string[];
  readonly runSize: number;
}

/** Layers of a layered graph; each is as wide, so that one run is 100 x 100. */
const LAYERS = 100;
export const LAYERED_RUN = LAYERS * LAYERS;

/** One asset of so many partitions that know nothing of each other, in one run. */
export function independent(count: number, execute?: () => Promise<void>): Work {
  return { assets: [declare('independent', 'all', count, execute)], runs: ['independent'], runSize: count };
}

/** Graphs of 100 layers of 100; each layer but the first waits for three of the one above. A run for each graph. */
export function layered(graphs = 1, width = LAYERS): Work {
  const groups = Array.from({ length: graphs }, (_, index) => `graph${index}`);
  return {
    assets: groups.flatMap((group) => layers(group, width)),
    runs: groups.map((group) => `group:${group}`),
    runSize: LAYERS * width,
  };
}

function layers(group: string, width: number): BenchAsset[] {
  const assets: BenchAsset[] = [];
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const above = assets.at(-1);
    const asset = declare(`${group}_layer_${layer}`, group, width);
    if (above) DependsOn({ above: after(window(above, { start: -1, end: 1, allowMissing: true })) })(asset);
    assets.push(asset);
  }
  return assets;
}

function declare(name: string, group: string, hours: number, execute?: () => Promise<void>): BenchAsset {
  const start = Date.UTC(1900, 0, 1);
  const end = new Date(start + hours * 3_600_000).toISOString().slice(0, 13);
  const asset = class {
    execute(): void | Promise<void> {
      return execute?.();
    }
  };
  Asset({ name, group, partitions: Partitions.hourly({ start: '1900-01-01T00', end }) })(asset);
  return asset;
}
