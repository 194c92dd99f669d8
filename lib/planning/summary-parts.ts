// What the status of a large asset is worked out from: the assets it consumes and how, what is kept of each, and of that the
// lanes of single leaves where sums do not tell enough. How states follow is in quick-status.ts.
import type { LaneName, LaneRange } from '../ledger/summary.records.js';
import { ConstantMapping, ShiftMapping } from '../partitions/resolved-mapping.js';
import type { PlanningModel } from './planning-model.js';
import { CHUNK, LEAF, SummaryChunk, words } from './summary-chunk.js';
import { layoutOf } from './summary-layout.js';
import { chunksOf, renewSummary, takeChanges, type SummarizedFacts } from './summary-upkeep.js';

/** Where more heads changed, a summary is renewed before it is used. */
const CHANGES_TAKEN_ALONG = 32;

/** How an asset consumes another: partition by partition, or the same of it for each. */
interface Link {
  readonly upstream: number;
  readonly required: boolean;
  /** Runs of ordinals that each partition consumes; undefined: that of its own ordinal. */
  readonly constant: readonly (readonly [from: number, to: number])[] | undefined;
}

/** One asset of the question. */
export interface Part {
  readonly index: number;
  readonly links: readonly Link[];
  readonly chunks: Map<number, SummaryChunk>;
  /** Of the summary that lanes are read from; null: the heads were read, all lanes are there. */
  readonly version: number | null;
  /** Chunks that have all lanes, in any case. */
  readonly whole: ReadonlySet<number>;
  readonly states: Uint8Array;
}

/** Another process wrote a summary while it was read. */
export const OVERTAKEN = Symbol('overtaken');

/** The asset and all it consumes, directly or not, upstream first; undefined where a mapping does not allow it. */
export function linksAbove(model: PlanningModel, index: number): Map<number, readonly Link[]> | undefined {
  const wanted = new Set([index]);
  const links = new Map<number, readonly Link[]>();
  for (const group of model.groups().toReversed()) {
    for (const asset of group) {
      if (!wanted.has(asset)) continue;
      if (model.isKnot(group)) return undefined;
      const found = linksOf(model, asset);
      if (found === undefined) return undefined;
      links.set(asset, found);
      for (const { upstream } of found) wanted.add(upstream);
    }
  }
  return new Map([...links].toReversed());
}

function linksOf(model: PlanningModel, index: number): readonly Link[] | undefined {
  const links = new Map<number, Link>();
  const { size } = model.setOf(index);
  for (const { declared, upstream, mapping } of model.dependenciesOf(index)) {
    if (declared.ordering) continue;
    const isSame = mapping instanceof ShiftMapping && mapping.isSame && model.setOf(upstream).size >= size;
    if (!isSame && !(mapping instanceof ConstantMapping)) return undefined;
    const constant = isSame ? undefined : ordinalsOf(mapping);
    const known = links.get(upstream);
    // What is consumed through two dependencies counts once, which is simple where both are the same.
    if (known !== undefined && !(isSame && known.constant === undefined)) return undefined;
    links.set(upstream, { upstream, required: (known?.required ?? false) || !declared.optional, constant });
  }
  return [...links.values()];
}

function ordinalsOf(mapping: {
  upstreamOf(down: number, visit: (from: number, to: number) => void): void;
}): [number, number][] {
  const runs: [number, number][] = [];
  mapping.upstreamOf(0, (from, to) => runs.push([from, to]));
  return runs;
}

export async function readParts(
  model: PlanningModel,
  facts: SummarizedFacts,
  linksByAsset: ReadonlyMap<number, readonly Link[]>,
  from: number,
): Promise<Map<number, Part> | typeof OVERTAKEN | undefined> {
  const large = [...linksByAsset.keys()].filter((index) => model.setOf(index).size >= from);
  const kept = await readKept(model, facts, large, linksByAsset);
  if (kept === undefined) return undefined;
  const small = [...linksByAsset.keys()].filter((index) => model.setOf(index).size < from);
  const heads =
    small.length > 0
      ? await facts.heads(small.map((index) => ({ asset: model.assets[index]!.key, partitions: 'all' })))
      : [];
  const parts = new Map<number, Part>();
  for (const [index, links] of linksByAsset) {
    const states = new Uint8Array(model.setOf(index).size);
    const summary = kept[large.indexOf(index)];
    if (summary === undefined) {
      const chunks = chunksOf(model, index, heads[small.indexOf(index)]!.values());
      parts.set(index, { index, links, chunks, version: null, whole: new Set(), states });
    } else {
      const { version, changed } = summary;
      const chunks = new Map(summary.chunks.map((chunk) => [chunk.chunk, SummaryChunk.read(chunk)]));
      const taken = changed > 0 ? await takeChanges(model, facts, index, { version, chunks }) : { touched: [] };
      if (taken === undefined) return OVERTAKEN;
      parts.set(index, { index, links, chunks, version, whole: new Set(taken.touched), states });
    }
    const { chunks } = parts.get(index)!;
    if ([...chunks.values()].some(({ classes }) => classes.some(({ volatile }) => volatile))) return undefined;
  }
  return parts;
}

