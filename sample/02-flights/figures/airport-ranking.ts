// All days of all airports put together, and the airports put in order. Pure.
import type { Airport } from '../source/airports.file.js';
import type { AirportDelays } from './daily-delays.js';

/** An airport's place over several days. */
export interface RankedAirport {
  /** 1 is the airport most flights left from; airports with as many are in the order of their codes. */
  rank: number;
  /** IATA code. */
  airport: string;
  /** The airport's name and place in the table of airports; null where the table has none. */
  name: string | null;
  city: string | null;
  flights: number;
  /** Minutes per flight. */
  meanDelay: number;
  /** The share of flights more than 15 minutes late, 0 to 1. */
  lateShare: number;
}

/** Each day's key with its figures; a list of them serves as well as a stream. */
export type Days =
  AsyncIterable<readonly [string, readonly AirportDelays[]]> | Iterable<readonly [string, readonly AirportDelays[]]>;

/** One row per airport any flight left from, busiest first. */
export async function rankAirports(days: Days, airports: readonly Airport[]): Promise<RankedAirport[]> {
  const known = new Map(airports.map((airport) => [airport.code, airport]));
  return (await totalsByAirport(days)).map((total, index) => ({
    rank: index + 1,
    airport: total.airport,
    name: known.get(total.airport)?.name ?? null,
    city: known.get(total.airport)?.city ?? null,
    flights: total.flights,
    meanDelay: total.delay / total.flights,
    lateShare: total.late / total.flights,
  }));
}

/** Whole sums, so that the figures do not depend on how flights were spread over the days. */
interface Totals {
  airport: string;
  flights: number;
  /** Minutes over all flights. */
  delay: number;
  late: number;
}

async function totalsByAirport(days: Days): Promise<Totals[]> {
  const totals = new Map<string, Totals>();
  for await (const [, delays] of days) {
    for (const { airport, flights, meanDelay, lateShare } of delays) {
      let total = totals.get(airport);
      if (total === undefined) totals.set(airport, (total = { airport, flights: 0, delay: 0, late: 0 }));
      total.flights += flights;
      // Both were divided by the number of flights: the whole number is the nearest one.
      total.delay += Math.round(meanDelay * flights);
      total.late += Math.round(lateShare * flights);
    }
  }
  return [...totals.values()].sort((a, b) => b.flights - a.flights || (a.airport < b.airport ? -1 : 1));
}
