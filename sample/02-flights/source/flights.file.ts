// Reads the Parquet file one day at a time. The file is sorted by date, so a day is one stretch of rows in one or two
// of its row groups. What a row means is decided elsewhere (figures/).
import { asyncBufferFromFile, parquetScan } from 'hyparquet';
import type { FileMetaData, ParquetScan } from 'hyparquet';
import { decompress } from 'fzstd';
import type { RawFlight } from './flight.js';

/** Where a row group's rows stand in the file, and the first and last departure among them (ms since the epoch). */
interface RowGroup {
  readonly firstRow: number;
  readonly endRow: number;
  readonly earliest: number;
  readonly latest: number;
}

/** The decoded columns of one row group, row by row in the order of the file. */
interface Columns {
  readonly date: ArrayLike<number>;
  readonly delay: ArrayLike<number | null>;
  readonly distance: ArrayLike<number | null>;
  readonly origin: ArrayLike<string | null>;
  readonly destination: ArrayLike<string | null>;
}

const MS_PER_DAY = 86_400_000;
const compressors = {
  ZSTD: (input: Uint8Array, outputLength: number) => decompress(input, new Uint8Array(outputLength)),
};
// The file's timestamps carry no zone and are read as UTC; numbers compare and search faster than Date objects.
const parsers = { timestampFromMicroseconds: (micros: bigint) => Number(micros / 1000n) };

/** The flights of a Parquet file with the columns date, delay, distance, origin and destination, sorted by date. */
export class FlightsFile {
  // Decoding a row group takes about a quarter of a second and holds about 17 days: keeping the last few (about 12 MB
  // each) decodes each group once when days are asked for in order, a handful at a time.
  private static readonly GROUPS_KEPT = 3;
  private readonly decoded = new Map<RowGroup, Promise<Columns>>();

  private constructor(
    private readonly path: string,
    private readonly scan: ParquetScan,
    private readonly groups: readonly RowGroup[],
  ) {}

  /** Reads the file's footer only. Throws when the file is missing, no Parquet, or without statistics of its dates. */
  static async open(path: string): Promise<FlightsFile> {
    const file = await asyncBufferFromFile(path);
    const scan = await parquetScan({ file, compressors, parsers });
    return new FlightsFile(path, scan, rowGroupsOf(scan.metadata, path));
  }

  /** The flights of one UTC day (`2001-03-04`) in the order of the file; none for a day outside the file. */
  async day(day: string): Promise<AsyncIterable<RawFlight>> {
    const start = Date.parse(`${day}T00:00:00Z`);
    const end = start + MS_PER_DAY;
    const groups = this.groups.filter(({ earliest, latest }) => earliest < end && latest >= start);
    return stream(flightsBetween(await Promise.all(groups.map((group) => this.columnsOf(group))), start, end));
  }

  /** A group's columns, decoded once for all who ask meanwhile; the least recently asked for is forgotten. */
  private columnsOf(group: RowGroup): Promise<Columns> {
    let columns = this.decoded.get(group);
    if (columns === undefined) {
      columns = this.decode(group);
      // A failed read must not be remembered, or a retry could never succeed.
      columns.catch(() => this.decoded.delete(group));
    }
    // Set anew, so that the map's order is that of use.
    this.decoded.delete(group);
    this.decoded.set(group, columns);
    const [oldest] = this.decoded.keys();
    if (this.decoded.size > FlightsFile.GROUPS_KEPT) this.decoded.delete(oldest!);
    return columns;
  }

  private async decode({ firstRow, endRow }: RowGroup): Promise<Columns> {
    const column = async <T>(name: keyof RawFlight): Promise<ArrayLike<T>> =>
      (await this.scan.readColumn({ column: name, rowStart: firstRow, rowEnd: endRow })) as ArrayLike<T>;
    const date = await column<number>('date');
    for (let row = 1; row < date.length; row++) {
      // Null counts as out of order too: a flight without a date belongs to no day.
      if (!(date[row]! >= date[row - 1]!)) {
        throw new Error(`${this.path} is not sorted by date at row ${firstRow + row}: sort it before reading by day`);
      }
    }
    return {
      date,
      delay: numbersOf(await column('delay')),
      distance: numbersOf(await column('distance')),
      origin: await column('origin'),
      destination: await column('destination'),
    };
  }
}

function rowGroupsOf(metadata: FileMetaData, path: string): RowGroup[] {
  let firstRow = 0;
  return metadata.row_groups.map((group) => {
    const date = group.columns.find((column) => column.meta_data?.path_in_schema[0] === 'date');
    const { min_value: earliest, max_value: latest } = date?.meta_data?.statistics ?? {};
    if (earliest === undefined || latest === undefined) {
      throw new Error(`${path} has no statistics of the column date: write it again with column statistics`);
    }
    const endRow = firstRow + Number(group.num_rows);
    const found = { firstRow, endRow, earliest: Number(earliest), latest: Number(latest) };
    firstRow = endRow;
    return found;
  });
}

/** The first row whose date is at or after the moment (binary search). */
function firstAtOrAfter(dates: ArrayLike<number>, moment: number): number {
  let low = 0;
  let high = dates.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (dates[middle]! < moment) low = middle + 1;
    else high = middle;
  }
  return low;
}

function* flightsBetween(groups: readonly Columns[], start: number, end: number): Generator<RawFlight, undefined> {
  let moment = Number.NaN;
  let date = '';
  for (const columns of groups) {
    const endRow = firstAtOrAfter(columns.date, end);
    for (let row = firstAtOrAfter(columns.date, start); row < endRow; row++) {
      // Neighbours mostly leave in the same minute, and making the text is the dearest part of a row.
      if (columns.date[row]! !== moment) {
        moment = columns.date[row]!;
        date = new Date(moment).toISOString().slice(0, 19);
      }
      yield {
        date,
        delay: columns.delay[row]!,
        distance: columns.distance[row]!,
        origin: columns.origin[row]!,
        destination: columns.destination[row]!,
      };
    }
  }
}

/** The rows as an asset yields them. By hand, since an async generator over millions of rows costs seconds. */
function stream<T>(rows: Generator<T, undefined>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve(rows.next()),
      return: () => Promise.resolve(rows.return(undefined)),
    }),
  };
}

/** The file's 64-bit integers as numbers: minutes and miles are far below 2^53. */
function numbersOf(column: ArrayLike<bigint | null>): (number | null)[] {
  return Array.from(column, (value) => (typeof value === 'bigint' ? Number(value) : null));
}
