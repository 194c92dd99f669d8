// Every aggregate the flights sample makes, compared with one computed independently over the whole file. The sample's
// plain functions and its reader only; what the library stores of them is checked by flights-stored.test.ts.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { rankAirports, type RankedAirport } from '../../sample/02-flights/figures/airport-ranking.js';
import { cleanFlight } from '../../sample/02-flights/figures/cleaning.js';
import { delaysByAirport, type AirportDelays } from '../../sample/02-flights/figures/daily-delays.js';
import { networkOf, type Network } from '../../sample/02-flights/figures/monthly-network.js';
import { readAirports } from '../../sample/02-flights/source/airports.file.js';
import type { Flight } from '../../sample/02-flights/source/flight.js';
import { FlightsFile } from '../../sample/02-flights/source/flights.file.js';
import { expectDelays, expectNetwork, expectRanking } from './flights-expectations.js';
import { computeReference, DATA, type Reference } from './flights-reference.js';

const MS_PER_DAY = 86_400_000;
const DAYS = Array.from({ length: 182 }, (_, day) =>
  new Date(Date.UTC(2001, 0, 1) + day * MS_PER_DAY).toISOString().slice(0, 10),
);
const MONTHS = [...new Set(DAYS.map((day) => day.slice(0, 7)))];

/** By hand, since an async generator over millions of rows costs seconds. */
function these<T>(values: readonly T[]): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = values[Symbol.iterator]();
      return { next: () => Promise.resolve(iterator.next()) };
    },
  };
}

describe('the figures of three million flights', () => {
  let reference: Reference;
  let dropped = 0;
  let rows = 0;
  const delays = new Map<string, AirportDelays[]>();
  const networks = new Map<string, Network>();
  let ranking: RankedAirport[];

  /** One day through reader, cleaning and daily figures; gives the flights on for the month. */
  async function day(file: FlightsFile, key: string): Promise<Flight[]> {
    const flights: Flight[] = [];
    for await (const raw of await file.day(key)) {
      const flight = cleanFlight(raw, key);
      if (flight) flights.push(flight);
      else dropped++;
      rows++;
    }
    delays.set(key, await delaysByAirport(these(flights)));
    return flights;
  }

  beforeAll(async () => {
    reference = await computeReference();
    const file = await FlightsFile.open(join(DATA, 'flights-3m.parquet'));
    for (const month of MONTHS) {
      const keys = DAYS.filter((key) => key.startsWith(month));
      networks.set(
        month,
        await networkOf(
          (async function* () {
            for (const key of keys) yield [key, these(await day(file, key))] as const;
          })(),
        ),
      );
    }
    ranking = await rankAirports(these([...delays]), await readAirports(join(DATA, 'airports.csv')));
  }, 600_000);

  it('come from 3,000,000 rows over 182 days, none of them impossible', () => {
    expect(reference.rows).toBe(3_000_000);
    expect([...reference.days.keys()]).toEqual(DAYS);
    expect(rows).toBe(3_000_000);
    expect(dropped).toBe(0);
  });

  it('are those of the whole file for every airport on every day', () => {
    for (const key of DAYS) expectDelays(delays.get(key)!, reference.days.get(key)!);
  });

  it('are those of the whole file for the network of every month', () => {
    expect([...reference.months.keys()]).toEqual(MONTHS);
    for (const month of MONTHS) expectNetwork(networks.get(month)!, reference.months.get(month)!);
  });

  it('are those of the whole file for every airport over all days', () => {
    expectRanking(ranking, reference);
    expect(ranking.filter(({ name }) => name === null)).toEqual([]);
  });

  it('hold six flights on the last day and nothing after it', async () => {
    const file = await FlightsFile.open(join(DATA, 'flights-3m.parquet'));
    expect(delays.get('2001-07-01')!.reduce((sum, { flights }) => sum + flights, 0)).toBe(6);
    for (const key of ['2000-12-31', '2001-07-02']) {
      for await (const flight of await file.day(key)) throw new Error(`a flight on ${key}: ${flight.date}`);
    }
  });
});
