// Recorded provenance over ten million edges: 100 assets of 20,300 hours, each hour of five of the asset before it.
import { Asset, DependsOn, Partitions, window, type LineageTrace } from '../../lib/index.js';
import { freshDatabase } from '../../test/services/services.js';
import type { BenchCase } from '../bench.case.js';
import { withApplication } from '../measured-run.js';
import type { BenchAsset } from '../no-op.assets.js';
import { askOften, FIRST_HOUR, recordLineage, type RecordedAsset } from '../recorded-lineage.js';

const LAYERS = 100;
const HOURS = 20_300;
const REACH = 2;
const DEPTH = 10;
const QUESTIONS = 1000;
// Until then its code is compiled and the pages it needs are in memory: the first hundreds have a long tail.
const WARM_UPS = 1000;

const nameOf = (layer: number): string => `layer_${layer}`;

function declareLayers(hours: number): BenchAsset[] {
  const end = new Date(Date.parse(`${FIRST_HOUR}:00Z`) + hours * 3_600_000).toISOString().slice(0, 13);
  const partitions = Partitions.hourly({ start: FIRST_HOUR, end });
  const assets: BenchAsset[] = [];
  for (let layer = 0; layer < LAYERS; layer++) {
    const above = assets.at(-1);
    const asset = class {
      execute(): void {}
    };
    if (above) DependsOn({ above: window(above, { start: -REACH, end: REACH, allowMissing: true }) })(asset);
    Asset({ name: nameOf(layer), partitions })(asset);
    assets.push(asset);
  }
  return assets;
}

/** Away from the ends every walk meets as many: a layer d steps away has 2 * d * REACH + 1 of them. */
function requireWhole({ nodes, edges, truncated }: LineageTrace): void {
  let expanded = 0;
  let met = 0;
  for (let step = 0; step <= DEPTH; step++) {
    met += 2 * step * REACH + 1;
    if (step < DEPTH) expanded += 2 * step * REACH + 1;
  }
  if (nodes.length === met && edges.length === expanded * (2 * REACH + 1) && !truncated) return;
  throw new Error(`met ${nodes.length} of ${met} versions by ${edges.length} edges`);
}

const bench: BenchCase = {
  title: 'lineage over 10,000,000 edges, 10 steps: p95 of a question',
  parts: {
    async lineage({ smoke }) {
      const hours = smoke ? 100 : HOURS;
      const database = await freshDatabase();
      try {
        return await withApplication(
          { assets: declareLayers(hours) },
          { storage: { url: database.url } },
          async ({ lineage }) => {
            await recordLineage(
              database.url,
              Array.from({ length: LAYERS }, (_, layer): RecordedAsset => ({
                key: nameOf(layer),
                hours,
                ...(layer > 0 && { consumes: { asset: layer - 1, reach: REACH } }),
              })),
            );
            const margin = DEPTH * REACH;
            const place = (
              round: number,
              first: number,
            ): [asset: string, options: { partition: string; depth: number }] => {
              const layer = first + ((round * 7919) % (LAYERS - DEPTH));
              const hour = margin + ((round * 104_729) % (hours - 2 * margin));
              const key = new Date(Date.parse(`${FIRST_HOUR}:00Z`) + hour * 3_600_000).toISOString().slice(0, 13);
              return [nameOf(layer), { partition: key, depth: DEPTH }];
            };
            const often = smoke ? { times: 10, warmUps: 1 } : { times: QUESTIONS, warmUps: WARM_UPS };
            return {
              ...(await askOften('upstream', database.url, often, async (round) =>
                requireWhole(await lineage.upstream(...place(round, DEPTH))),
              )),
              ...(await askOften('downstream', database.url, often, async (round) =>
                requireWhole(await lineage.downstream(...place(round, 0))),
              )),
            };
          },
        );
      } finally {
        await database.drop();
      }
    },
  },
  measures: [
    { name: 'upstream', unit: 'ms', ours: 'upstream', atMost: 10 },
    { name: 'downstream', unit: 'ms', ours: 'downstream', atMost: 10 },
  ],
};

export default bench;
