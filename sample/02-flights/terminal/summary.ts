// What is told after a run: what was made, where it lies, how long it took, what to try next.
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { FlowStoneService, RunResult } from 'nestjs-flowstone';
import { AirportRanking } from '../assets/airport-ranking.asset.js';
import { FLIGHTS_ASSETS } from '../flights.module.js';
import { aligned, megabytes, seconds, whole } from './format.js';

/** Where the run's values lie and how long it took, ms. */
export interface Circumstances {
  directory: string;
  took: number;
}

/** The summary of a run that succeeded, as lines. */
export async function summaryOf(
  flowstone: FlowStoneService,
  { counts }: RunResult,
  { directory, took }: Circumstances,
): Promise<string[]> {
  const headline =
    counts.success === 0
      ? `Everything is fresh: nothing was computed (${seconds(took)}).`
      : `Made ${whole(counts.success)} values in ${seconds(took)}; ${whole(counts.skipped)} came out as they were.`;
  return [
    headline,
    '',
    ...(await freshness(flowstone)),
    ...(await figures(flowstone)),
    '',
    `All of it lies in ${relative(process.cwd(), directory) || '.'} (${megabytes(await sizeBelow(directory))}): the ledger, and every value as a file.`,
    '',
    'Try next:',
    ...aligned([
      ['  npm start', 'again: everything is fresh, nothing is computed'],
      ['  npm start -- --print monthly_report --partition 2001-03', 'March, written up'],
      ['  npm start -- --print daily_delays --partition 2001-03-04 --json', 'the figures of one day'],
      [
        '  change codeVersion in sample/02-flights/assets/daily-delays.asset.ts, then npm start -- --plan',
        'what would be made anew, and why',
      ],
    ]),
  ];
}

/** How many of each asset's partitions there are and are fresh. */
async function freshness(flowstone: FlowStoneService): Promise<string[]> {
  const rows = [['Asset', 'partitions', 'fresh']];
  for (const asset of FLIGHTS_ASSETS) {
    const { counts } = await flowstone.status(asset);
    rows.push([asset.name, whole(counts.total), whole(counts.fresh)]);
  }
  return aligned(rows);
}

/** What the values say, once all of them are there. */
async function figures(flowstone: FlowStoneService): Promise<string[]> {
  const ranking = await flowstone.load(AirportRanking);
  const flights = ranking.reduce((sum, airport) => sum + airport.flights, 0);
  const [busiest] = ranking;
  return [`${whole(flights)} flights left ${ranking.length} airports, most of them ${busiest?.name}.`];
}

/** Bytes of all files below a directory. */
async function sizeBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => stat(join(entry.parentPath, entry.name)));
  return (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0);
}
