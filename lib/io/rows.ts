// Rows: what consumers of an asset that yields rows are given. How rows are encoded stands in row-encoder.ts.

/** Rows of a stored value. Each iteration reads them anew from the start, so they may be read any number of times. */
export interface Rows<R> extends AsyncIterable<R> {
  /** All rows at once; for values that fit in memory. */
  toArray(): Promise<R[]>;
  /** The rows from index `start` up to `end` (default: all that follow), as of an array; read when they are iterated. */
  slice(start: number, end?: number): Rows<R>;
}

/** Row indexes from `start` up to `end`. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

const ALL_ROWS: RowRange = { start: 0, end: Infinity };

/** Rows that are already in memory, e.g. as the input of an asset under test. */
export function rowsOf<R>(rows: readonly R[]): Rows<R> {
  return rowsInBatches(async function* ({ start, end }) {
    yield rows.slice(start, end);
  });
}

/** Rows that `open` reads in batches, anew for each iteration. Leaving a loop early closes what `open` opened. */
export function rowsInBatches<R>(
  open: (range: RowRange) => AsyncIterable<readonly R[]>,
  range: RowRange = ALL_ROWS,
): Rows<R> {
  return rowsFrom(undefined, open, range);
}

/** Where rows come from, and which of those that are there. */
const origins = new WeakMap<object, { readonly origin: object; readonly range: RowRange }>();

/** The same, of which `originOf` tells where they come from. */
export function rowsFrom<R>(
  origin: object | undefined,
  open: (range: RowRange) => AsyncIterable<readonly R[]>,
  range: RowRange = ALL_ROWS,
): Rows<R> {
  const rows: Rows<R> = {
    [Symbol.asyncIterator]: () => new BatchIterator(open(range)[Symbol.asyncIterator]()),
    async toArray() {
      const all: R[] = [];
      for await (const batch of open(range)) for (const row of batch) all.push(row);
      return all;
    },
    slice(start, end = Infinity) {
      const from = range.start + requireIndex(start);
      const to = Math.min(range.end, range.start + requireIndex(end));
      return rowsFrom(origin, open, { start: Math.min(from, range.end), end: Math.max(from, to) });
    },
  };
  if (origin) origins.set(rows, { origin, range });
  return rows;
}

/** Undefined of what `rowsFrom` did not make, or of nowhere. */
export function originOf(rows: object): { readonly origin: object; readonly range: RowRange } | undefined {
  return origins.get(rows);
}

/** Of batches from the start, what lies in a range; stops reading at its end. */
export async function* batchesWithin<R>(
  batches: AsyncIterable<readonly R[]>,
  { start, end }: RowRange,
): AsyncGenerator<readonly R[]> {
  if (end <= start) return;
  let passed = 0;
  for await (const batch of batches) {
    const inside = passed >= start && passed + batch.length <= end;
    const rows = inside ? batch : batch.slice(Math.max(0, start - passed), Math.max(0, end - passed));
    passed += batch.length;
    if (rows.length > 0) yield rows;
    if (passed >= end) return;
  }
}

/** Batches that fail as `failure` says of what they throw; what their reader throws is none of it. */
export async function* batchesFailing<R>(
  batches: AsyncIterable<readonly R[]>,
  failure: (error: unknown) => unknown,
): AsyncGenerator<readonly R[]> {
  try {
    yield* batches;
  } catch (error) {
    throw failure(error);
  }
}

/** The first so many rows, and whether these are all. */
export async function firstRows<R>(rows: Rows<R>, count: number): Promise<{ value: R[]; complete: boolean }> {
  const value = await rows.slice(0, count + 1).toArray();
  return { value: value.slice(0, count), complete: value.length <= count };
}

function requireIndex(index: number): number {
  if ((Number.isInteger(index) || index === Infinity) && index >= 0) return index;
  throw new RangeError(`${index} is no row index: give slice() whole numbers from 0`);
}

// Written by hand, since an async generator costs three turns of the microtask queue for each row, this one.
class BatchIterator<R> implements AsyncIterator<R, undefined> {
  private batch: readonly R[] = [];
  private position = 0;
  private pending: Promise<IteratorResult<R, undefined>> | undefined;

  constructor(private readonly batches: AsyncIterator<readonly R[]>) {}

  next(): Promise<IteratorResult<R, undefined>> {
    if (this.pending === undefined && this.position < this.batch.length) {
      return Promise.resolve({ value: this.batch[this.position++]!, done: false });
    }
    // Calls that do not wait for each other still get their rows in order.
    const next = this.pending === undefined ? this.refill() : this.pending.then(() => this.refill());
    this.pending = next;
    const settle = () => {
      if (this.pending === next) this.pending = undefined;
    };
    next.then(settle, settle);
    return next;
  }

  async return(): Promise<IteratorResult<R, undefined>> {
    this.batch = [];
    await this.batches.return?.();
    return { value: undefined, done: true };
  }

  private async refill(): Promise<IteratorResult<R, undefined>> {
    while (this.position >= this.batch.length) {
      const { value, done } = await this.batches.next();
      if (done) return { value: undefined, done: true };
      this.batch = value;
      this.position = 0;
    }
    return { value: this.batch[this.position++]!, done: false };
  }
}

/** A row with only these columns; what it lacks stays absent. */
export function narrowRow(row: Readonly<Record<string, unknown>>, columns: readonly string[]): Record<string, unknown> {
  const narrowed: Record<string, unknown> = {};
  for (const column of columns) if (Object.hasOwn(row, column)) narrowed[column] = row[column];
  return narrowed;
}
