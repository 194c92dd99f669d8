// The suite every I/O manager has to pass, built in or yours. It brings no test framework: give it the `describe` and
// `it` of the one you use.
import assert from 'node:assert/strict';
import { dataVersionOf } from '../io/data-version.js';
import type {
  IoManager,
  LoadContext,
  StoreContext,
  StoredAttempt,
  StoredValue,
  ValueAddress,
} from '../io/io-manager.port.js';
import type { JoinedValue } from '../ledger/value-database.port.js';
import type { Rows } from '../io/rows.js';
import { keyTextProblem } from '../partitions/partition-key.js';

/** Of a test framework, what the suite uses. */
export interface ConformanceFramework {
  readonly describe: (name: string, body: () => void) => void;
  readonly it: (name: string, body: () => Promise<void>) => void;
}

/** The manager under test. */
export interface IoConformanceSubject {
  /** Names the suite. */
  readonly name: string;
  /** A manager for one test; the suite opens and closes it. Storage may be shared: no address is used twice. */
  readonly create: () => IoManager | Promise<IoManager>;
  /** A manager whose storage cannot be reached, to tell failing from not finding. Left out: not tested. */
  readonly createBroken?: () => IoManager | Promise<IoManager>;
  /** The asset's options for the manager; those of each asset, where two cannot have the same. */
  readonly options?: Options | ((place: Pick<ValueAddress, 'namespace' | 'asset' | 'partition'>) => Options);
  /** Writes a value that is `joined`, as the commit of its record would. */
  readonly commit?: (context: StoreContext, joined: JoinedValue) => Promise<void>;
  /** What it stores, default all: `documents` (anything JSON-like), `bytes`, `rows` (from async iterables). */
  readonly stores?: readonly ('documents' | 'bytes' | 'rows')[];
}

type Row = Readonly<Record<string, unknown>>;
type Options = Readonly<Record<string, unknown>>;

const DAY = 24 * 3_600_000;

const NOT_FOUND = { code: 'FLOWSTONE_IO_VALUE_NOT_FOUND' };
const HOSTILE_KEYS = [
  ...[
    '',
    '.',
    '..',
    '/',
    '../../etc/passwd',
    'a/b',
    'a\\b',
    '%',
    '%2F',
    '_',
    '%5F',
    '\0',
    'a\0b',
    ' ',
    'a ',
    'CON',
    'con.txt',
  ],
  ...[
    'é',
    'e\u0301',
    '日本',
    '💧',
    '\ud800',
    '\udc00',
    '__proto__',
    'constructor',
    "'; drop table x; --",
    '"',
    '\n',
    '|',
    '*',
    '~',
  ],
  ...['x'.repeat(300), `${'x'.repeat(300)}y`, '日'.repeat(400), '2001-03-04', '2001-03-04T00:00:00+01:00'],
];
const DOCUMENTS: Readonly<Record<string, unknown>> = {
  null: null,
  booleans: [true, false],
  numbers: [0, -1, 1.5, 1e21, 5e-324, Number.MAX_SAFE_INTEGER, 0.1],
  'the empty string': '',
  strings: ['\0', '\n', '"', '\u2028', '💧', 'é', '\\ud800'],
  'strings that look like tags': ['$', '$5', '$bigint:1', '$$bigint:1', '$date:x', '$bytes:', '$json:{}', 'a$date:'],
  bigints: [0n, -1n, 2n ** 80n],
  dates: [new Date(0), new Date(-62198755200001), new Date(8.64e15)],
  'bytes inside': { none: new Uint8Array(), some: Uint8Array.of(0, 255, 128) },
  'the empty array': [],
  'the empty object': {},
  'nested objects': { a: [{ b: { c: [null, [], {}] } }], '': 1, 'a.b': 2, constructor: 3, toString: 4, 2: 5, 10: 6 },
  'rows in an array': [{ day: new Date(0), n: 1n, text: '$bigint:1' }, { n: null, more: { x: [1] } }, {}],
  'mixed arrays': [{ a: 1 }, 2, 'three', null],
};

