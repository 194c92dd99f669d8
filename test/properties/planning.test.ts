import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { inputsFingerprint } from '../../lib/planning/inputs-fingerprint.js';
import { mustRun } from '../../lib/planning/must-run.js';
import type { Plan, PlanEntry, PlanRequest } from '../../lib/planning/plan.js';
import { makePlan } from '../../lib/planning/plan.js';
import { buildPlanningModel } from '../../lib/planning/planning-model.js';
import type { PlanningFacts } from '../../lib/planning/planning.port.js';
import { STATE_NAMES } from '../../lib/planning/node-states.js';
import { readQuickStates } from '../../lib/planning/quick-status.js';
import { readStatus, summarizeStatus } from '../../lib/planning/status.js';
import { declarations, happenings, World } from './planning-world.js';

const often = { numRuns: 300 };

function worldAfter(assets: World['assets'], events: Parameters<World['happen']>[0][]): World {
  const world = new World(assets);
  for (const event of events) world.happen(event);
  return world;
}
const worlds = fc.tuple(declarations, happenings).map(([assets, events]) => worldAfter(assets, [...events]));

const modes = fc.record({
  upstream: fc.constantFrom('stale', 'stale', 'all', 'none'),
  downstream: fc.boolean(),
  force: fc.boolean(),
});

/** Targets by picks: an asset, and one of its partitions or all of them. */
const picks = fc.array(fc.tuple(fc.nat(5), fc.option(fc.nat(20), { freq: 2 })), { minLength: 1, maxLength: 3 });

function requestOf(world: World, mode: Omit<PlanRequest, 'targets'>, picked: [number, number | null][]): PlanRequest {
  const targets = picked.map(([pick, partition]) => {
    const asset = world.assets[pick % world.assets.length]!;
    const keys = world.partitionsOf(asset);
    const chosen = partition === null ? undefined : keys[partition % Math.max(1, keys.length)];
    return { asset: asset.key, partitions: chosen === undefined ? ('all' as const) : { keys: [chosen] } };
  });
  return { ...mode, targets };
}

const name = ({ asset, partition }: { asset: string; partition: string }): string => `${asset}[${partition}]`;

function upstreamsIn(plan: Plan, index: number): number[] {
  return [...plan.edges.upstreams.subarray(plan.edges.starts[index], plan.edges.starts[index + 1])];
}

describe('status', () => {
  it('equals that of a naive model after whatever happened', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async (world) => {
        const model = buildPlanningModel(world.assets, world.moment);
        for (const asset of world.assets) {
          const counts = { missing: 0, stale: 0, fresh: 0 };
          for (const partition of world.partitionsOf(asset)) {
            const expected = world.status(asset, partition);
            counts[expected]++;
            const { state, reasons } = await readStatus(model, world.facts, asset.key, partition);
            expect([asset.key, partition, state]).toEqual([asset.key, partition, expected]);
            expect(reasons.length === 0).toBe(state === 'fresh');
            expect(reasons.map(({ kind }) => kind)).not.toContain('inputs_changed');
          }
          expect(await summarizeStatus(model, world.facts, asset.key)).toMatchObject(counts);
        }
      }),
      often,
    );
  });
});

describe('the status of a large asset, from summaries', () => {
  it('equals that from all heads, after whatever happened since they were kept', async () => {
    const told = { quickly: 0, notAtAll: 0 };
    await fc.assert(
      fc.asyncProperty(worlds, happenings, fc.constantFrom(1, 3, 10), async (world, later, from) => {
        for (const events of [[], later, later.toReversed()]) {
          for (const event of events) world.happen(event);
          const model = buildPlanningModel(world.assets, world.moment);
          for (const [index, { key }] of world.assets.entries()) {
            const facts = { ...factsOf(world), summaries: world.facts.store };
            const quick = await readQuickStates(model, facts, index, from);
            if (quick === undefined) {
              told.notAtAll++;
              continue;
            }
            told.quickly++;
            const { missing, stale, fresh, failed, ranges } = await summarizeStatus(model, world.facts, key);
            const states = ranges.flatMap(({ state, count }) => Array<string>(count).fill(state));
            expect([key, Array.from(quick.states, (state) => STATE_NAMES[state])]).toEqual([key, states]);
            expect([quick.failed, states.length]).toEqual([failed, missing + stale + fresh]);
          }
        }
      }),
      often,
    );
    expect(told.quickly).toBeGreaterThan(told.notAtAll);
  });
});

function factsOf({ facts }: World): PlanningFacts {
  return {
    heads: (queries) => facts.heads(queries),
    headsFrom: (...page) => facts.headsFrom(...page),
    consumed: (ids) => facts.consumed(ids),
    breath: () => facts.breath(),
    waits: () => facts.waits(),
  };
}

