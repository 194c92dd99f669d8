// What impact() says against what the planner then has computed again, on random graphs, mappings and histories.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { namedPartitions } from '../../lib/lineage/affected.js';
import { findImpact, type Impact, type ImpactEntry } from '../../lib/lineage/impact.js';
import { mustRun } from '../../lib/planning/must-run.js';
import { makePlan, type Plan, type PlanRequest } from '../../lib/planning/plan.js';
import { buildPlanningModel } from '../../lib/planning/planning-model.js';
import { declarations, happenings, World } from './planning-world.js';

const often = { numRuns: 400 };

const name = ({ asset, partition }: { asset: string; partition: string }): string => `${asset}[${partition}]`;

function worldAfter(assets: World['assets'], events: Parameters<World['happen']>[0][]): World {
  const world = new World(assets);
  for (const event of events) world.happen(event);
  return world;
}
const worlds = fc.tuple(declarations, happenings).map(([assets, events]) => worldAfter(assets, [...events]));
/** Of which asset, and which of its partitions change: one, or all from one on. */
const changes = fc.record({ asset: fc.nat(5), partition: fc.nat(20), on: fc.boolean() });

function changeOf(
  world: World,
  { asset: pick, partition, on }: typeof changes extends fc.Arbitrary<infer C> ? C : never,
) {
  const asset = world.assets[pick % world.assets.length]!;
  const keys = world.partitionsOf(asset);
  const at = partition % Math.max(1, keys.length);
  return { asset, keys: on ? keys.slice(at) : keys.slice(at, at + 1) };
}

async function impactOf(
  world: World,
  { asset, keys }: ReturnType<typeof changeOf>,
): Promise<{ impact: Impact; entries: ImpactEntry[] }> {
  const model = buildPlanningModel(world.assets, world.moment);
  const recorded = {
    facts: world.facts,
    durations: () => Promise.resolve(new Map([['a0', [5, 1, 3]]])),
    headConsumers: () => Promise.resolve([]),
  };
  const impact = await findImpact(model, recorded, namedPartitions(model, asset.key, { partitions: keys }));
  const entries: ImpactEntry[] = [];
  // Small pages, so that every beginning and end is met.
  for (let from: number | null = 0; from !== null;) {
    const page = await impact.entries({ from, limit: 3 });
    entries.push(...page.items);
    from = page.next;
  }
  return { impact, entries };
}

function planOf(world: World, targets: PlanRequest['targets'], force: boolean): Promise<Plan> {
  const model = buildPlanningModel(world.assets, world.moment);
  return makePlan(model, world.facts, { targets, upstream: 'stale', downstream: true, force });
}

/** The entries that cannot run, or wait for such. */
function unableIn(plan: Plan): Set<number> {
  const unable = new Set<number>();
  const { starts, upstreams } = plan.edges;
  for (const { index, blocked } of plan.entries()) {
    const above = upstreams.subarray(starts[index], starts[index + 1]);
    if (blocked !== undefined || above.some((upstream) => unable.has(upstream))) unable.add(index);
  }
  return unable;
}

let versions = 0;

/** Runs a plan, looking again before each entry; returns what was computed, in order. `same`: some values stay as they are. */
function run(world: World, plan: Plan, same: (name: string) => boolean): string[] {
  const unable = unableIn(plan);
  const computed: string[] = [];
  for (const entry of plan.entries()) {
    if (unable.has(entry.index)) continue;
    const asset = world.asset(entry.asset);
    const inputs = world.inputs(asset, entry.partition);
    if (!entry.forced && !mustRun(asset, world.facts.head(entry.asset, entry.partition), inputs)) continue;
    const before = world.facts.version(entry.asset, entry.partition)?.dataVersion;
    const version = before !== undefined && same(name(entry)) ? before : `new ${++versions}`;
    world.facts.materialize(asset, entry.partition, version, inputs);
    computed.push(name(entry));
  }
  return computed;
}

/**
 * Changes the partitions, then has everything computed that follows. Returns what was, without the changed ones. What is
 * external is reported, and what follows from it named; what could not be computed itself is no case.
 */
