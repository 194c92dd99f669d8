// The order in which affected partitions would be computed again: upstream assets first, within an asset by partition; only
// where assets depend on each other's (or their own) partitions single ones have to be ordered.
import type { OrdinalRanges } from '../planning/ordinal-ranges.js';
import { Pace } from '../planning/pace.js';
import type { PlanningFacts } from '../planning/planning.port.js';
import type { PlanningModel } from '../planning/planning-model.js';
import { openScope } from '../planning/planning-scope.js';
import type { Extent } from '../planning/scope-extent.js';

/** A partition by the index of its asset and its ordinal. */
export interface Place {
  readonly asset: number;
  readonly ordinal: number;
}

/** Assets that are computed in one go: one, or several that depend on each other. */
interface Section {
  readonly assets: readonly number[];
  readonly isKnot: boolean;
  readonly start: number;
  readonly size: number;
}

export class RecomputeOrder {
  readonly size: number;
  readonly #sections: readonly Section[];
  readonly #knots = new Map<Section, Promise<readonly Place[]>>();

  constructor(
    private readonly model: PlanningModel,
    readonly extent: Extent,
    private readonly facts: PlanningFacts,
  ) {
    const sections: Section[] = [];
    let start = 0;
    for (const group of model.groups()) {
      const assets = [...group].filter((asset) => extent.has(asset));
      if (assets.length === 0) continue;
      const size = assets.reduce((sum, asset) => sum + extent.get(asset)!.size, 0);
      sections.push({ assets, isKnot: model.isKnot(group), start, size });
      start += size;
    }
    this.#sections = sections;
    this.size = start;
  }

  *assets(): Generator<{ readonly asset: number; readonly ranges: OrdinalRanges }> {
    for (const { assets } of this.#sections)
      for (const asset of assets) yield { asset, ranges: this.extent.get(asset)! };
  }

  /** Those from .. to (exclusive). */
  async places(from: number, to: number): Promise<readonly Place[]> {
    const places: Place[] = [];
    for (const section of this.#sections) {
      const first = Math.max(0, from - section.start);
      const end = Math.min(section.size, to - section.start);
      if (first >= end) continue;
      if (section.isKnot) places.push(...(await this.#orderedKnot(section)).slice(first, end));
      else {
        const [asset] = section.assets;
        this.extent.get(asset!)!.eachAt(first, end, (ordinal) => places.push({ asset: asset!, ordinal }));
      }
    }
    return places;
  }

  #orderedKnot(section: Section): Promise<readonly Place[]> {
    let ordered = this.#knots.get(section);
    if (!ordered) this.#knots.set(section, (ordered = this.#orderKnot(section)));
    return ordered;
  }

  async #orderKnot({ assets }: Section): Promise<readonly Place[]> {
    const own = new Map(assets.map((asset) => [asset, this.extent.get(asset)!]));
    const scope = await openScope(this.model, own, new Pace(this.facts));
    const places: Place[] = [];
    for (const node of scope.order) {
      const { asset, ranges, start } = scope.blockOf(node);
      const ordinal = ranges.ordinalAt(node - start);
      if ((own.get(asset)?.positionOf(ordinal) ?? -1) !== -1) places.push({ asset, ordinal });
    }
    return places;
  }
}
