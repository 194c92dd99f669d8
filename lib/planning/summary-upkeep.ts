// Keeps the summaries of large assets: made once from all heads, then from those that changed. Whoever is overtaken by
// another process that writes the same summary leaves it to that.
import { LANE_NAMES, type KeptSummary, type WholeChunk } from '../ledger/summary.records.js';
import type { HeadFact, PlanningFacts, SummaryFacts } from './planning.port.js';
import type { PlanningModel } from './planning-model.js';
import { CHUNK, SummaryChunk } from './summary-chunk.js';
import { layoutOf, placesOf } from './summary-layout.js';

/** Heads read at once, and notes, most of which are of many heads: a few milliseconds of work, between which others may. */
const HEADS_AT_ONCE = 1000;
const NOTES_AT_ONCE = 4;
/** Changes taken in before they are written, since each may be of another chunk. */
const CHANGES_WRITTEN_AT_ONCE = 200_000;

/** Facts of a ledger that has summaries. */
export type SummarizedFacts = PlanningFacts & { readonly summaries: SummaryFacts };

/** Of more partitions it is worth to keep a summary. */
export const SUMMARIZED_FROM = 10_000;

/** Makes or renews the summary of an asset. Whether that was done: neither stopped nor overtaken by another process. */
export async function renewSummary(
  model: PlanningModel,
  facts: SummarizedFacts,
  index: number,
  isStopped = (): boolean => false,
): Promise<boolean> {
  const asset = model.assets[index]!;
  const { summaries } = facts;
  if (!(await summaries.watch(asset.key))) return false;
  const layout = layoutOf(asset, model.setOf(index));
  let [kept] = await summaries.kept([{ asset: asset.key, versions: true, inputs: true }]);
  if (kept !== undefined && kept.layout !== layout) {
    if (!(await makeAnew(model, facts, index, { version: kept.version, layout, isStopped }))) return false;
    [kept] = await summaries.kept([{ asset: asset.key, versions: true, inputs: true }]);
  }
  // What changes meanwhile is left to the next time, or it might never end.
  for (let left = kept?.changed ?? 0; kept !== undefined && left > 0;) {
    const taken = await fold(model, facts, index, { kept, layout, isStopped });
    if (taken === undefined) return false;
    left = taken === 0 ? 0 : left - taken;
    [kept] = await summaries.kept([{ asset: asset.key, versions: true, inputs: true }]);
  }
  return true;
}

async function makeAnew(
  model: PlanningModel,
  facts: SummarizedFacts,
  index: number,
  { version, layout, isStopped }: { version: number; layout: string; isStopped: () => boolean },
): Promise<boolean> {
  const { key } = model.assets[index]!;
  const chunks = new Map<number, SummaryChunk>();
  let from: string | null = '';
  while (from !== null) {
    const page: Awaited<ReturnType<PlanningFacts['headsFrom']>> = await facts.headsFrom(key, from, HEADS_AT_ONCE);
    putHeads(model, index, page.heads.values(), (number) => {
      let chunk = chunks.get(number);
      if (chunk === undefined) chunks.set(number, (chunk = SummaryChunk.empty(number)));
      return chunk;
    });
    from = page.next;
    await facts.breath();
    if (isStopped()) return false;
  }
  return facts.summaries.keep(key, { version, layout, anew: true, chunks: wholeOf(chunks.values()), notes: [] });
}

/** Made one by one, as they are written. */
function wholeOf(chunks: Iterable<SummaryChunk>): Iterable<WholeChunk> {
  const list = [...chunks];
  return {
    *[Symbol.iterator]() {
      for (const chunk of list) yield chunk.whole();
    },
  };
}

/** How many changes were taken in; undefined where another process wrote meanwhile. */
async function fold(
  model: PlanningModel,
  facts: SummarizedFacts,
  index: number,
  { kept, layout, isStopped }: { kept: KeptSummary; layout: string; isStopped: () => boolean },
): Promise<number | undefined> {
  const { key } = model.assets[index]!;
  const chunks = new Map(kept.chunks.map((chunk) => [chunk.chunk, SummaryChunk.read(chunk)]));
  const taken = await takeChanges(model, facts, index, {
    version: kept.version,
    chunks,
    most: CHANGES_WRITTEN_AT_ONCE,
    isStopped,
  });
  if (taken === undefined) return undefined;
  if (taken.notes.length === 0) return 0;
  const written = wholeOf(taken.touched.map((number) => chunks.get(number)!));
  const { notes } = taken;
  const ok = await facts.summaries.keep(key, { version: kept.version, layout, anew: false, chunks: written, notes });
  return ok ? taken.changed : undefined;
}

