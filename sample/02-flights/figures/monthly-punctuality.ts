// How punctual a month was, over all airports. Pure.
import type { AirportDelays } from './daily-delays.js';

/** The flights of a month, and those that were more than 15 minutes late. */
export interface Punctuality {
  flights: number;
  late: number;
  /** 0 to 1. */
  lateShare: number;
}

/** Throws where there is no flight at all. */
export async function punctualityOf(
  days: AsyncIterable<readonly [string, readonly Pick<AirportDelays, 'flights' | 'lateShare'>[]]>,
): Promise<Punctuality> {
  let flights = 0;
  let late = 0;
  for await (const [, airports] of days) {
    for (const airport of airports) {
      flights += airport.flights;
      // It was divided by the number of flights: the whole number is the nearest one.
      late += Math.round(airport.lateShare * airport.flights);
    }
  }
  if (flights === 0) throw new RangeError('no punctuality of no flights');
  return { flights, late, lateShare: late / flights };
}