describe('fingerprints', () => {
  it('are equal exactly for equal sets of inputs', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '1', ' ', ',', '"'), maxLength: 3 });
    const inputs = fc.uniqueArray(fc.record({ asset: text, partition: text, dataVersion: text }), {
      maxLength: 4,
      selector: ({ asset, partition }) => JSON.stringify([asset, partition]),
    });
    const asText = (set: readonly object[]) =>
      set
        .map((input) => JSON.stringify(Object.values(input)))
        .sort()
        .join();
    fc.assert(
      fc.property(inputs, inputs, (a, b) => {
        expect(inputsFingerprint(a) === inputsFingerprint(b)).toBe(asText(a) === asText(b));
        expect(inputsFingerprint(a.toReversed().concat(a))).toBe(inputsFingerprint(a));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a plan', () => {
  it('holds each partition once, in an order that respects its edges, which are those of the mappings', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, modes, picks, async (world, mode, picked) => {
        const model = buildPlanningModel(world.assets, world.moment);
        const plan = await makePlan(model, world.facts, requestOf(world, mode, picked));
        const entries = [...plan.entries()];
        const indices = new Map(entries.map((entry) => [name(entry), entry.index]));
        expect(indices.size).toBe(plan.size);
        for (const { index, asset: key, partition } of entries) {
          const asset = world.asset(key);
          const expected = asset.dependencies.flatMap((dependency) =>
            world
              .named(asset, dependency, partition)
              .exist.map((upstream) => indices.get(name({ asset: dependency.upstream, partition: upstream })))
              .filter((upstream) => upstream !== undefined),
          );
          const edges = upstreamsIn(plan, index);
          expect([...edges].sort()).toEqual([...new Set(expected)].sort());
          expect(Math.max(-1, ...edges)).toBeLessThan(index);
        }
      }),
      often,
    );
  });

  it('calls certain exactly what is forced or differs by itself, and leaves out only what is fresh', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, modes, picks, async (world, mode, picked) => {
        const request = requestOf(world, mode, picked);
        const plan = await makePlan(buildPlanningModel(world.assets, world.moment), world.facts, request);
        const planned = new Set<string>();
        for (const entry of plan.entries()) {
          const asset = world.asset(entry.asset);
          expect(asset.external).toBe(false);
          planned.add(name(entry));
          expect(entry.inclusion === 'certain').toBe(entry.forced || world.differs(asset, entry.partition));
          expect(await plan.explain(entry.index)).not.toHaveLength(0);
        }
        for (const { asset: key, partition, why } of plan.omitted()) {
          const asset = world.asset(key);
          expect(planned).not.toContain(name({ asset: key, partition }));
          if (asset.external || why === 'not_needed') continue;
          expect(world.status(asset, partition)).toBe('fresh');
          for (const dependency of asset.dependencies.filter(({ ordering }) => !ordering)) {
            for (const upstream of world.named(asset, dependency, partition).exist) {
              expect(planned).not.toContain(name({ asset: dependency.upstream, partition: upstream }));
            }
          }
        }
        const omitted = new Set([...plan.omitted()].map(name));
        for (const { asset, partitions } of request.targets) {
          const keys =
            partitions === 'all' ? world.partitionsOf(world.asset(asset)) : (partitions as { keys: string[] }).keys;
          for (const partition of keys) {
            expect(planned.has(name({ asset, partition })) || omitted.has(name({ asset, partition }))).toBe(true);
          }
        }
      }),
      often,
    );
  });

  it('makes its targets fresh when it runs, looking again before each entry, and then has nothing left', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, modes, picks, async (world, mode, picked) => {
        const request: PlanRequest = { ...requestOf(world, mode, picked), upstream: 'stale', force: false };
        const model = buildPlanningModel(world.assets, world.moment);
        const plan = await makePlan(model, world.facts, request);
        const unable = runPlan(world, plan);
        const left = await makePlan(model, world.facts, request);
        const rest = [...left.entries()].map(name).filter((entry) => !unable.has(entry));
        expect(rest).toEqual([]);
      }),
      often,
    );
  });
});

/** Runs a plan; returns the names of the entries that could not run. */
function runPlan(world: World, plan: Plan): Set<string> {
  const entries: PlanEntry[] = [...plan.entries()];
  const unable = new Set<string>();
  for (const entry of entries) {
    const asset = world.asset(entry.asset);
    const aboveUnable = upstreamsIn(plan, entry.index).some((upstream) => unable.has(name(entries[upstream]!)));
    if (aboveUnable || entry.blocked !== undefined) {
      unable.add(name(entry));
      continue;
    }
    const head = world.facts.head(entry.asset, entry.partition);
    const runs = entry.forced || mustRun(asset, head, world.inputs(asset, entry.partition));
    if (runs) world.materialize(asset, entry.partition);
  }
  return unable;
}
