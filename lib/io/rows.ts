// Rows: what consumers of an asset that yields rows are given. How rows are encoded stands in row-encoder.ts.

/** Rows of a stored value. Each iteration reads them anew from the start, so they may be read any number of times. */
export interface Rows<R> extends AsyncIterable<R> {
  /** All rows at once; for values that fit in memory. */
  toArray(): Promise<R[]>;
}

/** Rows that are already in memory, e.g. as the input of an asset under test. */
export function rowsOf<R>(rows: readonly R[]): Rows<R> {
  return rowsInBatches(async function* () {
    yield rows;
  });
}

/** Rows that `open` reads in batches, anew for each iteration. Leaving a loop early closes what `open` opened. */
export function rowsInBatches<R>(open: () => AsyncIterable<readonly R[]>): Rows<R> {
  return {
    [Symbol.asyncIterator]: () => new BatchIterator(open()[Symbol.asyncIterator]()),
    async toArray() {
      const all: R[] = [];
      for await (const batch of open()) for (const row of batch) all.push(row);
      return all;
    },
  };
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
