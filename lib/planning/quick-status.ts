// The states of all partitions of a large asset from summaries: leaves whose inputs and upstream versions have equal sums
// are fresh at once, one that differs in a leaf is named by the sums, and only of other leaves is each looked at.
// It answers what node-states.ts does, or nothing at all where mappings or records do not allow it (docs/adr/0011).
import type { LaneName } from '../ledger/summary.records.js';
import { declaredUpstreams } from './must-run.js';
import type { PlanningFacts } from './planning.port.js';
import type { PlanningModel } from './planning-model.js';
import {
  CHUNK,
  classDiffers,
  isSame,
  LEAF,
  placeOfOne,
  type SummaryChunk,
  SUMS,
  WEIGHT_OF_FIRST,
} from './summary-chunk.js';
import { lanesOf, linksAbove, OVERTAKEN, placeOf, readLanes, readParts, type Part } from './summary-parts.js';
import { SUMMARIZED_FROM, type SummarizedFacts } from './summary-upkeep.js';

/** As in node-states.ts, in the order of staleness. */
export const STATE = { missing: 0, stale: 1, fresh: 2 };
const MISSING = STATE.missing;
const STALE = STATE.stale;
const FRESH = STATE.fresh;

/** Partitions judged without a pause: some milliseconds. */
const JUDGED_AT_ONCE = 3_000_000;
/** Of so many leaves that are looked at partition by partition, all bytes are read at once. */
const FEW_LEAVES = 500;
const VERSIONS: readonly LaneName[] = ['versions_0', 'versions_1'];
const INPUTS: readonly LaneName[] = ['inputs_0', 'inputs_1'];
/** Whoever is overtaken so often by others that write the same summaries reads the heads. */
const MOST_ATTEMPTS = 3;

/** What all partitions of an asset are. */
export interface QuickStates {
  /** By ordinal: one of {@link STATE}. */
  readonly states: Uint8Array;
  readonly failed: number;
}

/** As {@link readQuickStates}, where the asset is large and summaries are kept. */
export async function readLargeStates(
  model: PlanningModel,
  facts: PlanningFacts,
  index: number,
): Promise<QuickStates | undefined> {
  if (facts.summaries === undefined || model.setOf(index).size < SUMMARIZED_FROM) return undefined;
  return readQuickStates(model, facts as SummarizedFacts, index);
}

/**
 * The states of all partitions of an asset; undefined where they cannot be told this way. Renews the summaries it needs.
 * `from`: assets of fewer partitions have their heads read.
 */
export async function readQuickStates(
  model: PlanningModel,
  facts: SummarizedFacts,
  index: number,
  from = SUMMARIZED_FROM,
): Promise<QuickStates | undefined> {
  const links = linksAbove(model, index);
  if (links === undefined) return undefined;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const parts = await readParts(model, facts, links, from);
    if (parts === undefined) return undefined;
    if (parts !== OVERTAKEN && (await evaluate(model, facts, parts))) {
      const { chunks, states } = parts.get(index)!;
      return { states, failed: countFailed(chunks, states.length) };
    }
  }
  return undefined;
}

/** Works out the states of all parts, which are in order. False where a summary was written meanwhile. */
async function evaluate(
  model: PlanningModel,
  facts: SummarizedFacts,
  parts: ReadonlyMap<number, Part>,
): Promise<boolean> {
  let judged = 0;
  for (const part of parts.values()) {
    judged += part.states.length;
    if (judged > JUDGED_AT_ONCE) {
      await facts.breath();
      judged = 0;
    }
    if (model.assets[part.index]!.external) part.states.fill(FRESH);
    else if (!(await evaluatePart(model, facts, part, parts))) return false;
  }
  return true;
}

async function evaluatePart(
  model: PlanningModel,
  facts: SummarizedFacts,
  part: Part,
  parts: ReadonlyMap<number, Part>,
): Promise<boolean> {
  judgeClasses(model, part);
  const constant = new Uint32Array(SUMS / 2);
  const sources: Part[] = [];
  for (const { upstream, required, constant: runs } of part.links) {
    const above = parts.get(upstream)!;
    if (runs === undefined) {
      sources.push(above);
      if (required) lower(part.states, above.states);
      continue;
    }
    const state = await addConstant(model, facts, above, runs, constant);
    if (state === undefined) return false;
    if (required && state !== FRESH) part.states.forEach((each, at) => (part.states[at] = Math.min(each, STALE)));
  }
  if (part.links.length === 0) return true;
  const open = compareLeaves(part, sources, constant);
  return compareEach(model, facts, { part, sources, constant }, open);
}

