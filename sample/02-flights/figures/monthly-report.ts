// Writes a month up in Markdown, for people. Pure.
import type { Airport } from '../source/airports.file.js';
import type { AirportDelays } from './daily-delays.js';
import { rankAirports, type RankedAirport } from './airport-ranking.js';
import type { Network } from './monthly-network.js';

const AIRPORTS_SHOWN = 10;
// Among small airports a handful of flights makes the order of punctuality.
const PUNCTUAL_AMONG = 30;

/** What a report is made of. */
export interface ReportSource {
  /** `2001-03` */
  month: string;
  network: Network;
  days: AsyncIterable<readonly [string, readonly AirportDelays[]]>;
  airports: readonly Airport[];
}

/** The report of one month as Markdown. */
export async function writeReport({ month, network, days, airports }: ReportSource): Promise<string> {
  const seen: DayFigures[] = [];
  const ranking = await rankAirports(watched(days, seen), airports);
  const late = ranking.reduce((sum, airport) => sum + airport.lateShare * airport.flights, 0) / network.flights;
  const delay = ranking.reduce((sum, airport) => sum + airport.meanDelay * airport.flights, 0) / network.flights;
  const { origin, destination, flights } = network.busiest;
  return [
    `# Flights in ${monthName(month)}`,
    '',
    `${counted(network.flights, 'flight')} left ${counted(ranking.length, 'airport')} on ${counted(network.routes, 'route')}` +
      ` over ${counted(seen.length, 'day')}, ${whole(network.averageDistance)} miles long on average.` +
      ` On average a flight was ${punctuality(delay)}; ${percent(late)} were more than 15 minutes late.`,
    '',
    `The busiest route was ${placeOf(origin, airports)} to ${placeOf(destination, airports)}, flown ${whole(flights)} ${flights === 1 ? 'time' : 'times'}.` +
      ` ${worstDay(seen)}`,
    '',
    '## Busiest airports',
    '',
    ...table(ranking.slice(0, AIRPORTS_SHOWN)),
    '',
    '## Most punctual',
    '',
    ranking.length > PUNCTUAL_AMONG
      ? `Of the ${PUNCTUAL_AMONG} busiest airports, by the share of flights that were late.`
      : 'By the share of flights that were late.',
    '',
    ...table(
      ranking
        .slice(0, PUNCTUAL_AMONG)
        .sort((a, b) => a.lateShare - b.lateShare || a.rank - b.rank)
        .slice(0, AIRPORTS_SHOWN),
    ),
    '',
  ].join('\n');
}

interface DayFigures {
  day: string;
  flights: number;
  lateShare: number;
}

/** Passes the days on and notes each day's totals, so that the days are read once. */
async function* watched(
  days: ReportSource['days'],
  seen: DayFigures[],
): AsyncGenerator<readonly [string, readonly AirportDelays[]]> {
  for await (const [day, delays] of days) {
    const flights = delays.reduce((sum, airport) => sum + airport.flights, 0);
    const late = delays.reduce((sum, airport) => sum + airport.lateShare * airport.flights, 0);
    seen.push({ day, flights, lateShare: flights === 0 ? 0 : late / flights });
    yield [day, delays];
  }
}

function worstDay(days: readonly DayFigures[]): string {
  const [worst] = days.toSorted((a, b) => b.lateShare - a.lateShare || (a.day < b.day ? -1 : 1));
  if (worst === undefined || days.length === 1) return '';
  return `The latest day was ${dayName(worst.day)}, when ${percent(worst.lateShare)} of ${counted(worst.flights, 'flight')} were late.`;
}

function table(airports: readonly RankedAirport[]): string[] {
  return [
    '| Airport | City | Flights | Mean delay (min) | Late |',
    '| --- | --- | ---: | ---: | ---: |',
    ...airports.map(
      ({ airport, name, city, flights, meanDelay, lateShare }) =>
        `| ${name === null ? airport : `${cell(name)} (${airport})`} | ${cell(city ?? '')} | ${whole(flights)} | ${meanDelay.toFixed(1)} | ${percent(lateShare)} |`,
    ),
  ];
}

/** A bar or a line break would end the table's cell. */
function cell(text: string): string {
  return text.replaceAll(/[\r\n]+/g, ' ').replaceAll('|', '\\|');
}

function placeOf(code: string, airports: readonly Airport[]): string {
  const city = airports.find((airport) => airport.code === code)?.city;
  return city ? `${city} (${code})` : code;
}

function punctuality(minutes: number): string {
  return minutes < 0 ? `${(-minutes).toFixed(1)} minutes early` : `${minutes.toFixed(1)} minutes late`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function counted(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function monthName(month: string): string {
  return inUtc(`${month}-01`, { month: 'long', year: 'numeric' });
}

function dayName(day: string): string {
  return inUtc(day, { weekday: 'long', day: 'numeric', month: 'long' });
}

function inUtc(day: string, form: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat('en-GB', { ...form, timeZone: 'UTC' }).format(new Date(`${day}T00:00:00Z`));
}
