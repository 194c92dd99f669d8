// The edge cases of the flights sample's plain functions that the real file does not hold.
import { describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCommandLine, UsageError } from '../../sample/02-flights/command-line.js';
import { cleanFlight } from '../../sample/02-flights/figures/cleaning.js';
import { delaysByAirport, percentile } from '../../sample/02-flights/figures/daily-delays.js';
import { networkOf } from '../../sample/02-flights/figures/monthly-network.js';
import { punctualityOf } from '../../sample/02-flights/figures/monthly-punctuality.js';
import { isUsual, usualRange } from '../../sample/02-flights/figures/usual-range.js';
import { rankAirports } from '../../sample/02-flights/figures/airport-ranking.js';
import { writeReport } from '../../sample/02-flights/figures/monthly-report.js';
import { readAirports, type Airport } from '../../sample/02-flights/source/airports.file.js';
import type { RawFlight } from '../../sample/02-flights/source/flight.js';

const RAW: RawFlight = {
  date: '2001-03-04T05:41:00',
  delay: 16,
  distance: 236,
  origin: 'LAX',
  destination: 'LAS',
};

async function* these<T>(...values: T[]): AsyncGenerator<T> {
  yield* values;
}

describe('cleaning', () => {
  it('adds typed columns to a flight', () => {
    expect(cleanFlight(RAW, '2001-03-04')).toEqual({ ...RAW, minute: 341, late: true });
  });

  it('counts a flight as late only after 15 minutes', () => {
    expect(cleanFlight({ ...RAW, delay: 15 }, '2001-03-04')?.late).toBe(false);
  });

  it('keeps flights that are a day early or late', () => {
    for (const delay of [-1116, 1688]) expect(cleanFlight({ ...RAW, delay }, '2001-03-04')?.delay).toBe(delay);
  });

  it.each<[string, Partial<RawFlight>]>([
    ['without a delay', { delay: null }],
    ['with half a minute of delay', { delay: 0.5 }],
    ['without a distance', { distance: null }],
    ['over no distance', { distance: 0 }],
    ['over a negative distance', { distance: -1 }],
    ['without an origin', { origin: null }],
    ['to no airport', { destination: '' }],
    ['to where it started', { destination: 'LAX' }],
    ['of another day', { date: '2001-03-05T00:00:00' }],
  ])('drops a flight %s', (_, change) => {
    expect(cleanFlight({ ...RAW, ...change }, '2001-03-04')).toBeUndefined();
  });
});

describe('the figures', () => {
  it.each([
    [1, 1],
    [19, 19],
    [20, 19],
    [21, 20],
    [100, 95],
    [140, 133],
  ])('take the 95th percentile of %i values by nearest rank', (count, expected) => {
    const values = Array.from({ length: count }, (_, index) => count - index);
    expect(percentile(95, values)).toBe(expected);
  });

  it('refuse a percentile of nothing', () => {
    expect(() => percentile(95, [])).toThrow(RangeError);
  });

  it('have no row for an airport no flight left from', async () => {
    const flight = cleanFlight(RAW, '2001-03-04')!;
    expect(await delaysByAirport(these(flight))).toEqual([
      { airport: 'LAX', flights: 1, meanDelay: 16, p95Delay: 16, lateShare: 1 },
    ]);
    expect(await delaysByAirport(these())).toEqual([]);
  });

  it('name the first of several busiest routes and tell the two directions apart', async () => {
    const there = { origin: 'LAX', destination: 'LAS', distance: 200 };
    const back = { origin: 'LAS', destination: 'LAX', distance: 300 };
    expect(await networkOf(these(['2001-03-04', these(there, back)] as const))).toEqual({
      routes: 2,
      busiest: { origin: 'LAS', destination: 'LAX', flights: 1 },
      flights: 2,
      averageDistance: 250,
    });
  });

  it('refuse the network of a month without flights', async () => {
    await expect(networkOf(these())).rejects.toThrow('no network of no flights');
  });

  it('rank airports that are not in the table too', async () => {
    const day = { airport: 'XXX', flights: 3, meanDelay: 1 / 3, p95Delay: 1, lateShare: 1 / 3 };
    expect(await rankAirports([['2001-03-04', [day]]], [])).toEqual([
      { rank: 1, airport: 'XXX', name: null, city: null, flights: 3, meanDelay: 1 / 3, lateShare: 1 / 3 },
    ]);
  });
});