/** Declares the suite. */
export function runIoConformance(framework: ConformanceFramework, subject: IoConformanceSubject): void {
  const stores = subject.stores ?? ['documents', 'bytes', 'rows'];
  framework.describe(`I/O manager ${subject.name}`, () => {
    const test = (name: string, body: (bench: Bench) => Promise<void>) =>
      framework.it(name, () => withBench(subject, stores, body));
    if (stores.includes('documents')) testDocuments(test);
    if (stores.includes('bytes')) testBytes(test);
    if (stores.includes('rows')) testRows(test);
    testAddresses(test);
    testAbsence(test);
    const { createBroken } = subject;
    if (createBroken !== undefined) {
      framework.it('reports a storage that fails as failure, not as an absent value', async () => {
        const works = new Bench(await subject.create(), stores, subject);
        await works.manager.open?.();
        const { location } = await works.store(works.sample(1));
        const broken = new Bench(await createBroken(), stores, subject);
        await assert.rejects(broken.load(location), { code: 'FLOWSTONE_IO_FAILED' });
        await assert.rejects(broken.store(broken.sample(1)), { code: 'FLOWSTONE_IO_FAILED' });
        await works.manager.close?.();
      });
    }
  });
}

type Declare = (name: string, body: (bench: Bench) => Promise<void>) => void;

function testDocuments(test: Declare): void {
  for (const [name, value] of Object.entries(DOCUMENTS)) {
    test(`gives back ${name} as stored, with the data version of the canonical value`, async (bench) => {
      const stored = await bench.store(value);
      assert.deepStrictEqual(await bench.load(stored.location), value);
      const version = dataVersionOf(value);
      if (stored.hash !== null) assert.equal(stored.hash, version.hash);
      assert.equal(stored.rows, version.rows);
      assert.ok(stored.size >= 0);
    });
  }

  test('gives back a large document', async (bench) => {
    const value = { text: 'ä'.repeat(1_000_000), list: Array.from({ length: 50_000 }, (_, index) => index) };
    assert.deepStrictEqual(await bench.load((await bench.store(value)).location), value);
  });

  test('keeps a value apart from what its producer and consumers do to theirs', async (bench) => {
    const value = { list: [1] };
    const { location } = await bench.store(value);
    value.list.push(2);
    ((await bench.load(location)) as typeof value).list.push(3);
    assert.deepStrictEqual(await bench.load(location), { list: [1] });
  });

  for (const [name, value] of Object.entries({ 'a Map': new Map(), NaN: [NaN], 'a function': { f: () => 1 } })) {
    test(`refuses ${name} instead of changing it`, async (bench) => {
      await assert.rejects(bench.store(value), { code: 'FLOWSTONE_IO_VALUE_UNSUPPORTED' });
    });
  }
}

function testBytes(test: Declare): void {
  for (const length of [0, 1, 3_000_000]) {
    test(`gives back ${length} bytes`, async (bench) => {
      const value = new Uint8Array(length).map((_, index) => index * 7);
      const stored = await bench.store(value);
      const loaded = (await bench.load(stored.location)) as Uint8Array;
      assert.ok(Buffer.from(value).equals(loaded));
      if (stored.hash !== null) assert.equal(stored.hash, dataVersionOf(value).hash);
    });
  }
}

function testRows(test: Declare): void {
  for (const count of [0, 1, 30_000]) {
    test(`gives back ${count} rows in their order, any number of times`, async (bench) => {
      const stored = await bench.store(stream(count));
      assert.equal(stored.rows, count);
      const expected = await collect(stream(count));
      if (stored.hash !== null) assert.equal(stored.hash, dataVersionOf(expected).hash);
      const rows = (await bench.load(stored.location)) as Rows<Row>;
      assert.deepStrictEqual(await collect(rows), expected);
      assert.deepStrictEqual(await rows.toArray(), expected);
    });
  }

  test('lets a consumer leave a loop over rows and begin again', async (bench) => {
    const rows = (await bench.load((await bench.store(stream(20_000))).location)) as Rows<Row>;
    for await (const row of rows) if (row['id'] === 5) break;
    assert.equal((await collect(rows)).length, 20_000);
  });

  test('narrows rows to the wanted columns', async (bench) => {
    const { location } = await bench.store(stream(10));
    const rows = (await bench.load(location, ['id', 'none'])) as Rows<Row>;
    assert.deepStrictEqual(
      await rows.toArray(),
      (await collect(stream(10))).map(({ id }) => ({ id })),
    );
  });

  test('reads a slice of rows, and a slice of that', async (bench) => {
    const rows = (await bench.load((await bench.store(stream(5000))).location, ['id'])) as Rows<Row>;
    const ids = async (some: Rows<Row>) => (await some.toArray()).map(({ id }) => id);
    const all = Array.from({ length: 5000 }, (_, id) => id);
    for (const [start, end] of [[0, 1], [10, 10], [1000, 3100], [4990], [6000], [3, 2]] as [number, number?][]) {
      assert.deepStrictEqual(await ids(rows.slice(start, end)), all.slice(start, end));
    }
    assert.deepStrictEqual(await ids(rows.slice(100, 200).slice(50, 500)), all.slice(150, 200));
    assert.equal((await rows.toArray()).length, 5000);
  });

  test('stores each row as it was when it was yielded', async (bench) => {
    const reused = async function* () {
      const row = { id: 0 };
      for (; row.id < 3; row.id++) yield row;
    };
    const { location } = await bench.store(reused());
    // Only what was stored: where columns are declared, the others are null.
    assert.deepStrictEqual(await ((await bench.load(location, ['id'])) as Rows<Row>).toArray(), [
      { id: 0 },
      { id: 1 },
      { id: 2 },
    ]);
  });

  test('passes on the error of the rows unchanged', async (bench) => {
    const error = new Error('no more');
    const failing = async function* () {
      yield { id: 1 };
      throw error;
    };
    await assert.rejects(bench.store(failing()), (thrown) => thrown === error);
  });

  test('rejects with the reason when it is aborted while rows come', async (bench) => {
    const controller = new AbortController();
    const reason = new Error('timeout');
    const aborting = async function* () {
      for (let id = 0; id < 30_000; id++) {
        if (id === 20_000) controller.abort(reason);
        yield { id };
      }
    };
    await assert.rejects(bench.store(aborting(), { signal: controller.signal }), (thrown) => thrown === reason);
  });
}

