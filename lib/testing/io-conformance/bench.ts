// A manager under test, with the contexts that its calls need, and values to store.
import assert from 'node:assert/strict';
import { isRowStream } from '../../io/data-version.js';
import type {
  IoManager,
  LoadContext,
  StoreContext,
  StoredValue,
  UnwrittenValue,
  ValueAddress,
} from '../../io/io-manager.port.js';
import type { Rows } from '../../io/rows.js';

export type Row = Readonly<Record<string, unknown>>;
export type Options = Readonly<Record<string, unknown>>;
/** What a manager stores: anything JSON-like, bytes, rows from async iterables. */
export type StoredKind = 'documents' | 'bytes' | 'rows';

/** Declares one test. */
export type Declare = (name: string, body: (bench: Bench) => Promise<void>) => void;

export const NOT_FOUND = { code: 'FLOWSTONE_IO_VALUE_NOT_FOUND' };

let materializations = 0;

/** What the suite asks of its subject for each bench. */
export interface BenchSubject {
  readonly create: () => IoManager | Promise<IoManager>;
  readonly options?: Options | ((place: Pick<ValueAddress, 'namespace' | 'asset' | 'partition'>) => Options);
  readonly commit?: (context: StoreContext, value: StoredValue | UnwrittenValue) => Promise<StoredValue>;
}

const ADDRESS = { namespace: 'conformance', asset: 'some.asset', partition: undefined };

/** Opens a manager for a test, and closes it. */
export async function withBench(
  subject: BenchSubject,
  stores: readonly StoredKind[],
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const bench = new Bench(await subject.create(), stores, subject);
  await bench.manager.open?.();
  try {
    await body(bench);
  } finally {
    await bench.manager.close?.();
  }
}

export class Bench {
  constructor(
    readonly manager: IoManager,
    private readonly stores: readonly StoredKind[],
    private readonly subject: BenchSubject,
  ) {}

  /** Whether what is stored next replaces what is stored. */
  get replaces(): boolean {
    const { versions } = this.manager;
    return (typeof versions === 'string' ? versions : versions.ofOptions(this.optionsOf(ADDRESS))) === 'head';
  }

  /** Whether a value of this kind is stored. */
  takes(kind: StoredKind): boolean {
    return this.stores.includes(kind);
  }

  optionsOf(place: Pick<ValueAddress, 'namespace' | 'asset' | 'partition'>): Options {
    const { options = {} } = this.subject;
    return typeof options === 'function' ? options(place) : options;
  }

  nextMaterialization(): number {
    return ++materializations;
  }

  /** The same with another manager, opened by the caller. */
  with(manager: IoManager): Bench {
    return new Bench(manager, this.stores, this.subject);
  }

  /** Another manager, as after a restart; closed by the caller. */
  async another(): Promise<Bench> {
    const bench = this.with(await this.subject.create());
    await bench.manager.open?.();
    return bench;
  }

  /** A value of a kind the manager stores that can be told from others by a number below 256. */
  sample(number: number): unknown {
    if (this.takes('documents')) return { number };
    return this.takes('bytes') ? Uint8Array.of(number) : stream(1, number);
  }

  /** The number of the sample stored there. */
  async sampleOf(location: StoredValue['location'], place: Partial<LoadContext> = {}): Promise<unknown> {
    const value = await this.load(location, place);
    if (this.takes('documents')) return (value as { number: number }).number;
    return this.takes('bytes') ? (value as Uint8Array)[0] : (await (value as Rows<Row>).toArray())[0]!['id'];
  }

  storeContext(place: Partial<StoreContext> = {}): StoreContext {
    const { signal } = new AbortController();
    const address = { ...ADDRESS, epoch: 1, ...place };
    const attempt = { materialization: this.nextMaterialization(), options: this.optionsOf(address) };
    return { ...attempt, signal, ...address };
  }

  async store(value: unknown, place: Partial<StoreContext> = {}): Promise<StoredValue> {
    const context = this.storeContext(place);
    return this.commit(context, await this.manager.store(context, value));
  }

  /** Writes what is only written with its record. */
  async commit(context: StoreContext, value: StoredValue | UnwrittenValue): Promise<StoredValue> {
    if (!('write' in value) && value.document === undefined) return value;
    assert.ok(this.subject.commit, 'the value is to be written with its record: give the subject a commit()');
    return this.subject.commit(context, value);
  }

  load(location: StoredValue['location'], place: Partial<LoadContext> = {}): Promise<unknown> {
    return this.manager.load(this.loadContext(location, place));
  }

  /** Of rows that were yielded. */
  async rows(location: StoredValue['location'], place: Partial<LoadContext> = {}): Promise<Rows<Row>> {
    const rows = await this.load(location, place);
    assert.ok(isRowStream(rows), 'rows that were yielded come back as Rows');
    return rows as Rows<Row>;
  }

  loadContext(location: StoredValue['location'], place: Partial<LoadContext> = {}): LoadContext {
    // As the ledger gives it back.
    const recorded = JSON.parse(JSON.stringify(location)) as StoredValue['location'];
    return { ...ADDRESS, location: recorded, options: this.optionsOf({ ...ADDRESS, ...place }), ...place };
  }
}

/** Whether a value is not there before its record is. */
export function isUnwritten(value: StoredValue | UnwrittenValue): boolean {
  return 'write' in value || value.document !== undefined;
}

/** Rows with cells of several kinds, some of them null. */
export async function* stream(count: number, first = 0): AsyncGenerator<Row> {
  for (let id = first; id < first + count; id++) {
    yield { id, at: new Date(id * 1000), text: id % 7 === 0 ? null : `$${id}\n"é`, ratio: id / 3, big: BigInt(id) };
  }
}

export async function collect(rows: AsyncIterable<Row>): Promise<Row[]> {
  const all: Row[] = [];
  for await (const row of rows) all.push(row);
  return all;
}
