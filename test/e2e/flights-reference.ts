// The figures of the whole flights file, computed on purpose by other code than the sample's: one pass over the decoded
// columns in the order of the file, no days asked for, histograms instead of sorting.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parquetMetadata, parquetRead } from 'hyparquet';
import { decompress } from 'fzstd';

export interface ReferenceDelays {
  flights: number;
  delaySum: number;
  late: number;
  /** How many flights had which delay. */
  histogram: Map<number, number>;
}

export interface ReferenceMonth {
  flights: number;
  miles: number;
  routes: Map<string, number>;
}

export interface Reference {
  rows: number;
  /** Day to airport of origin to figures. */
  days: Map<string, Map<string, ReferenceDelays>>;
  months: Map<string, ReferenceMonth>;
}

/** Where vega-datasets keeps its files. */
export const DATA = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data');

/** Reads every row of the file. About six seconds. */
export async function computeReference(): Promise<Reference> {
  const bytes = readFileSync(join(DATA, 'flights-3m.parquet'));
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const metadata = parquetMetadata(file);
  const reference: Reference = { rows: 0, days: new Map(), months: new Map() };
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const columns: Record<string, ArrayLike<unknown>> = {};
    await parquetRead({
      file,
      metadata,
      rowStart,
      rowEnd,
      compressors: { ZSTD: (input) => decompress(input) },
      onChunk: ({ columnName, columnData }) => {
        if (columns[columnName]) throw new Error('more than one chunk of a column in a row group');
        columns[columnName] = columnData;
      },
    });
    for (let row = 0; row < rowEnd - rowStart; row++) {
      addFlight(reference, {
        day: dayOf(columns.date![row] as Date),
        delay: Number(columns.delay![row]),
        miles: Number(columns.distance![row]),
        origin: columns.origin![row] as string,
        destination: columns.destination![row] as string,
      });
    }
    rowStart = rowEnd;
  }
  return reference;
}

/** The smallest delay at or below which at least `percent` per cent of the flights are. */
export function nearestRank({ histogram, flights }: ReferenceDelays, percent: number): number {
  let seen = 0;
  for (const delay of [...histogram.keys()].sort((a, b) => a - b)) {
    seen += histogram.get(delay)!;
    if (seen * 100 >= percent * flights) return delay;
  }
  throw new Error('an empty histogram');
}

const dayNames = new Map<number, string>();

function dayOf(date: Date): string {
  const day = Math.floor(date.getTime() / 86_400_000);
  let name = dayNames.get(day);
  if (!name) dayNames.set(day, (name = date.toJSON().slice(0, 10)));
  return name;
}

interface ReferenceFlight {
  day: string;
  delay: number;
  miles: number;
  origin: string;
  destination: string;
}

function addFlight(reference: Reference, { day, delay, miles, origin, destination }: ReferenceFlight): void {
  let airports = reference.days.get(day);
  if (!airports) reference.days.set(day, (airports = new Map()));
  let airport = airports.get(origin);
  if (!airport) airports.set(origin, (airport = { flights: 0, delaySum: 0, late: 0, histogram: new Map() }));
  airport.flights++;
  airport.delaySum += delay;
  if (delay > 15) airport.late++;
  airport.histogram.set(delay, (airport.histogram.get(delay) ?? 0) + 1);

  let month = reference.months.get(day.slice(0, 7));
  if (!month) reference.months.set(day.slice(0, 7), (month = { flights: 0, miles: 0, routes: new Map() }));
  month.flights++;
  month.miles += miles;
  const route = `${origin}-${destination}`;
  month.routes.set(route, (month.routes.get(route) ?? 0) + 1);
  reference.rows++;
}
