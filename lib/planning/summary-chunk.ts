// What the heads of neighbouring partitions amount to, in a form from which thousands are compared at once: of what kind
// each is, eight bytes of the hash of its version and of the fingerprint of its inputs, and sums of these over leaves.
// How chunks are compared stands in quick-status.ts, how they are kept up to date in summary-upkeep.ts.
import { LANE_NAMES, type KeptChunk, type LaneName, type WholeChunk } from '../ledger/summary.records.js';
import { LANES, writeFingerprintLanes, writeVersionLanes } from './inputs-fingerprint.js';
import { declarationDiffers } from './must-run.js';
import type { HeadFact, PlanningAsset } from './planning.port.js';
import { hasValue } from './planning.port.js';

/** Partitions of a chunk; a multiple of a leaf. */
export const CHUNK = 8192;
/** Partitions of a leaf: of so many there are sums. */
export const LEAF = 128;
const LEAVES = CHUNK / LEAF;
/** Of a leaf: two lanes of the sum, and two of the sum weighted by place. */
export const SUMS = 4;
/** Of each hash and fingerprint, so many of its lanes are kept. */
const KEPT_LANES = 2;
/** Of a weight, so many of its last bits are its own. */
const OWN_BITS = 16;
/**
 * By which each partition of a leaf counts in the weighted sums, in each lane: like chance, so that several that differ by the
 * same, as where something changed that all consume, are not taken for one that differs by their sum.
 */
const WEIGHTS = Array.from({ length: KEPT_LANES }, (_, lane) => {
  const weights = new Map<number, number>();
  for (let from = lane * 2 * LEAF; weights.size < LEAF;) {
    const weight = mixed(++from);
    weights.set(ownBits(weight), weight);
  }
  return Uint32Array.from(weights.values());
});

/** By lane, the place whose weight ends in these bits. */
const PLACES = WEIGHTS.map((weights) => new Map(Array.from(weights, (weight, place) => [ownBits(weight), place])));

function ownBits(weight: number): number {
  return weight & ((1 << OWN_BITS) - 1);
}

/**
 * Where in a leaf the only partition stands that differs, by the differences of all {@link SUMS}. Undefined where they are not
 * those of one partition, and, once in billions, where they do not tell.
 */
export function placeOfOne(differences: Int32Array): number | undefined {
  const place = placeBy(0, differences) ?? placeBy(1, differences);
  if (place === undefined) return undefined;
  for (let lane = 0; lane < KEPT_LANES; lane++) {
    if (Math.imul(WEIGHTS[lane]![place]!, differences[lane]!) !== differences[KEPT_LANES + lane]) return undefined;
  }
  return place;
}

/** The place whose weight is the weighted difference divided by the plain one, modulo a power of two. */
function placeBy(lane: number, differences: Int32Array): number | undefined {
  const plain = differences[lane]!;
  // Only odd numbers can be divided by; what both are even by goes first.
  const zeros = 31 - Math.clz32(plain & -plain);
  if (plain === 0 || zeros > 32 - OWN_BITS) return undefined;
  return PLACES[lane]!.get(ownBits(Math.imul(differences[KEPT_LANES + lane]! >>> zeros, inverse(plain >>> zeros))));
}

/** By which an odd number has to be multiplied modulo 2 ** 32 for 1: each step (Newton's) doubles the bits that are right. */
function inverse(odd: number): number {
  let found = odd;
  for (let bits = 3; bits < 32; bits *= 2) found = Math.imul(found, 2 - Math.imul(odd, found));
  return found;
}

/** By lane, what the first so many partitions of a leaf count together, up to all of them. */
export const WEIGHT_OF_FIRST = WEIGHTS.map((weights) => {
  const sums = new Uint32Array(LEAF + 1);
  weights.forEach((weight, place) => (sums[place + 1] = sums[place]! + weight));
  return sums;
});