async function change(
  world: World,
  { asset, keys }: ReturnType<typeof changeOf>,
  entries: readonly ImpactEntry[],
  same: (name: string) => boolean = () => false,
): Promise<string[]> {
  const changed = new Set(keys.map((partition) => name({ asset: asset.key, partition })));
  if (asset.external) for (const key of keys) world.facts.materialize(asset, key, `new ${++versions}`);
  const followers = entries.map((entry) => ({ asset: entry.asset, partitions: { keys: [entry.partition] } }));
  const targets = asset.external ? followers : [{ asset: asset.key, partitions: { keys } }];
  const plan = await planOf(world, targets, !asset.external);
  const unable = unableIn(plan);
  fc.pre(![...plan.entries()].some((entry) => changed.has(name(entry)) && unable.has(entry.index)));
  const computed = run(world, plan, (place) => !changed.has(place) && same(place));
  return computed.filter((place) => !changed.has(place));
}

/** Computes all that can be, each asset by itself, so that nothing is stale before the change. */
async function settle(world: World): Promise<void> {
  const computed = world.assets.filter(({ external }) => !external);
  for (let again = true; again;) {
    again = false;
    for (const { key } of computed) {
      const plan = await planOf(world, [{ asset: key, partitions: 'all' }], false);
      if (run(world, plan, () => false).length > 0) again = true;
    }
  }
}

describe('the impact of a change', () => {
  it('is what is computed again when every value changes, in that order', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, changes, async (world, picked) => {
        await settle(world);
        const changed = changeOf(world, picked);
        const { entries } = await impactOf(world, changed);
        const computed = await change(world, changed, entries);
        const able = entries.filter(({ unable }) => !unable).map(name);
        expect(able.toSorted()).toEqual(computed.toSorted());
        expect(new Set(entries.map(name)).size).toBe(entries.length);
      }),
      often,
    );
  });

  it('contains what is computed again when some values come out as before', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, changes, fc.integer(), async (world, picked, seed) => {
        await settle(world);
        const changed = changeOf(world, picked);
        const { entries } = await impactOf(world, changed);
        const isSame = (place: string) => (place.length * 7 + place.charCodeAt(1) + seed) % 2 === 0;
        const computed = await change(world, changed, entries, isSame);
        const impact = new Set(entries.map(name));
        expect(computed.filter((place) => !impact.has(place))).toEqual([]);
      }),
      often,
    );
  });

  it('is the part of what is computed that follows from the change, whatever else is stale or missing', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, changes, async (world, picked) => {
        const changed = changeOf(world, picked);
        const { entries } = await impactOf(world, changed);
        const computed = new Set(await change(world, changed, entries));
        const able = entries.filter(({ unable }) => !unable).map(name);
        expect(able.filter((place) => !computed.has(place))).toEqual([]);
        const unable = entries.filter((entry) => entry.unable).map(name);
        expect(unable.filter((place) => computed.has(place))).toEqual([]);
      }),
      often,
    );
  });

  it('lists each partition after those of it that it consumes, with its status, and counts them', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, changes, async (world, picked) => {
        const { impact, entries } = await impactOf(world, changeOf(world, picked));
        const placeOf = new Map(entries.map((entry) => [name(entry), entry.index]));
        expect(entries.map(({ index }) => index)).toEqual(entries.map((_, at) => at));
        for (const { index, asset: key, partition, state } of entries) {
          const declared = world.asset(key);
          expect(state).toBe(world.status(declared, partition));
          for (const dependency of declared.dependencies) {
            for (const upstream of world.named(declared, dependency, partition).exist) {
              expect(placeOf.get(name({ asset: dependency.upstream, partition: upstream })) ?? -1).toBeLessThan(index);
            }
          }
        }
        expect(impact.size).toBe(entries.length);
        const counted = impact.assets.map((part) => [part.asset, part.partitions]);
        const counts = new Map<string, number>();
        for (const entry of entries) counts.set(entry.asset, (counts.get(entry.asset) ?? 0) + 1);
        expect(new Map(counted as [string, number][])).toEqual(counts);
        for (const { asset: key, ranges, partitions } of impact.assets) {
          expect(ranges.reduce((sum, { count }) => sum + count, 0)).toBe(partitions);
          for (const { from, to } of ranges) {
            expect([
              placeOf.has(name({ asset: key, partition: from })),
              placeOf.has(name({ asset: key, partition: to })),
            ]).toEqual([true, true]);
          }
        }
      }),
      often,
    );
  });
});