/** What heads are by themselves: missing, stale by their declaration, or fresh as yet. */
function judgeClasses(model: PlanningModel, { index, links, chunks, states }: Part): void {
  const declared = model.assets[index]!;
  const upstreams = declaredUpstreams(declared);
  for (const chunk of chunks.values()) {
    const judged = chunk.classes.map((each) => {
      if (!each.value) return MISSING;
      // Where nothing is to be consumed, no sums are read.
      const differs = classDiffers(declared, upstreams, each) || (links.length === 0 && each.consumed);
      return differs ? STALE : FRESH;
    });
    const start = chunk.number * CHUNK;
    chunk.eachRun((kind, from, to) => {
      if (judged[kind] !== MISSING) states.fill(judged[kind]!, start + from, start + to);
    });
  }
}

/** What is below something that is not fresh is not fresh. */
function lower(states: Uint8Array, above: Uint8Array): void {
  eachRunOf(above.subarray(0, states.length), (state, from, to) => {
    if (state === FRESH) return;
    for (let at = from; at < to; at++) if (states[at] === FRESH) states[at] = STALE;
  });
}

/** Adds what each partition consumes of an asset, the same for all; the most stale state in it. */
async function addConstant(
  model: PlanningModel,
  facts: SummarizedFacts,
  above: Part,
  runs: readonly (readonly [from: number, to: number])[],
  sum: Uint32Array,
): Promise<number | undefined> {
  let state = FRESH;
  for (const [from, to] of runs) {
    for (let at = from; at < to && state !== MISSING; at++) state = Math.min(state, above.states[at]!);
    const leaves: number[] = [];
    for (let leaf = Math.floor(from / LEAF); leaf * LEAF < to; leaf++) leaves.push(leaf);
    // Only what is at the ends of a run is looked at by itself.
    const cut = leaves.filter((leaf) => leaf * LEAF < from || (leaf + 1) * LEAF > to);
    const values = await readLanes(model, facts, lanesOf(above, VERSIONS), cut);
    if (values === undefined) return undefined;
    for (const leaf of leaves) {
      const { chunk, slot } = placeOf(leaf);
      const start = Math.max(from, leaf * LEAF);
      const end = Math.min(to, (leaf + 1) * LEAF);
      for (const lane of [0, 1] as const) {
        if (!cut.includes(leaf)) sum[lane]! += above.chunks.get(chunk)?.versionSums[slot * SUMS + lane] ?? 0;
        else for (let at = start; at < end; at++) sum[lane]! += values[lane]![(cut.indexOf(leaf) - leaf) * LEAF + at]!;
      }
    }
  }
  return state;
}

/** Leaves in which something is still fresh, and of which the sums do not tell what differs. */
function compareLeaves({ chunks, states }: Part, sources: readonly Part[], constant: Uint32Array): number[] {
  const open: number[] = [];
  const difference = new Int32Array(SUMS);
  for (const { number, inputSums } of chunks.values()) {
    const start = number * CHUNK;
    const expected = expectedSums(
      sources.flatMap((source) => source.chunks.get(number)?.versionSums ?? []),
      constant,
      states.length - start,
    );
    if (isSame(inputSums, expected)) continue;
    for (let at = 0; at < expected.length; at += SUMS) {
      if (
        inputSums[at] === expected[at] &&
        inputSums[at + 1] === expected[at + 1] &&
        inputSums[at + 2] === expected[at + 2] &&
        inputSums[at + 3] === expected[at + 3]
      ) {
        continue;
      }
      for (let sum = 0; sum < SUMS; sum++) difference[sum] = inputSums[at + sum]! - expected[at + sum]!;
      const first = start + (at / SUMS) * LEAF;
      const place = placeOfOne(difference);
      if (place !== undefined) {
        if (states[first + place] === FRESH) states[first + place] = STALE;
      } else if (states.subarray(first, first + LEAF).includes(FRESH)) open.push(first / LEAF);
    }
  }
  return open;
}

