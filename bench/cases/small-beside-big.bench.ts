// How long a run of one materialization waits for its start while a run of 500,000 is planned, inserted and executed
// by the same process.
import { setTimeout as wait } from 'node:timers/promises';
import { Asset, Partitions, type AssetContext, type FlowStoneService } from '../../lib/index.js';
import { freshDatabase } from '../../test/services/services.js';
import type { BenchCase, Figures } from '../bench.case.js';
import { withApplication } from '../measured-run.js';
import { independent } from '../no-op.assets.js';

/** Small runs asked for once the big one is planned, at most; a quarter of them before it ends. */
const SAMPLES = 200;
/** One small run is due every so many ms, whatever became of those before it, so that a standstill delays many. */
const EVERY_MS = 50;

const begun = new Map<string, number>();

/** A partition for each small run, since runs of one partition wait for each other. More than are ever asked for. */
@Asset({ partitions: Partitions.static(Array.from({ length: 10_000 }, (_, index) => String(index))) })
class Small {
  execute(context: AssetContext): void {
    begun.set(context.partition.key, performance.now());
  }
}

/** Milliseconds from when a small run was due to the asset's own code. */
async function startOf(flowstone: FlowStoneService, partition: string, due: number): Promise<number> {
  const run = await flowstone.materialize(Small, { partition });
  await run.wait();
  return (begun.get(partition) ?? Number.NaN) - due;
}

async function measureBeside(flowstone: FlowStoneService, big: string, samples: number): Promise<Figures> {
  const run = await flowstone.materialize(big, { partitions: 'all' });
  const first = performance.now();
  const starts: Promise<number>[] = [];
  let planned = 0;
  while (starts.length - planned < samples) {
    const due = first + starts.length * EVERY_MS;
    await wait(Math.max(0, due - performance.now()));
    starts.push(startOf(flowstone, String(starts.length), due));
    const { status } = await run.view();
    if (status === 'planning') planned = starts.length;
    else if (status !== 'running') break;
  }
  const waits = await Promise.all(starts);
  await run.cancel();
  const executed = waits.length - planned;
  if (executed < samples / 4) throw new Error(`The big run ended beside ${executed} of ${samples} small ones.`);
  return {
    p99: percentile(waits, 0.99),
    p50: percentile(waits, 0.5),
    p99WhilePlanned: percentile(waits.slice(0, planned), 0.99),
    p99WhileExecuted: percentile(waits.slice(planned), 0.99),
    samples: waits.length,
  };
}

function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;
}

async function measure(size: number, samples: number): Promise<Figures> {
  const { assets, runs } = independent(size);
  const work = { assets: [...assets, Small], runs, runSize: size };
  const database = await freshDatabase();
  try {
    return await withApplication(work, { storage: { url: database.url } }, (flowstone) =>
      measureBeside(flowstone, runs[0] ?? '', samples),
    );
  } finally {
    await database.drop();
  }
}

const bench: BenchCase = {
  title: 'materialize() to user code of small runs, 20 a second, beside a run of 500,000',
  parts: { beside: ({ smoke }) => measure(smoke ? 20_000 : 500_000, smoke ? 4 : SAMPLES) },
  measures: [{ name: 'p99', unit: 'ms', ours: 'p99', atMost: 250 }],
};

export default bench;
