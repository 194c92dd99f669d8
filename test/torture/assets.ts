// The assets under torture: layers, partitions of every kind, fan-ins, batches, streams, retries, failures, timeouts; values
// in files, documents and a table.
import { setTimeout as pause } from 'node:timers/promises';
import { IsInt } from 'class-validator';
import {
  after,
  all,
  Asset,
  type AssetContext,
  type BatchContext,
  type BatchItem,
  type BatchResults,
  Checkpoint,
  type Decision,
  DependsOn,
  type InputsOf,
  type PartitionedInput,
  Partitions,
  previous,
  type Rows,
  within,
} from '../../lib/index.js';
import { materializationOf, testify, type Witness, type WitnessRow } from './evidence.js';
import { Random } from './random.js';

/** Name of the dynamic scheme whose keys come and go. */
export const SITES = 'sites';

/** A pool that so many may begin in, and so many of each site. */
export const SURVEY = { pool: 'survey', rate: '60/s', perSite: '4/s' } as const;

/** A pool, and how many of it may run at once. Only one asset is in it. */
export const PRESS = { pool: 'press', asset: 'plate', concurrency: 3 } as const;

/** The same, of batches. */
export const FURNACE = { pool: 'furnace', asset: 'ingot', concurrency: 2 } as const;

/** What reviewers give instead. */
class Verdict {
  @IsInt()
  grade!: number;
}

const world = { random: new Random(0), evidence: '.' };

/** Says where executions leave their evidence, and what their chance is. To be called before anything executes. */
export function prepareAssets(evidence: string, seed: number): void {
  world.evidence = evidence;
  world.random = new Random(seed);
}

interface Nature {
  /** Longest time it takes, ms. */
  readonly takes?: number;
  /** How often an attempt fails. */
  readonly fails?: number;
  /** How many different data versions it has; without: each value is new. */
  readonly versions?: number;
}

/** What every execution does: testify, take its time, perhaps fail, say its version. */
async function work(context: AssetContext, seen: readonly Witness[], nature: Nature = {}): Promise<Witness> {
  const { takes = 20, fails = 0, versions } = nature;
  testify(world.evidence, context);
  await pause(world.random.between(0, takes));
  if (world.random.chance(fails)) throw new Error('chance would have it so');
  context.report({
    metadata: { epoch: context.epoch, pid: process.pid },
    ...(versions !== undefined && { dataVersion: `v${Math.floor(world.random.between(0, versions))}` }),
  });
  const ids = new Set(seen.map(({ id }) => id));
  return { id: materializationOf(context), epoch: context.epoch, seen: [...ids].sort((a, b) => a - b) };
}

async function collected(inputs: PartitionedInput<Witness>): Promise<Witness[]> {
  const found: Witness[] = [];
  for await (const [, witness] of inputs) found.push(witness);
  return found;
}

/** A stream's witness is in its first row. */
async function firstOf(rows: AsyncIterable<WitnessRow>): Promise<Witness> {
  for await (const { id, epoch, seen } of rows) return { id, epoch, seen: JSON.parse(seen) as number[] };
  throw new Error('a stream without rows');
}

const TWELVE = Array.from({ length: 12 }, (_, index) => `p${index}`);

@Asset({ partitions: Partitions.static(TWELVE), io: 'postgres' })
class Ore {
  execute(context: AssetContext): Promise<Witness> {
    return work(context, [], { versions: 4 });
  }
}

const oreOnly = { ore: Ore };
const ingotRetry = { attempts: 5, delay: 50, factor: 2, max: 500 };
@Asset({ partitions: 'inherit', batch: { size: 5 }, retry: ingotRetry, pool: FURNACE.pool })
@DependsOn(oreOnly)
class Ingot {
  async *executeMany(
    context: BatchContext,
    items: readonly BatchItem<InputsOf<typeof oreOnly>>[],
  ): BatchResults<Witness> {
    for (const item of items) testify(world.evidence, item);
    for (const { partition, inputs, ...item } of items) {
      await pause(world.random.between(0, 20));
      if (world.random.chance(0.02)) throw new Error('chance would have it so');
      if (world.random.chance(0.02)) continue;
      if (world.random.chance(0.1)) context.fail(partition.key, new Error('chance would have it so'));
      else {
        context.report(partition.key, { metadata: { epoch: item.epoch, pid: process.pid } });
        yield [partition.key, { id: materializationOf(item), epoch: item.epoch, seen: [inputs.ore.id] }];
      }
    }
  }
}

