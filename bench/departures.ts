// Rows for the benches of values: made as they are asked for, of several types, with nulls and repetitions.
import type { ParquetType } from '../lib/index.js';

export const DEPARTURES = {
  id: 'int64',
  at: 'timestamp',
  carrier: 'string',
  flight: 'string',
  delay: 'double',
  distance: 'int32',
  cancelled: 'boolean',
  note: 'string',
} as const satisfies Record<string, ParquetType>;

export interface Departure {
  readonly id: bigint;
  readonly at: Date;
  readonly carrier: string;
  readonly flight: string;
  readonly delay: number | null;
  readonly distance: number;
  readonly cancelled: boolean;
  readonly note: string | null;
}

const CARRIERS = ['AA', 'DL', 'UA', 'WN', 'B6', 'AS', 'NK', 'F9', 'HA', 'G4'];
const START = Date.UTC(2001, 0, 1);
const MINUTE = 60_000;

export async function* departures(count: number): AsyncGenerator<Departure> {
  for (let index = 0; index < count; index++) yield departure(index);
}

/** Of the distances of so many. */
export function departureSum(count: number): number {
  let sum = 0;
  for (let index = 0; index < count; index++) sum += distanceOf(index);
  return sum;
}

function departure(index: number): Departure {
  return {
    id: BigInt(index),
    at: new Date(START + index * MINUTE),
    carrier: CARRIERS[(index * 7) % CARRIERS.length]!,
    flight: `FS${(index * 7919) % 1_000_003}`,
    delay: index % 11 === 0 ? null : ((index * 37) % 1000) / 7,
    distance: distanceOf(index),
    cancelled: index % 13 === 0,
    note: index % 5 === 0 ? `note ${index % 97} – späť` : null,
  };
}

function distanceOf(index: number): number {
  return (index * 131) % 5000;
}
