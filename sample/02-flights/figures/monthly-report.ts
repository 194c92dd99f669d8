// Writes a month up in Markdown, for people. Pure.
import type { Airport } from '../source/airports.file.js';
import type { AirportDelays } from './daily-delays.js';
import { rankAirports, type RankedAirport } from './airport-ranking.js';
import type { Network } from './monthly-network.js';
import type { UsualRange } from './usual-range.js';
import { percent } from './percent.js';

const AIRPORTS_SHOWN = 10;
// Among small airports a handful of flights makes the order of punctuality.
const PUNCTUAL_AMONG = 30;

/** How the share of late flights compares with the months before, and who let it pass where it is unusual. */
export interface Quality {
  usual: UsualRange | null;
  review: { by: string; reason: string | null } | null;
}

/** What a report is made of. */
export interface ReportSource {
  /** `2001-03` */
  month: string;
  network: Network;
  quality: Quality;
  days: AsyncIterable<readonly [string, readonly AirportDelays[]]>;
  airports: readonly Airport[];
}

/** The report of one month as Markdown. */
export async function writeReport({ month, network, quality, days, airports }: ReportSource): Promise<string> {
  const figures: (readonly [string, readonly AirportDelays[]])[] = [];
  for await (const day of days) figures.push(day);
  const ranking = await rankAirports(figures, airports);
  return [
    `# Flights in ${monthName(month)}`,
    '',
    `${counted(network.flights, 'flight')} left ${counted(ranking.length, 'airport')} on ${counted(network.routes, 'route')}` +
      ` over ${counted(figures.length, 'day')}, ${whole(network.averageDistance)} miles long on average.` +
      ` On average a flight was ${punctuality(mean(ranking, 'meanDelay'))};` +
      ` ${percent(mean(ranking, 'lateShare'))} were more than 15 minutes late.`,
    '',
    [...compared(quality), busiestRoute(network, airports), ...worstDay(figures)].join(' '),
    '',
    '## Busiest airports',
    '',
    ...table(ranking.slice(0, AIRPORTS_SHOWN)),
    '',
    ...mostPunctual(ranking),
    '',
  ].join('\n');
}

/** No sentence where there are too few months before. */
function compared({ usual, review }: Quality): string[] {
  if (!usual) return [];
  const range = `${percent(usual.from)} to ${percent(usual.to)}`;
  if (!review) return [`That is as usual (${range}).`];
  const reason = review.reason === null ? '' : ` (${review.reason})`;
  return [`That is not as usual (${range}); it was let pass by ${review.by}${reason}.`];
}

function busiestRoute({ busiest: { origin, destination, flights } }: Network, airports: readonly Airport[]): string {
  const times = flights === 1 ? 'once' : `${whole(flights)} times`;
  return `The busiest route was ${placeOf(origin, airports)} to ${placeOf(destination, airports)}, flown ${times}.`;
}

/** No sentence where there is no other day to compare with. */
function worstDay(days: readonly (readonly [string, readonly AirportDelays[]])[]): string[] {
  if (days.length < 2) return [];
  const shares = days.map(([day, delays]) => ({ day, lateShare: mean(delays, 'lateShare'), flights: total(delays) }));
  const worst = shares.reduce((a, b) => (b.lateShare > a.lateShare ? b : a));
  return [
    `The worst day was ${dayName(worst.day)}, when ${percent(worst.lateShare)} of ${counted(worst.flights, 'flight')} were late.`,
  ];
}

function mostPunctual(ranking: readonly RankedAirport[]): string[] {
  if (ranking.length <= PUNCTUAL_AMONG) return [];
  const punctual = ranking
    .slice(0, PUNCTUAL_AMONG)
    .sort((a, b) => a.lateShare - b.lateShare || a.rank - b.rank)
    .slice(0, AIRPORTS_SHOWN);
  return [
    '## Most punctual',
    '',
    `Of the ${PUNCTUAL_AMONG} busiest airports, those with the fewest late flights.`,
    '',
    ...table(punctual),
  ];
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

interface Punctuality {
  flights: number;
  meanDelay: number;
  lateShare: number;
}

function total(figures: readonly Punctuality[]): number {
  return figures.reduce((sum, { flights }) => sum + flights, 0);
}

/** The mean over all flights of figures that are each a mean over some of them. */
function mean(figures: readonly Punctuality[], figure: 'meanDelay' | 'lateShare'): number {
  return figures.reduce((sum, row) => sum + row[figure] * row.flights, 0) / total(figures);
}

function placeOf(code: string, airports: readonly Airport[]): string {
  const city = airports.find((airport) => airport.code === code)?.city;
  return city ? `${city} (${code})` : code;
}

function punctuality(minutes: number): string {
  return minutes < 0 ? `${(-minutes).toFixed(1)} minutes early` : `${minutes.toFixed(1)} minutes late`;
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