function testAddresses(test: Declare): void {
  test('keeps values of any keys apart', async (bench) => {
    const places = [undefined, ...HOSTILE_KEYS].map((partition, index) => ({ partition, value: bench.sample(index) }));
    const stored = await Promise.all(
      places.map(async ({ partition, value }) =>
        bench.store(value, { partition }).catch((error: unknown) => {
          // No ledger has keys that are no text for PostgreSQL, so that a manager may refuse them.
          if (partition === undefined || keyTextProblem(partition) === undefined) throw error;
          assert.equal((error as { code?: unknown }).code, 'FLOWSTONE_IO_VALUE_UNSUPPORTED');
          return undefined;
        }),
      ),
    );
    for (const [index, value] of stored.entries()) {
      const { partition } = places[index]!;
      if (!value) continue;
      assert.deepStrictEqual(await bench.sampleOf(value.location, { partition }), index, JSON.stringify(partition));
    }
  });

  test('keeps namespaces and assets apart, also under hostile names', async (bench) => {
    const names = ['a', 'a.b', '..', 'a/b', '%'];
    const places = names.flatMap((namespace) => names.map((asset) => ({ namespace, asset })));
    const locations = await Promise.all(places.map(async (place, index) => bench.store(bench.sample(index), place)));
    for (const [index, { location }] of locations.entries()) {
      assert.equal(await bench.sampleOf(location, places[index]), index);
    }
  });

  test('stores what an attempt left before its commit once more, in another place', async (bench) => {
    const attempt = { materialization: bench.nextMaterialization() };
    const lost = await bench.store(bench.sample(1), { ...attempt, epoch: 1 });
    const committed = await bench.store(bench.sample(2), { ...attempt, epoch: 2 });
    assert.equal(await bench.sampleOf(committed.location), 2);
    if (bench.replaces) return;
    assert.notDeepStrictEqual(lost.location, committed.location);
    await bench.manager.delete(bench.loadContext(lost.location));
    assert.equal(await bench.sampleOf(committed.location), 2);
  });

  test('stores and loads many values at the same time', async (bench) => {
    const read = async (index: number) => {
      const partition = `p${index}`;
      return bench.sampleOf((await bench.store(bench.sample(index), { partition })).location, { partition });
    };
    const indexes = Array.from({ length: 50 }, (_, index) => index);
    assert.deepStrictEqual(await Promise.all(indexes.map(read)), indexes);
  });
}

