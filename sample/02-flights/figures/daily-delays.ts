// The delays of one day, airport by airport. Pure.
import type { Flight } from '../source/flight.js';

/** How punctual one airport's departures were, over the flights that left it. */
export interface AirportDelays {
  /** IATA code of the airport of origin. */
  airport: string;
  flights: number;
  /** Minutes; flights that were early count as negative. */
  meanDelay: number;
  /** Minutes: the 95th percentile by nearest rank, so always the delay of one of the flights. */
  p95Delay: number;
  /** The share of flights more than 15 minutes late, 0 to 1. */
  lateShare: number;
}

/** One row per airport of origin, sorted by its code. */
export async function delaysByAirport(
  flights: AsyncIterable<Pick<Flight, 'origin' | 'delay' | 'late'>>,
): Promise<AirportDelays[]> {
  const airports = new Map<string, { delays: number[]; late: number }>();
  for await (const { origin, delay, late } of flights) {
    let airport = airports.get(origin);
    if (airport === undefined) airports.set(origin, (airport = { delays: [], late: 0 }));
    airport.delays.push(delay);
    if (late) airport.late += 1;
  }
  return [...airports]
    .map(([airport, { delays, late }]) => ({
      airport,
      flights: delays.length,
      meanDelay: delays.reduce((sum, delay) => sum + delay, 0) / delays.length,
      p95Delay: percentile(95, delays),
      lateShare: late / delays.length,
    }))
    .sort(byCode);
}

/** The nearest-rank percentile: the smallest value that at least `percent` per cent of the values do not exceed. */
export function percentile(percent: number, values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no percentile of no values');
  const sorted = values.toSorted((a, b) => a - b);
  // Whole numbers first: 0.95 * n may come out above a whole number and move the rank by one.
  const rank = Math.ceil((percent * sorted.length) / 100);
  return sorted[Math.max(rank, 1) - 1]!;
}

function byCode(a: AirportDelays, b: AirportDelays): number {
  return a.airport < b.airport ? -1 : 1;
}
