// Ten million rows through an asset, in and out, none of them kept: memory above that of the application at rest.
import { Asset, DependsOn, type Rows } from '../../lib/index.js';
import type { BenchCase, Figures, Surroundings } from '../bench.case.js';
import { departures, departureSum, DEPARTURES, type Departure } from '../departures.js';
import { withApplication } from '../measured-run.js';

const countOf = (smoke: boolean): number => (smoke ? 60_000 : 10_000_000);

/** Assets that keep rows by a manager: one makes them, one passes them on, one looks at each. */
function assetsOf(manager: Readonly<Record<string, unknown>>, count: number) {
  @Asset({ name: 'made', ...manager })
  class Made {
    execute(): AsyncIterable<Departure> {
      return departures(count);
    }
  }

  @Asset({ name: 'passed_on', ...manager })
  @DependsOn({ rows: Made })
  class PassedOn {
    async *execute(_: unknown, { rows }: { rows: Rows<Departure> }): AsyncGenerator<Departure> {
      for await (const row of rows) yield { ...row, distance: row.distance + 1 };
    }
  }

  @Asset({ name: 'looked_at', io: 'memory' })
  @DependsOn({ rows: PassedOn })
  class LookedAt {
    async execute(_: unknown, { rows }: { rows: Rows<Departure> }): Promise<number> {
      let sum = 0;
      for await (const { distance } of rows) sum += distance;
      if (sum !== departureSum(count) + count) throw new Error('the rows at the end are not those of the beginning');
      return sum;
    }
  }

  return [Made, PassedOn, LookedAt];
}

/** MB above what the application has once it has begun, and how fast rows came from the first asset to the last. */
async function stream(
  manager: Readonly<Record<string, unknown>>,
  { directory, smoke }: Surroundings,
): Promise<Figures> {
  const count = countOf(smoke);
  const assets = assetsOf(manager, count);
  return withApplication({ assets }, { storage: 'memory', directory }, async (flowstone) => {
    const base = process.memoryUsage.rss();
    const start = performance.now();
    await (await flowstone.materialize('*')).wait();
    const rate = count / ((performance.now() - start) / 1000);
    return { added: process.resourceUsage().maxRSS / 1024 - base / 1024 ** 2, base: base / 1024 ** 2, rate };
  });
}

const bench: BenchCase = {
  title: '10,000,000 rows streamed into an asset, through a second and out of it: memory above the application at rest',
  // Each takes minutes, and memory hardly varies.
  rounds: 1,
  parts: {
    async parquet(surroundings) {
      const { added, base, rate } = await stream({ io: 'parquet', schema: DEPARTURES }, surroundings);
      return { parquet: added!, 'parquet.base': base!, 'parquet.rate': rate! };
    },
  },
  measures: [{ name: 'Parquet', unit: 'MB', ours: 'parquet', atMost: 300 }],
};

export default bench;
