// What is told at the end: what was made, where it lies, how long it took, what to try next.
import { readdir, stat } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import type { FlowStoneService } from 'nestjs-flowstone';
import { AirportRanking } from '../assets/airport-ranking.asset.js';
import { aligned, megabytes, seconds, whole } from './format.js';

/** How many values were made, how long that took (ms), and the directory they lie in. */
export interface Outcome {
  made: number;
  /** Whether decisions were put off. */
  waits: boolean;
  took: number;
  directory: string;
}

const NEXT = [
  ['npm start', 'everything is fresh, nothing is computed'],
  ['npm start -- --print monthly_report --partition 2001-03', 'March, written up'],
  ['npm start -- --print daily_delays --partition 2001-03-04 --json', 'the figures of a day'],
  ['npm start -- --plan', 'after a change of codeVersion in sample/02-flights/assets/'],
].map(([command, meaning]) => `  ${command!.padEnd(66)}${meaning}`);

/** The lines of the summary. */
export async function summaryOf(
  flowstone: FlowStoneService,
  { made, waits, took, directory }: Outcome,
): Promise<string[]> {
  const { lines, complete } = await freshness(flowstone);
  return [
    made === 0 && !waits
      ? `Everything is fresh: nothing was computed (${seconds(took)}).`
      : `Made ${counted(made, 'value')} in ${seconds(took)}.`,
    ...(waits ? ['What waits for a decision is asked again at the next start.'] : []),
    '',
    ...lines,
    '',
    ...(complete ? [await findings(flowstone)] : []),
    `The ledger and every value lie in ${placeOf(directory)} (${megabytes(await sizeBelow(directory))}).`,
    '',
    'Try next:',
    ...NEXT,
  ];
}

/** How many partitions of each asset there are and are fresh; whether all are. */
async function freshness(flowstone: FlowStoneService): Promise<{ lines: string[]; complete: boolean }> {
  const rows: [string, number, number][] = [];
  for (const { key } of flowstone.graph().nodes) {
    const status = await flowstone.status(key);
    if ('state' in status) rows.push([key, 1, status.state === 'fresh' ? 1 : 0]);
    else rows.push([key, status.partitions, status.fresh]);
  }
  return {
    lines: aligned([
      ['asset', 'partitions', 'fresh'],
      ...rows.map(([key, partitions, fresh]) => [key, whole(partitions), whole(fresh)]),
    ]),
    complete: rows.every(([, partitions, fresh]) => partitions === fresh),
  };
}

async function findings(flowstone: FlowStoneService): Promise<string> {
  const ranking = await flowstone.load(AirportRanking);
  const flights = ranking.reduce((sum, airport) => sum + airport.flights, 0);
  const late = ranking.reduce((sum, airport) => sum + airport.lateShare * airport.flights, 0) / flights;
  const busiest = ranking[0]?.name ?? ranking[0]?.airport;
  return `${whole(flights)} flights left ${ranking.length} airports, most of them ${busiest}; ${(late * 100).toFixed(1)}% were late.`;
}

/** As seen from where the program was started, if it is below that. */
function placeOf(directory: string): string {
  const path = relative(process.cwd(), directory);
  return path.startsWith('..') || isAbsolute(path) ? directory : path || '.';
}

/** Bytes of all files below a directory. */
async function sizeBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => stat(join(entry.parentPath, entry.name)));
  return (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0);
}

function counted(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;
}