/** A number that looks like chance (the last step of MurmurHash3), always odd. */
function mixed(from: number): number {
  let mix = Math.imul(from, 0x9e3779b1);
  mix = Math.imul(mix ^ (mix >>> 16), 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return ((mix ^ (mix >>> 16)) | 1) >>> 0;
}

/** As many as a byte can tell apart. */
const MOST_CLASSES = 256;
const RUN_BYTES = 3;

/** What of a head is the same for many. */
interface HeadClass extends Pick<HeadFact, 'codeVersion' | 'upstreams' | 'invalidated' | 'failed'> {
  /** Whether there is a value to consume. */
  readonly value: boolean;
  /** Whether its fingerprint is one of ours. */
  readonly readable: boolean;
  /** Whether it consumed anything. */
  readonly consumed: boolean;
  /** Whether there is a value depends on who asks. */
  readonly volatile: boolean;
}

const NO_HEAD: HeadClass = {
  ...{ value: false, readable: true, consumed: false, volatile: false },
  ...{ codeVersion: null, upstreams: null, invalidated: false, failed: false },
};
/** Of what no class is left for: who finds it has to read the heads. */
const UNKNOWN: HeadClass = { ...NO_HEAD, volatile: true };

/** A chunk in memory. Its lanes are empty until they are needed. */
export class SummaryChunk {
  #classes: readonly HeadClass[];
  #places: Map<string, number> | undefined;
  /** As they were kept, until something changes. */
  #runs: Uint8Array | undefined;
  #classOf: Uint8Array | undefined;
  /** By leaf, {@link SUMS} each. */
  readonly versionSums: Uint32Array;
  readonly inputSums: Uint32Array;
  #lanes: Partial<Record<LaneName, Uint32Array>> = {};

  private constructor(
    readonly number: number,
    classes: readonly HeadClass[],
    runs: Uint8Array,
    sums: readonly [versions: Uint32Array, inputs: Uint32Array],
  ) {
    this.#classes = classes;
    this.#runs = runs;
    [this.versionSums, this.inputSums] = sums;
  }

  /** One without any head. */
  static empty(number: number): SummaryChunk {
    const sums = [new Uint32Array(LEAVES * SUMS), new Uint32Array(LEAVES * SUMS)] as const;
    const chunk = new SummaryChunk(number, [NO_HEAD], new Uint8Array(0), sums);
    for (const name of LANE_NAMES) chunk.#lanes[name] = new Uint32Array(CHUNK);
    return chunk;
  }

  static read({ chunk, classes, runs, versionSums, inputSums }: KeptChunk): SummaryChunk {
    return new SummaryChunk(chunk, classes as readonly HeadClass[], runs, [words(versionSums), words(inputSums)]);
  }

  get classes(): readonly HeadClass[] {
    return this.#classes;
  }

  /** Tells of all places in runs that are of one class; what is left out at the end is of the first class, without heads. */
  eachRun(visit: (kind: number, from: number, to: number) => void): void {
    const runs = this.#runs ?? runsIn(this.#classOf!);
    let to = 0;
    for (let at = 0; at < runs.length; at += RUN_BYTES) {
      const from = to;
      to += runs[at + 1]! + 256 * runs[at + 2]!;
      visit(runs[at]!, from, to);
    }
  }

  /** The class of each partition, to be written to. */
  get #writable(): Uint8Array {
    if (this.#classOf === undefined) {
      const classOf = new Uint8Array(CHUNK);
      this.eachRun((kind, from, to) => classOf.fill(kind, from, to));
      this.#classOf = classOf;
      this.#runs = undefined;
    }
    return this.#classOf;
  }

  /** Gives it lanes that were read by themselves. */
  give(lane: LaneName, values: Uint8Array): void {
    this.#lanes[lane] = words(values);
  }

  /** A lane that it has. */
  lane(name: LaneName): Uint32Array {
    return this.#lanes[name]!;
  }

  /** Records what the head of the partition at a place says now. Needs all lanes. */
  put(place: number, asset: string, head: HeadFact): void {
    const version = new Uint32Array(LANES);
    const inputs = new Uint32Array(LANES);
    const value = hasValue(head);
    let readable = true;
    if (value) {
      writeVersionLanes({ asset, partition: head.partition, dataVersion: head.dataVersion ?? '' }, version, 0);
      readable = writeFingerprintLanes(head.inputs, inputs, 0);
      if (!readable) inputs.fill(0);
    }
    const { codeVersion, upstreams, invalidated, failed } = head;
    const consumed = inputs.some((lane) => lane !== 0);
    const told = { failed, volatile: head.volatile ?? false };
    const kind = value
      ? { value, readable, consumed, codeVersion, upstreams, invalidated, ...told }
      : { ...NO_HEAD, ...told };
    this.#writable[place] = this.#classNumber(kind);
    this.#write(place, this.versionSums, ['versions_0', 'versions_1'], version);
    this.#write(place, this.inputSums, ['inputs_0', 'inputs_1'], inputs);
  }

  #classNumber(kind: HeadClass): number {
    const places = (this.#places ??= new Map(this.#classes.map((each, place) => [textOf(each), place])));
    const known = places.get(textOf(kind));
    if (known !== undefined) return known;
    if (this.#classes.length === MOST_CLASSES) return MOST_CLASSES - 1;
    const added = this.#classes.length === MOST_CLASSES - 1 ? UNKNOWN : kind;
    places.set(textOf(added), this.#classes.length);
    this.#classes = [...this.#classes, added];
    return this.#classes.length - 1;
  }

  #write(place: number, sums: Uint32Array, names: readonly LaneName[], now: Uint32Array): void {
    const at = Math.floor(place / LEAF) * SUMS;
    for (let lane = 0; lane < KEPT_LANES; lane++) {
      const values = this.lane(names[lane]!);
      const change = now[lane]! - values[place]!;
      values[place] = now[lane]!;
      sums[at + lane]! += change;
      sums[at + KEPT_LANES + lane]! += Math.imul(WEIGHTS[lane]![place % LEAF]!, change);
    }
  }

  /** As it is to be kept. Needs all lanes. Classes that nothing is of any more are left out. */
  whole(): WholeChunk {
    const classOf = this.#writable;
    const used = [0, ...new Set(classOf)].filter((each, at) => at === 0 || each !== 0);
    const renamed = new Uint8Array(MOST_CLASSES);
    used.forEach((before, now) => (renamed[before] = now));
    const lane = (name: LaneName): Uint8Array => bytes(this.lane(name));
    return {
      chunk: this.number,
      classes: used.map((each) => this.#classes[each]!),
      runs: runsIn(classOf.map((each) => renamed[each]!)),
      versionSums: bytes(this.versionSums),
      inputSums: bytes(this.inputSums),
      lanes: {
        versions_0: lane('versions_0'),
        versions_1: lane('versions_1'),
        inputs_0: lane('inputs_0'),
        inputs_1: lane('inputs_1'),
      },
    };
  }
}

/** Runs as they are kept: class, and length in two bytes. */
function runsIn(classOf: Uint8Array): Uint8Array {
  const runs: number[] = [];
  for (let from = 0; from < CHUNK;) {
    let to = from + 1;
    while (to < CHUNK && classOf[to] === classOf[from]) to++;
    runs.push(classOf[from]!, (to - from) % 256, Math.floor((to - from) / 256));
    from = to;
  }
  return Uint8Array.from(runs);
}

/** Whether what is of a class differs from its declaration by itself. */
export function classDiffers(asset: PlanningAsset, upstreams: string, kind: HeadClass): boolean {
  return !kind.readable || declarationDiffers(asset, upstreams, kind);
}

function textOf({
  value,
  readable,
  consumed,
  volatile,
  codeVersion,
  upstreams,
  invalidated,
  failed,
}: HeadClass): string {
  return JSON.stringify([value, readable, consumed, volatile, codeVersion, upstreams, invalidated, failed]);
}

/** Bytes as the numbers they are of. */
export function words({ buffer, byteOffset, byteLength }: Uint8Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, byteLength / 4);
}

function bytes({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

export function isSame(one: Uint32Array, other: Uint32Array): boolean {
  return Buffer.compare(bytes(one), bytes(other)) === 0;
}