const ingotOnly = { ingot: Ingot };
@Asset({ partitions: 'inherit', codeVersion: '1', priority: 2, pool: PRESS.pool })
@DependsOn(ingotOnly)
class Plate {
  execute(context: AssetContext, { ingot }: InputsOf<typeof ingotOnly>): Promise<Witness> {
    return work(context, [ingot], { versions: 2, takes: 40 });
  }
}

const alloyInputs = { ingots: all(Ingot) };
@Asset()
@DependsOn(alloyInputs)
class Alloy {
  async execute(context: AssetContext, { ingots }: InputsOf<typeof alloyInputs>): Promise<Witness> {
    return work(context, await collected(ingots), { versions: 3 });
  }
}

const engineInputs = { alloy: Alloy, plates: all(Plate) };
@Asset({ retry: { attempts: 3, delay: 100 } })
@DependsOn(engineInputs)
class Engine {
  async execute(context: AssetContext, { alloy, plates }: InputsOf<typeof engineInputs>): Promise<Witness> {
    return work(context, [alloy, ...(await collected(plates))], { fails: 0.1 });
  }
}

@Asset()
@DependsOn({ engine: after(Engine) })
class Shipped {
  async execute(context: AssetContext): Promise<void> {
    await work(context, []);
  }
}

@Asset({
  partitions: Partitions.daily({ start: '2024-01-01', end: '2024-01-22' }),
  io: 'postgres',
  table: 'public.readings',
  columns: { id: 'integer', epoch: 'integer', seen: 'text', row: 'integer' },
})
class Reading {
  async *execute(context: AssetContext): AsyncGenerator<WitnessRow> {
    const { id, epoch, seen } = await work(context, []);
    for (let row = 0; row < 5; row++) yield { id, epoch, seen: JSON.stringify(seen), row };
  }
}

const totalInputs = { reading: Reading, before: previous<Witness>({ start: -1, end: -1 }) };
@Asset({ partitions: 'inherit', timeout: 400, retry: { attempts: 3, delay: 100 } })
@DependsOn(totalInputs)
class RunningTotal {
  async execute(context: AssetContext, { reading, before }: InputsOf<typeof totalInputs>): Promise<Witness> {
    const seen = [await firstOf(reading), ...(await collected(before))];
    return work(context, seen, { takes: world.random.chance(0.02) ? 1000 : 20, versions: 3 });
  }
}

const weekInputs = { days: within(RunningTotal) };
@Asset({ partitions: Partitions.weekly({ start: '2024-01-01', end: '2024-01-22' }) })
@DependsOn(weekInputs)
class WeekReport {
  async execute(context: AssetContext, { days }: InputsOf<typeof weekInputs>): Promise<Witness> {
    return work(context, await collected(days));
  }
}

@Asset({ partitions: Partitions.dynamic(SITES), retry: { attempts: 2, delay: 30 }, pool: SURVEY.pool })
class Site {
  execute(context: AssetContext): Promise<Witness> {
    return work(context, [], { fails: 0.05, versions: 5 });
  }
}

const sitesInputs = { sites: all(Site) };
@Asset()
@DependsOn(sitesInputs)
class SiteMap {
  async execute(context: AssetContext, { sites }: InputsOf<typeof sitesInputs>): Promise<Witness> {
    // What is pinned may be superseded meanwhile, and has to be there still.
    await pause(world.random.between(0, 500));
    return work(context, await collected(sites));
  }
}

@Asset({ partitions: Partitions.static(['a', 'b', 'c', 'd', 'e', 'f']) })
class Fragile {
  execute(context: AssetContext): Promise<Witness> {
    return work(context, [], { fails: 0.4 });
  }
}

