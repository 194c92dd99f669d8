// Assets that do nothing and store nothing: what is left to measure is planning, ledger and execution around them.
// How they are materialized and measured: measured-run.ts.
import { after, Asset, DependsOn, Partitions, window, type AssetContext } from '../lib/index.js';

/** A class that stores nothing, and does nothing but what a case gives it to do. */
export type BenchAsset = new () => { execute(context: AssetContext): void | Promise<void> };

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

/**
 * Graphs of 100 layers of 100, or of another width; each partition but those of the first layer waits for three of the
 * layer above. A run for each graph.
 */
export function layered(graphs = 1, width = LAYERS, name = 'graph', execute?: () => Promise<void>): Work {
  const groups = Array.from({ length: graphs }, (_, index) => `${name}${index}`);
  return {
    assets: groups.flatMap((group) => layers(group, width, execute)),
    runs: groups.map((group) => `group:${group}`),
    runSize: LAYERS * width,
  };
}

function layers(group: string, width: number, execute?: () => Promise<void>): BenchAsset[] {
  const assets: BenchAsset[] = [];
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const above = assets.at(-1);
    const asset = declare(`${group}_layer_${layer}`, group, width, execute);
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