describe('the usual range of late flights', () => {
  const months = [0.2, 0.22, 0.24];

  it('is not known with fewer than three months before, and then all is usual', () => {
    expect(usualRange(1000, [0.2, 0.22])).toBeUndefined();
    expect(isUsual(0.9, undefined)).toBe(true);
  });

  it('is the prediction interval of 95%', () => {
    // Mean 0.22, standard deviation 0.02, t(2) = 4.303; so many flights that chance is nothing.
    const reach = 4.303 * 0.02 * Math.sqrt(4 / 3);
    const { from, to } = usualRange(1e12, months)!;
    expect(from).toBeCloseTo(0.22 - reach, 6);
    expect(to).toBeCloseTo(0.22 + reach, 6);
    expect([0.22, from, to, from - 1e-9, to + 1e-9].map((share) => isUsual(share, { from, to }))).toEqual([
      ...[true, true, true, false, false],
    ]);
  });

  it('is wider where few flights were counted, narrower with more months, and within 0 to 1', () => {
    const [few, many] = [usualRange(6, months)!, usualRange(500_000, months)!];
    expect(few.to).toBeGreaterThan(many.to);
    expect(few.from).toBe(0);
    const year = usualRange(500_000, [...months, ...months, ...months, ...months])!;
    expect(year.to).toBeLessThan(many.to);
    expect(usualRange(1, [1, 1, 1, 0.5])!.to).toBe(1);
  });

  it('has the punctuality of a month from its airports', async () => {
    const days = these(
      ['2001-07-01', [{ flights: 3, lateShare: 1 / 3 }]] as const,
      ['2001-07-02', [{ flights: 1, lateShare: 1 }]] as const,
    );
    expect(await punctualityOf(days)).toEqual({ flights: 4, late: 2, lateShare: 0.5 });
    await expect(punctualityOf(these())).rejects.toThrow('no punctuality of no flights');
  });
});

describe('the report', () => {
  const airport: Airport = {
    code: 'LAX',
    name: 'Los | Angeles',
    city: 'Los Angeles',
    state: 'CA',
    country: 'USA',
    latitude: 33.9,
    longitude: -118.4,
  };
  const network = {
    routes: 1,
    busiest: { origin: 'LAX', destination: 'LAS', flights: 1 },
    flights: 1,
    averageDistance: 236,
  };
  const delays = [{ airport: 'LAX', flights: 1, meanDelay: -2, p95Delay: -2, lateShare: 0 }];

  it('reads well for a month of one flight', async () => {
    const days = these(['2001-07-01', delays] as const);
    const quality = { usual: null, review: null };
    const report = await writeReport({ month: '2001-07', network, quality, days, airports: [airport] });
    expect(report).toContain('# Flights in July 2001');
    expect(report).toContain('1 flight left 1 airport on 1 route over 1 day');
    expect(report).toContain('2.0 minutes early');
    expect(report).toContain('Los Angeles (LAX) to LAS, flown once.\n');
    expect(report).toContain('| Los \\| Angeles (LAX) | Los Angeles | 1 | -2.0 | 0.0% |');
    expect(report).not.toContain('worst day');
    expect(report).not.toContain('usual');
  });

  it('tells what is usual, and who let pass what is not', async () => {
    const reportOf = (review: { by: string; reason: string | null } | null): Promise<string> => {
      const quality = { usual: { from: 0.151, to: 0.25 }, review };
      return writeReport({
        month: '2001-07',
        network,
        quality,
        days: these(['2001-07-01', delays] as const),
        airports: [],
      });
    };
    expect(await reportOf(null)).toContain('That is as usual (15.1% to 25.0%). The busiest');
    expect(await reportOf({ by: 'ann', reason: null })).toContain(
      'not as usual (15.1% to 25.0%); it was let pass by ann.',
    );
    expect(await reportOf({ by: 'ann', reason: 'snow' })).toContain('let pass by ann (snow).');
  });
});

describe('the table of airports', () => {
  it('keeps quoted commas and leaves unknown cities out', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'airports-'));
    const path = join(directory, 'airports.csv');
    await writeFile(path, 'iata,name,city,state,country,latitude,longitude\nAAA,"A, ""B""",NA,NA,USA,1.5,-2\n');
    expect(await readAirports(path)).toEqual([
      { code: 'AAA', name: 'A, "B"', city: null, state: null, country: 'USA', latitude: 1.5, longitude: -2 },
    ]);
    await writeFile(path, 'iata,name\nAAA,A\n');
    await expect(readAirports(path)).rejects.toThrow('has no column city; it has iata, name');
    await rm(directory, { recursive: true });
  });
});

describe('the command line', () => {
  it.each([
    [[], { kind: 'build', autoApprove: false, target: '*', partition: undefined }],
    [['--auto-approve'], { kind: 'build', autoApprove: true, target: '*', partition: undefined }],
    [
      ['--partition', '2001-03-04'],
      { kind: 'build', autoApprove: false, target: 'daily_delays', partition: '2001-03-04' },
    ],
    [['--partition', '2001-03'], { kind: 'build', autoApprove: false, target: 'monthly_report', partition: '2001-03' }],
    [
      ['--select', 'group:figures'],
      { kind: 'build', autoApprove: false, target: 'group:figures', partition: undefined },
    ],
    [['--plan', '--select', '+a'], { kind: 'plan', target: '+a', partition: undefined }],
    [
      ['--print', 'daily_delays', '--partition', '2001-03-04', '--json'],
      { kind: 'print', asset: 'daily_delays', partition: '2001-03-04', json: true },
    ],
    [['--help', '--print', 'x'], { kind: 'help' }],
  ])('understands %j', (args, command) => {
    expect(parseCommandLine(args)).toEqual(command);
  });

  it.each([
    [['--nope']],
    [['something']],
    [['--json']],
    [['--print']],
    [['--print', 'a', '--plan']],
    [['--plan', '--auto-approve']],
  ])('refuses %j', (args) => {
    expect(() => parseCommandLine(args)).toThrow(UsageError);
  });
});
