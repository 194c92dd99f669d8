// The fingerprint of a set of consumed versions: 128 bits, the sum of the hashes of its members, so that neither order
// matters nor has a set to be built to compare it. Kept as four 32-bit lanes in typed arrays.

import { hash } from 'node:crypto';
import type { InputVersion } from './planning.port.js';

export const LANES = 4;
const laneDigits = 8;

/**
 * The fingerprint a head records of what it consumed: 32 hexadecimal digits, equal exactly for equal sets of
 * (asset, partition, data version). What is consumed through two dependencies counts once.
 */
export function inputsFingerprint(inputs: Iterable<InputVersion>): string {
  let members: Set<string> | undefined;
  for (const { asset, partition, dataVersion } of inputs) {
    (members ??= new Set()).add(memberText(asset, partition, dataVersion));
  }
  return members ? sumOf(members) : OF_NOTHING;
}

const OF_NOTHING = '0'.repeat(LANES * laneDigits);

function sumOf(members: ReadonlySet<string>): string {
  const sum = new Uint32Array(LANES);
  const lanes = new Uint32Array(LANES);
  for (const member of members) {
    readLanes(hash('sha256', member, 'hex'), lanes, 0);
    for (let lane = 0; lane < LANES; lane++) sum[lane]! += lanes[lane]!;
  }
  return fingerprintText(sum);
}

/** The fingerprint of which these are the lanes. */
export function fingerprintText(lanes: Uint32Array): string {
  return Array.from(lanes, (lane) => lane.toString(16).padStart(laneDigits, '0')).join('');
}

/** Writes the hash of one version, its share in the fingerprint of whatever consumes it, to `into[at .. at + 4)`. */
export function writeVersionLanes(input: InputVersion, into: Uint32Array, at: number): void {
  readLanes(hash('sha256', memberText(input.asset, input.partition, input.dataVersion), 'hex'), into, at);
}

/** Writes a recorded fingerprint to `into[at .. at + 4)`; false, when it is none of ours. */
export function writeFingerprintLanes(fingerprint: string | null, into: Uint32Array, at: number): boolean {
  if (fingerprint?.length !== LANES * laneDigits) return false;
  return readLanes(fingerprint, into, at);
}

/** Unambiguous whatever the texts contain: the first two are preceded by their lengths. */
function memberText(asset: string, partition: string, dataVersion: string): string {
  return `${asset.length} ${partition.length} ${asset}${partition}${dataVersion}`;
}

function readLanes(digits: string, into: Uint32Array, at: number): boolean {
  for (let lane = 0; lane < LANES; lane++) {
    const value = Number.parseInt(digits.slice(lane * laneDigits, (lane + 1) * laneDigits), 16);
    if (Number.isNaN(value)) return false;
    into[at + lane] = value;
  }
  return true;
}
