// `flowstone.lineage`: where data came from, what came of it, what would follow from a change, and what was done when.
import type { AssetClass } from '../assets/asset.definition.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { AssetPartitions, EntityManager } from '../ledger/ledger.port.js';
import type { PartitionSelection, RunRequest } from '../ledger/records.js';
import { OrdinalRanges } from '../planning/ordinal-ranges.js';
import { Pace } from '../planning/pace.js';
import type { PlanningModel } from '../planning/planning-model.js';
import { requireOptions } from '../request.options.js';
import type { RunHandle } from '../runs/run.handle.js';
import { affectedBy, namedPartitions, staleOf } from './affected.js';
import { auditOf, type AuditDocument } from './audit.document.js';
import { graphView, partOfGraph, type GraphView } from './graph.view.js';
import { findImpact, type Impact } from './impact.js';
import type { LineageParts } from './lineage.parts.js';
import {
  AUDIT,
  DIFF,
  GRAPH,
  IMPACT,
  INVALIDATE,
  STALE,
  TRACE,
  type AuditOptions,
  type DiffOptions,
  type GraphOptions,
  type ImpactOptions,
  type InvalidateOptions,
  type StaleOptions,
  type TraceOptions,
} from './lineage.requests.js';
import { diffRuns, type RunDiff } from './run.diff.js';
import { staleOfAll, type StaleAsset } from './stale.view.js';
import { findTrace, type LineageTrace } from './trace.js';

/**
 * Lineage. Assets are named by class or key, also those that only other processes declare; unknown ones, options and
 * partitions are refused with a FlowStoneError of the family `request`, and nothing changes.
 */
export class Lineage {
  constructor(private readonly parts: () => LineageParts) {}

  /** Recorded provenance: what a version came of, each version once with how many steps away it is. */
  upstream(asset: AssetClass | string, options: TraceOptions = {}): Promise<LineageTrace> {
    return this.#trace('upstream', asset, options);
  }

  /** Recorded provenance: what came of a version, heads and former versions. */
  downstream(asset: AssetClass | string, options: TraceOptions = {}): Promise<LineageTrace> {
    return this.#trace('downstream', asset, options);
  }