const fragileOnly = { fragile: Fragile };
@Asset({ partitions: 'inherit' })
@DependsOn(fragileOnly)
class Doomed {
  execute(context: AssetContext, { fragile }: InputsOf<typeof fragileOnly>): Promise<Witness> {
    return work(context, [fragile]);
  }
}

/** Too slow at times: heeding its signal, not heeding it, or holding up the event loop. */
@Asset({ partitions: Partitions.static(['x', 'y', 'z']), timeout: 300, retry: { attempts: 3, delay: 50 } })
class Sluggish {
  async execute(context: AssetContext): Promise<Witness> {
    const witness = await work(context, []);
    if (world.random.chance(0.1)) await pause(1000, undefined, { signal: context.signal });
    if (world.random.chance(0.1)) await pause(1200);
    if (world.random.chance(0.03)) holdUp(world.random.between(300, 2500));
    return witness;
  }
}

/** One of some people decides, or those it is escalated to, or time; its input moves on while they think. */
@Checkpoint({
  partitions: 'inherit',
  timeout: '900ms',
  timeoutAction: 'escalate',
  escalation: [{ to: { roles: ['boss'] } }, { to: { users: ['person 3'] } }],
  assignees: { users: ['person 0', 'person 1', 'person 2'], roles: ['reviewer'] },
  modification: Verdict,
})
@DependsOn(oreOnly)
class Assay {
  async condition(context: AssetContext, _inputs: InputsOf<typeof oreOnly>): Promise<boolean> {
    testify(world.evidence, context);
    await pause(world.random.between(0, 20));
    return world.random.chance(0.8);
  }
  onSkip(context: AssetContext, { ore }: InputsOf<typeof oreOnly>): Witness {
    return decided(context, [ore]);
  }
  async onApprove(context: AssetContext, { ore }: InputsOf<typeof oreOnly>): Promise<Witness> {
    testify(world.evidence, context);
    await pause(world.random.between(0, 30));
    return decided(context, [ore]);
  }
  onModify(context: AssetContext, { ore }: InputsOf<typeof oreOnly>, _verdict: Decision<Verdict>): Witness {
    testify(world.evidence, context);
    return decided(context, [ore]);
  }
  onTimeout(context: AssetContext, { ore }: InputsOf<typeof oreOnly>): Witness {
    testify(world.evidence, context);
    return decided(context, [ore]);
  }
}

/** Two have to agree, within a time that is extended once; what it asks about is in a table, of which only the newest is kept. */
@Checkpoint({
  partitions: 'inherit',
  quorum: 2,
  timeout: '1s',
  timeoutAction: 'extend',
  retry: { attempts: 3, delay: 50 },
})
@DependsOn({ reading: Reading })
class Audited {
  async onApprove(context: AssetContext, { reading }: { reading: Rows<WitnessRow> }): Promise<Witness> {
    testify(world.evidence, context);
    const seen = await firstOf(reading);
    if (world.random.chance(0.1)) throw new Error('chance would have it so');
    return decided(context, [seen]);
  }
}

const sealedInputs = { assays: all(Assay) };
@Asset()
@DependsOn(sealedInputs)
class Sealed {
  async execute(context: AssetContext, { assays }: InputsOf<typeof sealedInputs>): Promise<Witness> {
    return work(context, await collected(assays));
  }
}

/** What a decision makes of these. */
function decided(context: AssetContext, seen: readonly Witness[]): Witness {
  context.report({ metadata: { epoch: context.epoch, pid: process.pid } });
  return { id: materializationOf(context), epoch: context.epoch, seen: seen.map(({ id }) => id) };
}

function holdUp(duration: number): void {
  const until = performance.now() + duration;
  while (performance.now() < until);
}

/** All of them by key. */
export const ASSETS = {
  ore: Ore,
  ingot: Ingot,
  plate: Plate,
  alloy: Alloy,
  engine: Engine,
  shipped: Shipped,
  reading: Reading,
  running_total: RunningTotal,
  week_report: WeekReport,
  site: Site,
  site_map: SiteMap,
  fragile: Fragile,
  doomed: Doomed,
  sluggish: Sluggish,
  assay: Assay,
  audited: Audited,
  sealed: Sealed,
} as const;

export type AssetKey = keyof typeof ASSETS;
