// What would follow from a change, 100,000 partitions of it, everything recorded: of one partition that a chain of assets
// depends on, and of as many. With a page of single ones, as who looks at it asks for.
import { Asset, DependsOn, Partitions, type Impact } from '../../lib/index.js';
import { freshDatabase } from '../../test/services/services.js';
import type { BenchCase, Figures } from '../bench.case.js';
import { withApplication } from '../measured-run.js';
import type { BenchAsset } from '../no-op.assets.js';
import { askOften, FIRST_HOUR, recordLineage, type RecordedAsset } from '../recorded-lineage.js';

const AFFECTED = 100_000;
const CHAIN = 10;
const QUESTIONS = 40;
const WARM_UPS = 3;

/** A chain of assets of so many hours each, whose first consumes the one before it. */
function declareChain(hours: number, length: number, before: BenchAsset | undefined): BenchAsset[] {
  const end = new Date(Date.parse(`${FIRST_HOUR}:00Z`) + hours * 3_600_000).toISOString().slice(0, 13);
  const partitions = Partitions.hourly({ start: FIRST_HOUR, end });
  const assets: BenchAsset[] = [];
  for (let index = 0; index < length; index++) {
    const above = assets.at(-1) ?? before;
    const asset = class {
      execute(): void {}
    };
    if (above) DependsOn({ above })(asset);
    Asset({ name: `link_${index}`, partitions })(asset);
    assets.push(asset);
  }
  return assets;
}

@Asset({ name: 'source' })
class Source {
  execute(): void {}
}

async function measure(
  name: string,
  assets: readonly BenchAsset[],
  recorded: readonly RecordedAsset[],
  affected: number,
  smoke: boolean,
): Promise<Figures> {
  const database = await freshDatabase();
  try {
    return await withApplication({ assets }, { storage: { url: database.url } }, async ({ lineage }) => {
      await recordLineage(database.url, recorded);
      const look = async (): Promise<Impact> => {
        const impact = await lineage.impact(recorded[0]!.key);
        const { items } = await impact.entries({ limit: 100 });
        if (items.some(({ cost }) => cost === null)) throw new Error('a cost is missing');
        return impact;
      };
      const { size } = await look();
      if (size !== affected) throw new Error(`the impact is ${size} partitions`);
      const often = smoke ? { times: 1, warmUps: 0 } : { times: QUESTIONS, warmUps: WARM_UPS };
      return askOften(name, database.url, often, async () => void (await look()));
    });
  } finally {
    await database.drop();
  }
}

const bench: BenchCase = {
  title: `impact of a change on 100,000 partitions: counts, ranges, costs, and the first 100 one by one; p95`,
  parts: {
    async one({ smoke }) {
      const hours = (smoke ? 1000 : AFFECTED) / CHAIN;
      const recorded = Array.from({ length: CHAIN }, (_, index): RecordedAsset => ({
        key: `link_${index}`,
        hours,
        ...(index > 0 && { consumes: { asset: index, reach: 0 } }),
      }));
      const assets = [Source, ...declareChain(hours, CHAIN, Source)];
      return measure('one', assets, [{ key: 'source' }, ...recorded], hours * CHAIN, smoke);
    },
    async many({ smoke }) {
      const hours = smoke ? 1000 : AFFECTED;
      const recorded: RecordedAsset[] = [
        { key: 'link_0', hours },
        { key: 'link_1', hours, consumes: { asset: 0, reach: 0 } },
      ];
      return measure('many', declareChain(hours, 2, undefined), recorded, hours, smoke);
    },
  },
  measures: [
    { name: 'of one partition', unit: 'ms', ours: 'one', atMost: 300 },
    { name: 'of 100,000 partitions', unit: 'ms', ours: 'many', atMost: 300 },
  ],
};

export default bench;
