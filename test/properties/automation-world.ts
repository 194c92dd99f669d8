// A world of assets with automation, and what may happen to it.
import type { Type } from '@nestjs/common';
import fc from 'fast-check';
import {
  all,
  Asset,
  DependsOn,
  eager,
  ExternalAsset,
  Partitions,
  type AssetContext,
  type FlowStoneService,
} from '../../lib/index.js';

/** What happens to a world, in the order in which it does; automation goes on meanwhile. */
export type Step =
  /** A source has another version, or one that it had before. */
  | { readonly do: 'report'; readonly source: number; readonly version: number }
  /** From now on an asset fails, or does so no more. */
  | { readonly do: 'break' | 'mend'; readonly asset: number }
  | { readonly do: 'invalidate' | 'delete' | 'materialize'; readonly asset: number }
  | { readonly do: 'cancel' }
  /** So many ms for whoever works. */
  | { readonly do: 'wait'; readonly time: number };

export interface Shape {
  readonly partitioned: boolean;
  readonly automated: boolean;
  /** Of assets before it, and the sources. */
  readonly upstreams: readonly number[];
}

export const SOURCES = 2;
/** Partitions of what has any. */
const DAYS = Partitions.static(['x', 'y']);

export const shape = fc.record({
  partitioned: fc.boolean(),
  automated: fc.boolean(),
  upstreams: fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 3 }),
});
const asset = fc.nat(5);
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('report' as const), source: fc.nat(SOURCES - 1), version: fc.nat(3) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('break' as const), asset }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('mend' as const), asset }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('invalidate' as const, 'delete' as const, 'materialize' as const),
      asset,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait' as const), time: fc.nat(15) }) },
);

/** A world of assets that note what they do. */
export class World {
  readonly broken = new Set<number>();
  readonly classes: Type[] = [];
  readonly sources: Type[] = [];
  readonly #versions = new Map<string, number>();
  flowstone!: FlowStoneService;

  constructor(readonly shapes: readonly Shape[]) {
    for (let source = 0; source < SOURCES; source++) this.sources.push(sourceClass(source));
    shapes.forEach((each, number) => this.classes.push(this.#assetClass(each, number)));
  }

  #assetClass({ partitioned, automated, upstreams }: Shape, number: number): Type {
    const computed = (context: AssetContext): string => this.computed(number, context);
    const before = [...this.sources, ...this.classes];
    const inputs: Record<string, any> = {};
    for (const each of new Set(upstreams.map((index) => index % before.length))) {
      const many = each >= SOURCES && this.shapes[each - SOURCES]!.partitioned && !partitioned;
      inputs[`u${each}`] = many ? all(before[each]!) : before[each]!;
    }
    class Computed {
      async execute(context: AssetContext): Promise<string> {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return computed(context);
      }
    }
    DependsOn(inputs)(Computed);
    Asset({
      name: `a${number}`,
      ...(partitioned && { partitions: DAYS }),
      ...(automated && { automation: eager() }),
    })(Computed);
    return Computed;
  }

  computed(number: number, { run, partition, asset: key }: AssetContext): string {
    if (this.broken.has(number)) throw new Error(`${key} is broken in ${run} ${partition.key}`);
    // Every second value is as the one before: what depends on it has nothing to do then.
    const place = `${number} ${partition.key}`;
    const count = (this.#versions.get(place) ?? 0) + 1;
    this.#versions.set(place, count);
    return `${place} ${Math.floor(count / 2)}`;
  }

  async take(what: Step): Promise<void> {
    const { flowstone } = this;
    switch (what.do) {
      case 'report':
        await flowstone.reportVersion(`s${what.source}`, { dataVersion: String(what.version) });
        return;
      case 'break':
        this.broken.add(what.asset % this.shapes.length);
        return;
      case 'mend':
        this.broken.delete(what.asset % this.shapes.length);
        return;
      case 'invalidate':
        await flowstone.invalidate(this.#keyOf(what.asset));
        return;
      case 'delete': {
        const partitions = this.shapes[what.asset % this.shapes.length]!.partitioned
          ? { partitions: 'all' as const }
          : {};
        await flowstone.delete(this.#keyOf(what.asset), partitions).catch(ignoreBusy);
        return;
      }
      case 'materialize': {
        const partitions = this.shapes[what.asset % this.shapes.length]!.partitioned
          ? { partitions: 'all' as const }
          : {};
        await flowstone.materialize(this.#keyOf(what.asset), partitions);
        return;
      }
      case 'cancel': {
        const [run] = (await flowstone.runs({ status: ['running'] })).items;
        if (run) await flowstone.cancel(run.id);
        return;
      }
      case 'wait':
        await new Promise((resolve) => setTimeout(resolve, what.time));
    }
  }

  /** Until automation has nothing to request and all runs have ended. */
  async settle(): Promise<void> {
    for (let last = -1; ;) {
      await this.flowstone.automation.look();
      const { items } = await this.flowstone.runs({}, { limit: 1000 });
      for (const { id, completedAt } of items) {
        if (!completedAt)
          await this.flowstone
            .run(id)
            .wait()
            .catch(() => undefined);
      }
      const newest = items[0]?.id ?? 0;
      if (newest === last && items.every(({ completedAt }) => completedAt)) return;
      last = newest;
    }
  }

  /** All (asset, partition) that automation has to have fresh: those with automation, and what they need. */
  wanted(): readonly { readonly key: string; readonly partition: string | undefined }[] {
    const before = SOURCES;
    const needed = new Set<number>();
    for (let number = this.shapes.length - 1; number >= 0; number--) {
      const { automated, upstreams } = this.shapes[number]!;
      if (!automated && !needed.has(number)) continue;
      needed.add(number);
      for (const upstream of upstreams) {
        const index = upstream % (before + number);
        if (index >= before) needed.add(index - before);
      }
    }
    return [...needed].flatMap((number) =>
      (this.shapes[number]!.partitioned ? DAYS.keys : [undefined]).map((partition) => ({
        key: `a${number}`,
        partition,
      })),
    );
  }

  /** What of that is not fresh. */
  async unfinished(): Promise<string[]> {
    const unfinished: string[] = [];
    for (const { key, partition } of this.wanted()) {
      const { flowstone } = this;
      const found = await (partition === undefined ? flowstone.status(key) : flowstone.status(key, partition));
      if (!('state' in found) || found.state !== 'fresh') unfinished.push(JSON.stringify({ key, partition, found }));
    }
    return unfinished;
  }

  #keyOf(number: number): string {
    return `a${number % this.shapes.length}`;
  }
}

function sourceClass(number: number): Type {
  class Source extends ExternalAsset<string> {}
  Asset({ name: `s${number}`, external: true })(Source);
  return Source;
}

function ignoreBusy(error: unknown): void {
  if ((error as { code?: string }).code !== 'FLOWSTONE_ASSET_BUSY') throw error;
}