function testAbsence(test: Declare): void {
  test('does not find what was deleted, and deletes twice', async (bench) => {
    const { location } = await bench.store(bench.sample(1));
    const context = bench.loadContext(location);
    if (bench.manager.exists) assert.equal(await bench.manager.exists(context), true);
    await bench.manager.delete(context);
    await bench.manager.delete(context);
    if (bench.manager.exists) assert.equal(await bench.manager.exists(context), false);
    await assert.rejects(bench.load(location), NOT_FOUND);
  });

  test('lists attempts and discards what one left, if it can do either', async (bench) => {
    const { manager } = bench;
    // What is replaced by the next one need not be looked for.
    if (!manager.list || !manager.discard || bench.replaces) return;
    const namespace = `conformance ${bench.nextMaterialization()}`;
    const found = new Map<number, StoredAttempt>();
    const listed = async (of: string): Promise<number[]> => {
      const epochs: number[] = [];
      for await (const stored of manager.list!(of)) {
        assert.equal(stored.materialization, attempt.materialization);
        found.set(stored.epoch, stored);
        epochs.push(stored.epoch);
      }
      return epochs.sort((a, b) => a - b);
    };
    const attempt = { namespace, asset: 'a/b', partition: '..', materialization: bench.nextMaterialization() };
    const orphan = { ...attempt, epoch: 1 };
    await bench.store(bench.sample(1), orphan);
    const { location } = await bench.store(bench.sample(2), { ...attempt, epoch: 2 });
    assert.deepEqual(await listed(namespace), [1, 2]);
    assert.deepEqual(await listed(`${namespace} more`), []);
    const discard = (days: number) =>
      manager.discard!({ ...orphan, ...found.get(1)! }, new Date(Date.now() + days * DAY));
    assert.equal(await discard(-1), false);
    assert.equal(await discard(1), true);
    assert.equal(await discard(1), false);
    assert.deepEqual(await listed(namespace), [2]);
    assert.equal(await bench.sampleOf(location, attempt), 2);
  });

  test('stores nothing once it is aborted', async (bench) => {
    const reason = new Error('cancelled');
    await assert.rejects(
      bench.store(bench.sample(1), { signal: AbortSignal.abort(reason) }),
      (thrown) => thrown === reason,
    );
  });
}

async function withBench(
  subject: IoConformanceSubject,
  stores: readonly string[],
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

let materializations = 0;

/** A manager, with the contexts its calls need. */
class Bench {
  constructor(
    readonly manager: IoManager,
    private readonly stores: readonly string[],
    private readonly subject: Pick<IoConformanceSubject, 'options' | 'commit'>,
  ) {}

  /** Whether what is stored next replaces what is stored. */
  get replaces(): boolean {
    const { versions } = this.manager;
    const address = { namespace: 'conformance', asset: 'some.asset', partition: undefined };
    return (typeof versions === 'string' ? versions : versions.ofOptions(this.optionsOf(address))) === 'head';
  }

  optionsOf(place: Pick<ValueAddress, 'namespace' | 'asset' | 'partition'>): Options {
    const { options = {} } = this.subject;
    return typeof options === 'function' ? options(place) : options;
  }

  nextMaterialization(): number {
    return ++materializations;
  }

  /** A value of a kind the manager stores that can be told from others by a number below 256. */
  sample(number: number): unknown {
    if (this.stores.includes('documents')) return { number };
    return this.stores.includes('bytes') ? Uint8Array.of(number) : stream(1, number);
  }

  /** The number of the sample stored there. */
  async sampleOf(location: StoredValue['location'], place: Partial<LoadContext> = {}): Promise<unknown> {
    const value = await this.load(location, undefined, place);
    if (this.stores.includes('documents')) return (value as { number: number }).number;
    return this.stores.includes('bytes') ? (value as Uint8Array)[0] : (await (value as Rows<Row>).toArray())[0]!['id'];
  }

  async store(value: unknown, place: Partial<StoreContext> = {}): Promise<StoredValue> {
    const { signal } = new AbortController();
    const address = { namespace: 'conformance', asset: 'some.asset', partition: undefined, epoch: 1, ...place };
    const context = {
      materialization: this.nextMaterialization(),
      options: this.optionsOf(address),
      signal,
      ...address,
    };
    const { joined, ...stored } = await this.manager.store(context, value);
    if (joined) {
      assert.ok(this.subject.commit, 'the value is to be written with its record: give the subject a commit()');
      await this.subject.commit(context, joined);
    }
    return stored;
  }

  load(location: StoredValue['location'], columns?: readonly string[], place: Partial<LoadContext> = {}) {
    return this.manager.load({ ...this.loadContext(location), ...(columns && { columns }), ...place });
  }

  loadContext(location: StoredValue['location']): LoadContext {
    // As the ledger gives it back.
    const recorded = JSON.parse(JSON.stringify(location)) as StoredValue['location'];
    return {
      namespace: 'conformance',
      asset: 'some.asset',
      partition: undefined,
      location: recorded,
      options: this.optionsOf({ namespace: 'conformance', asset: 'some.asset', partition: undefined }),
    };
  }
}

async function* stream(count: number, first = 0): AsyncGenerator<Row> {
  for (let id = first; id < first + count; id++) {
    yield { id, at: new Date(id * 1000), text: id % 7 === 0 ? null : `$${id}\n"é`, ratio: id / 3, big: BigInt(id) };
  }
}

async function collect(rows: AsyncIterable<Row>): Promise<Row[]> {
  const all: Row[] = [];
  for await (const row of rows) all.push(row);
  return all;
}