  async #trace(
    direction: 'upstream' | 'downstream',
    asset: AssetClass | string,
    options: TraceOptions,
  ): Promise<LineageTrace> {
    requireOptions(`lineage.${direction}()`, options, TRACE);
    const parts = this.#use();
    return findTrace(parts, await parts.recorded(asset, options.partition), direction, options);
  }

  /**
   * What would have to be computed again if these partitions changed, in that order, with the status of each and what it
   * will take: all that consumes them by what is declared, also what never ran. Exact where every value changes.
   */
  async impact(asset: AssetClass | string, options: ImpactOptions = {}): Promise<Impact> {
    requireOptions('lineage.impact()', options, IMPACT);
    const parts = this.#use();
    const { facts, ledger } = parts;
    const { key } = parts.resolve(asset);
    const { lineage } = ledger;
    return parts.reading(undefined, (model) =>
      findImpact(
        model,
        {
          facts,
          durations: (...asked) => lineage.durations(...asked),
          headConsumers: (versions) => lineage.headConsumers(versions),
        },
        namedPartitions(model, key, options),
      ),
    );
  }

  /**
   * What of an asset, or of some partitions of it, and of all that consumes these is stale or missing: counts and ranges of
   * each asset, in the order in which it would be computed. What these mean is what `status()` says of them.
   */
  async stale(asset: AssetClass | string, options: ImpactOptions = {}): Promise<readonly StaleAsset[]> {
    requireOptions('lineage.stale()', options, IMPACT);
    const parts = this.#use();
    const { key } = parts.resolve(asset);
    return parts.reading(undefined, (model) => staleOfAll(model, parts.facts, namedPartitions(model, key, options)));
  }

  /** Marks heads as stale whatever their inputs, with `downstream` also of all that consumes them. Returns how many. */
  async invalidate(asset: AssetClass | string, options: InvalidateOptions = {}): Promise<number> {
    requireOptions('lineage.invalidate()', options, INVALIDATE);
    const { partition, partitions, downstream = false, manager, ...act } = options;
    const parts = this.#use(manager);
    const { key } = parts.resolve(asset);
    const isWhole = partition === undefined && (partitions === undefined || partitions === 'all');
    const targets = await parts.reading(manager, async (model): Promise<AssetPartitions[]> => {
      const named = namedPartitions(model, key, options);
      const reached = downstream ? await this.#reached(model, named) : [[named.asset, named.partitions] as const];
      return reached.map(([index, ranges]) => {
        // Of all, retired ones too.
        if (isWhole && index === named.asset) return { asset: key, partitions: 'all' };
        const set = model.setOf(index);
        const keys = Array.from({ length: ranges.size }, (_, at) => set.keyAt(ranges.ordinalAt(at)));
        return { asset: model.assets[index]!.key, partitions: keys };
      });
    });
    return parts.invalidate(targets, { ...act, ...(manager && { manager }) });
  }

  /**
   * Requests a run of what is stale of an asset, or of some partitions of it, and of all that consumes these, with
   * everything downstream of that; without an asset of whatever is stale. What is stale is decided when the run is planned.
   */
  async rematerializeStale(asset?: AssetClass | string, options: StaleOptions = {}): Promise<RunHandle> {
    requireOptions('lineage.rematerializeStale()', options, STALE);
    const { partition, partitions, manager } = options;
    const parts = this.#use(manager);
    if (asset === undefined && (partition !== undefined || partitions !== undefined)) {
      throw invalid('Partitions are those of an asset: name it, or leave them out.');
    }
    const key = asset === undefined ? undefined : parts.resolve(asset).key;
    const [model, targets] = await parts.reading(manager, async (moment) => [
      moment,
      await this.#stale(moment, key, options),
    ]);
    if (targets.length === 0)
      throw invalid(`There is nothing that is computed here${key ? ` downstream of ${key}` : ''}.`);
    const run: RunRequest = { targets, upstream: 'stale', downstream: true, force: false, forceMaxAge: null };
    return parts.request(run, options, model);
  }

  /** The declared graph for drawing: all of it, or what is within `depth` steps of an asset, in either direction or one. */
  graph(options: GraphOptions = {}): GraphView {
    requireOptions('lineage.graph()', options, GRAPH);
    const { asset, direction = 'both', depth = Infinity } = options;
    const parts = this.parts();
    const view = graphView(parts.definitions());
    if (asset !== undefined) return partOfGraph(view, parts.resolve(asset).key, depth, direction);
    if (options.direction === undefined && options.depth === undefined) return view;
    throw invalid('direction and depth are those of a part of the graph: name the asset that it is around.');
  }

  /** In what two runs differ, by (asset, partition): status, versions, inputs, durations. */
  async diff(a: number, b: number, options: DiffOptions = {}): Promise<RunDiff> {
    requireOptions('lineage.diff()', options, DIFF);
    return diffRuns(this.#use(), a, b, options.limit);
  }

  /** Everything that is recorded of one materialization, as one document. */
  async audit(asset: AssetClass | string, options: AuditOptions = {}): Promise<AuditDocument> {
    requireOptions('lineage.audit()', options, AUDIT);
    const parts = this.#use();
    return auditOf(parts, await parts.recorded(asset, options.partition), options.version);
  }

  #use(manager?: EntityManager): LineageParts {
    const parts = this.parts();
    parts.beforeUse(manager);
    return parts;
  }

  async #reached(
    model: PlanningModel,
    named: Parameters<typeof affectedBy>[1],
  ): Promise<readonly (readonly [asset: number, partitions: OrdinalRanges])[]> {
    return [...(await affectedBy(model, named, new Pace(this.parts().facts)))];
  }

  /** Targets of a run of what is stale. By ranges, not by state: the same request has the same targets whatever is stale. */
  async #stale(
    model: PlanningModel,
    key: string | undefined,
    options: StaleOptions,
  ): Promise<{ asset: string; partitions: PartitionSelection }[]> {
    const everything = (): [number, OrdinalRanges][] =>
      model.assets.map((_, index) => [index, OrdinalRanges.of([0, model.setOf(index).size])]);
    const reached = key === undefined ? everything() : await this.#reached(model, namedPartitions(model, key, options));
    const computed = reached.filter(([index]) => !model.assets[index]!.external);
    const targets = computed.flatMap(([index, ranges]) =>
      staleOf(model, index, ranges).map((partitions) => ({ asset: model.assets[index]!.key, partitions })),
    );
    return targets.sort((a, b) => (a.asset < b.asset ? -1 : a.asset > b.asset ? 1 : 0));
  }
}

function invalid(message: string): FlowStoneError {
  return new FlowStoneError('FLOWSTONE_REQUEST_INVALID', message);
}