/** What the sums of inputs of a chunk are, where nothing differs. `left`: so many partitions there are from it on. */
function expectedSums(sources: readonly Uint32Array[], constant: Uint32Array, left: number): Uint32Array {
  const hasConstant = constant.some((lane) => lane !== 0);
  if (sources.length === 1 && !hasConstant) return sources[0]!;
  const sums = new Uint32Array((CHUNK / LEAF) * SUMS);
  for (const source of sources) for (let at = 0; at < sums.length; at++) sums[at]! += source[at]!;
  for (let at = 0; at < sums.length && hasConstant; at += SUMS) {
    const count = Math.max(0, Math.min(LEAF, left - (at / SUMS) * LEAF));
    for (const lane of [0, 1] as const) {
      sums[at + lane]! += Math.imul(constant[lane]!, count);
      sums[at + 2 + lane]! += Math.imul(constant[lane]!, WEIGHT_OF_FIRST[lane]![count]!);
    }
  }
  return sums;
}

/** Compares each partition of leaves that is fresh as yet. False where a summary was written meanwhile. */
async function compareEach(
  model: PlanningModel,
  facts: SummarizedFacts,
  { part, sources, constant }: { part: Part; sources: readonly Part[]; constant: Uint32Array },
  open: readonly number[],
): Promise<boolean> {
  const { states } = part;
  let leaves = open;
  // Most that differ do so in the first half of their bytes: of many, only those are read at first.
  for (const lanes of open.length > FEW_LEAVES ? [[0], [1]] : [[0, 1]]) {
    if (leaves.length === 0) return true;
    const wanted = lanes.flatMap((lane) => [
      { part, name: INPUTS[lane]! },
      ...sources.map((source) => ({ part: source, name: VERSIONS[lane]! })),
    ]);
    const read = await readLanes(model, facts, wanted, leaves);
    if (read === undefined) return false;
    leaves = leaves.filter((leaf, at) => {
      const start = leaf * LEAF;
      let isOpen = false;
      lanes.forEach((lane, place) => {
        const [consumed, ...offered] = read
          .slice(place * (1 + sources.length), (place + 1) * (1 + sources.length))
          .map((values) => values.subarray(at * LEAF, (at + 1) * LEAF));
        isOpen = compareLane(states.subarray(start, start + LEAF), consumed!, sumOf(offered, constant[lane]!));
      });
      return isOpen;
    });
  }
  return true;
}

function sumOf(lanes: readonly Uint32Array[], constant: number): Uint32Array {
  if (lanes.length === 1 && constant === 0) return lanes[0]!;
  const sum = new Uint32Array(LEAF).fill(constant);
  for (const lane of lanes) for (let at = 0; at < LEAF; at++) sum[at]! += lane[at]!;
  return sum;
}

/** What is fresh, but differs, is stale. Whether anything is left that is fresh. */
function compareLane(states: Uint8Array, one: Uint32Array, other: Uint32Array): boolean {
  let isOpen = false;
  for (let at = 0; at < states.length; at++) {
    if (states[at] !== FRESH) continue;
    if (one[at] === other[at]) isOpen = true;
    else states[at] = STALE;
  }
  return isOpen;
}

function countFailed(chunks: ReadonlyMap<number, SummaryChunk>, size: number): number {
  let count = 0;
  for (const chunk of chunks.values()) {
    if (!chunk.classes.some(({ failed }) => failed)) continue;
    const left = size - chunk.number * CHUNK;
    chunk.eachRun((kind, from, to) => {
      if (chunk.classes[kind]!.failed) count += Math.max(0, Math.min(left, to) - from);
    });
  }
  return count;
}

/** Tells of all ordinals in runs that are in one state. */
export function eachRunOf(states: Uint8Array, visit: (state: number, from: number, to: number) => void): void {
  // Where each state comes next; found by the engine itself, which is many times faster than a loop that has just begun.
  const all = Buffer.from(states.buffer, states.byteOffset, states.byteLength);
  const next = [MISSING, STALE, FRESH].map((state) => placeIn(all, state, 0));
  for (let from = 0; from < states.length;) {
    const state = states[from]!;
    let to = from + 1;
    if (states[to] === state) {
      to = states.length;
      for (let other = MISSING; other <= FRESH; other++) {
        if (other === state) continue;
        if (next[other]! < from) next[other] = placeIn(all, other, from);
        to = Math.min(to, next[other]!);
      }
    }
    visit(state, from, to);
    from = to;
  }
}

function placeIn(states: Buffer, state: number, from: number): number {
  const place = states.indexOf(state, from);
  return place === -1 ? states.length : place;
}