/** Summaries that fit, renewed where they do not; undefined where that fails. */
async function readKept(
  model: PlanningModel,
  facts: SummarizedFacts,
  large: readonly number[],
  linksByAsset: ReadonlyMap<number, readonly Link[]>,
) {
  if (large.length === 0) return [];
  const consumed = new Set([...linksByAsset.values()].flatMap((links) => links.map(({ upstream }) => upstream)));
  for (let renewed = false; ; renewed = true) {
    // Few changes are taken along with what is kept, for which all of that is needed.
    const queries = large.map((index) => ({
      asset: model.assets[index]!.key,
      versions: consumed.has(index),
      inputs: linksByAsset.get(index)!.length > 0,
    }));
    const kept = await facts.summaries.kept(queries);
    const unfit = large.filter((index, at) => {
      const summary = kept[at];
      if (summary?.layout !== layoutOf(model.assets[index]!, model.setOf(index))) return true;
      // Amid a run there are always more.
      return !renewed && summary.changed > CHANGES_TAKEN_ALONG;
    });
    if (unfit.length === 0) return kept;
    if (renewed) return undefined;
    for (const index of unfit) if (!(await renewSummary(model, facts, index))) return undefined;
  }
}

export const placeOf = (leaf: number): { chunk: number; slot: number } => ({
  chunk: Math.floor((leaf * LEAF) / CHUNK),
  slot: leaf % (CHUNK / LEAF),
});

/** A lane of a part that is to be read. */
export interface LaneOf {
  readonly part: Part;
  readonly name: LaneName;
}

export function lanesOf(part: Part, names: readonly LaneName[]): readonly LaneOf[] {
  return names.map((name) => ({ part, name }));
}

/** Lanes in these leaves, which are in order: of each lane a number for each partition, leaf after leaf. */
export async function readLanes(
  model: PlanningModel,
  facts: SummarizedFacts,
  lanes: readonly LaneOf[],
  leaves: readonly number[],
): Promise<readonly Uint32Array[] | undefined> {
  const found = lanes.map(() => new Uint32Array(leaves.length * LEAF));
  const ranges: LaneRange[] = [];
  const gaps: Uint32Array[] = [];
  for (const { chunk: number, from, to, at } of runsOf(leaves)) {
    lanes.forEach(({ part: { index, chunks, version, whole }, name }, lane) => {
      const chunk = chunks.get(number);
      if (chunk === undefined) return;
      const gap = found[lane]!.subarray(at, at + to - from);
      if (version === null || whole.has(number)) gap.set(chunk.lane(name).subarray(from, to));
      else {
        const asset = model.assets[index]!.key;
        ranges.push({ asset, version, chunk: number, lane: name, from: from * 4, length: (to - from) * 4 });
        gaps.push(gap);
      }
    });
  }
  const read = ranges.length > 0 ? await facts.summaries.lanes(ranges) : [];
  read?.forEach((part, at) => gaps[at]!.set(words(part)));
  return read && found;
}

/** Places of a chunk that are in leaves which follow each other; the first is the one at `at` of those of all leaves. */
interface LeafRun {
  readonly chunk: number;
  readonly from: number;
  to: number;
  readonly at: number;
}

function runsOf(leaves: readonly number[]): readonly LeafRun[] {
  const runs: LeafRun[] = [];
  for (const [at, leaf] of leaves.entries()) {
    const { chunk, slot } = placeOf(leaf);
    const last = runs.at(-1);
    if (last?.chunk === chunk && last.to === slot * LEAF) last.to += LEAF;
    else runs.push({ chunk, from: slot * LEAF, to: (slot + 1) * LEAF, at: at * LEAF });
  }
  return runs;
}