/** What was noted, of how many heads, and in which chunks they stand. */
interface TakenChanges {
  readonly notes: readonly number[];
  readonly changed: number;
  readonly touched: readonly number[];
}

/**
 * Puts what was noted into chunks, which get all lanes where they are touched. Undefined where the summary was written
 * meanwhile, so that chunks and notes do not belong together.
 */
export async function takeChanges(
  model: PlanningModel,
  facts: SummarizedFacts,
  index: number,
  {
    version,
    chunks,
    most = Infinity,
    isStopped = () => false,
  }: { version: number; chunks: Map<number, SummaryChunk>; most?: number; isStopped?: () => boolean },
): Promise<TakenChanges | undefined> {
  const { key } = model.assets[index]!;
  const { summaries } = facts;
  const notes: number[] = [];
  const touched = new Set<number>();
  let changed = 0;
  for (let after = 0; changed < most;) {
    const page = await summaries.changes(key, version, after, NOTES_AT_ONCE);
    if (page === undefined || isStopped()) return undefined;
    if (page.notes.length === 0) break;
    if (!(await giveLanes(summaries, key, version, chunks, chunksWith(model, index, page.heads, touched))))
      return undefined;
    putHeads(model, index, page.heads, (number) => chunks.get(number)!);
    notes.push(...page.notes);
    changed += page.heads.length;
    // What comes now is not waited for.
    if (page.notes.length < NOTES_AT_ONCE) break;
    after = Math.max(...page.notes);
    await facts.breath();
  }
  return { notes, changed, touched: [...touched] };
}

/** Chunks with these heads that were not touched yet, and are from now on. */
function chunksWith(model: PlanningModel, index: number, heads: readonly HeadFact[], touched: Set<number>): number[] {
  const set = placesOf(model, index);
  const found: number[] = [];
  for (const { partition } of heads) {
    const ordinal = set.ordinalOf(partition);
    const number = Math.floor(ordinal / CHUNK);
    if (ordinal === -1 || touched.has(number)) continue;
    touched.add(number);
    found.push(number);
  }
  return found;
}

/** Gives chunks all lanes; those that are not kept come into being. False where the summary was written meanwhile. */
async function giveLanes(
  summaries: SummaryFacts,
  key: string,
  version: number,
  chunks: Map<number, SummaryChunk>,
  numbers: readonly number[],
): Promise<boolean> {
  const kept = numbers.filter((number) => chunks.has(number));
  for (const number of numbers) if (!chunks.has(number)) chunks.set(number, SummaryChunk.empty(number));
  if (kept.length === 0) return true;
  const ranges = kept.flatMap((chunk) =>
    LANE_NAMES.map((lane) => ({ asset: key, version, chunk, lane, from: 0, length: CHUNK * 4 })),
  );
  const parts = await summaries.lanes(ranges);
  if (parts === undefined) return false;
  ranges.forEach(({ chunk, lane }, at) => chunks.get(chunk)!.give(lane, parts[at]!));
  return true;
}

function putHeads(
  model: PlanningModel,
  index: number,
  heads: Iterable<HeadFact>,
  chunkOf: (number: number) => SummaryChunk,
): void {
  const { key } = model.assets[index]!;
  const set = placesOf(model, index);
  for (const head of heads) {
    const ordinal = set.ordinalOf(head.partition);
    if (ordinal !== -1) chunkOf(Math.floor(ordinal / CHUNK)).put(ordinal % CHUNK, key, head);
  }
}

/** Chunks of an asset whose heads were read. */
export function chunksOf(model: PlanningModel, index: number, heads: Iterable<HeadFact>): Map<number, SummaryChunk> {
  const chunks = new Map<number, SummaryChunk>();
  putHeads(model, index, heads, (number) => {
    let chunk = chunks.get(number);
    if (chunk === undefined) chunks.set(number, (chunk = SummaryChunk.empty(number)));
    return chunk;
  });
  return chunks;
}
