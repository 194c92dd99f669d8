// What the flights sample's figures must be, given the independent reference: counts exact, means within 1e-9.
import { expect } from '@jest/globals';
import type { RankedAirport } from '../../sample/02-flights/figures/airport-ranking.js';
import type { AirportDelays } from '../../sample/02-flights/figures/daily-delays.js';
import type { ReviewedMonth } from '../../sample/02-flights/assets/quality-review.asset.js';
import type { Network } from '../../sample/02-flights/figures/monthly-network.js';
import { nearestRank, type Reference, type ReferenceDelays, type ReferenceMonth } from './flights-reference.js';

function expectNear(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  // NaN must fail too, so the differences are judged by what is near rather than by what is far.
  expect(actual.filter((value, index) => !(Math.abs(value - expected[index]!) < 1e-9))).toEqual([]);
}

export function expectDelays(actual: readonly AirportDelays[], expected: ReadonlyMap<string, ReferenceDelays>): void {
  const figures = [...expected].sort(([a], [b]) => (a < b ? -1 : 1));
  expect(actual.map(({ airport, flights, p95Delay }) => [airport, flights, p95Delay])).toEqual(
    figures.map(([airport, delays]) => [airport, delays.flights, nearestRank(delays, 95)]),
  );
  expectNear(
    actual.map(({ meanDelay }) => meanDelay),
    figures.map(([, { delaySum, flights }]) => delaySum / flights),
  );
  expectNear(
    actual.map(({ lateShare }) => lateShare),
    figures.map(([, { late, flights }]) => late / flights),
  );
}

export function expectNetwork(actual: Network, expected: ReferenceMonth): void {
  const most = Math.max(...expected.routes.values());
  const busiest = [...expected.routes.keys()].filter((route) => expected.routes.get(route) === most).sort()[0];
  expect(actual.flights).toBe(expected.flights);
  expect(actual.routes).toBe(expected.routes.size);
  expect(`${actual.busiest.origin}-${actual.busiest.destination}`).toBe(busiest);
  expect(actual.busiest.flights).toBe(most);
  expectNear([actual.averageDistance], [expected.miles / expected.flights]);
}

/** Late flights of each month, and where the share was expected to be by the months before: t quantiles by hand. */
export function expectReviews(actual: ReadonlyMap<string, ReviewedMonth>, { days }: Reference): void {
  const months = new Map<string, { flights: number; late: number }>();
  for (const [day, airports] of days) {
    const total = months.get(day.slice(0, 7)) ?? { flights: 0, late: 0 };
    for (const { flights, late } of airports.values()) {
      total.flights += flights;
      total.late += late;
    }
    months.set(day.slice(0, 7), total);
  }
  const shares = [...months.values()].map(({ flights, late }) => late / flights);
  const quantiles: Readonly<Record<number, number>> = { 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571 };
  for (const [index, [month, { flights, late }]] of [...months].entries()) {
    const { usual, ...reviewed } = actual.get(month)!;
    expect(reviewed).toMatchObject({ flights, late, lateShare: late / flights });
    const quantile = quantiles[index];
    if (quantile === undefined) {
      expect(usual).toBeNull();
      continue;
    }
    const before = shares.slice(0, index);
    const mean = before.reduce((sum, share) => sum + share) / index;
    const squares = before.reduce((sum, share) => sum + share * share, 0) - index * mean * mean;
    const reach =
      quantile * Math.sqrt((squares / (index - 1)) * ((index + 1) / index) + (mean - mean * mean) / flights);
    expectNear([usual!.from, usual!.to], [Math.max(0, mean - reach), Math.min(1, mean + reach)]);
  }
}

export function expectRanking(actual: readonly RankedAirport[], { days, rows }: Reference): void {
  const totals = new Map<string, { flights: number; delaySum: number; late: number }>();
  for (const airports of days.values()) {
    for (const [airport, { flights, delaySum, late }] of airports) {
      const total = totals.get(airport) ?? { flights: 0, delaySum: 0, late: 0 };
      totals.set(airport, {
        flights: total.flights + flights,
        delaySum: total.delaySum + delaySum,
        late: total.late + late,
      });
    }
  }
  expect(actual.reduce((sum, { flights }) => sum + flights, 0)).toBe(rows);
  expect(actual.map(({ airport }) => airport).sort()).toEqual([...totals.keys()].sort());
  actual.forEach(({ rank, airport, flights, meanDelay, lateShare }, index) => {
    const total = totals.get(airport)!;
    expect(rank).toBe(index + 1);
    expect(flights).toBe(total.flights);
    expect(flights).toBeLessThanOrEqual(actual[index - 1]?.flights ?? Infinity);
    expectNear([meanDelay, lateShare], [total.delaySum / total.flights, total.late / total.flights]);
  });
}
