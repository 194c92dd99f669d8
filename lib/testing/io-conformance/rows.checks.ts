// Rows: in their order, any number of times, in part, and never all in memory.
import assert from 'node:assert/strict';
import { dataVersionOf } from '../../io/data-version.js';
import type { Rows } from '../../io/rows.js';
import { collect, stream, type Bench, type Declare, type Row } from './bench.js';
import { Held } from './held-memory.js';

const DAY = 24 * 3_600_000;
/** Rows of about 4 KB each that are streamed through: long ones, since what takes time is their number. */
const MANY_ROWS = 30_000;
/** Bytes that may be held of the 80 MB that come after the first third: five parts of an object on their way take 45 MB. */
const MOST_HELD = 65_000_000;
/** Rows that may be asked for after an abort. */
const MOST_ASKED = 100;

/** Of a manager that stores rows from async iterables. @param options whether memory has to be bounded */
export function checkRows(test: Declare, { bounded }: { readonly bounded: boolean }): void {
  checkWholeRows(test);
  checkPartsOfRows(test);
  checkInterruptedRows(test);
  if (bounded) checkManyRows(test);
}

function checkWholeRows(test: Declare): void {
  for (const count of [0, 1, 30_000]) {
    test(`gives back ${count} rows in their order, any number of times`, async (bench) => {
      const stored = await bench.store(stream(count));
      assert.equal(stored.rows, count);
      const expected = await collect(stream(count));
      if (stored.hash !== null) assert.equal(stored.hash, dataVersionOf(expected).hash);
      const rows = await bench.rows(stored.location);
      assert.deepStrictEqual(await collect(rows), expected);
      assert.deepStrictEqual(await rows.toArray(), expected);
    });
  }

  test('lets a consumer leave a loop over rows and begin again', async (bench) => {
    const rows = await bench.rows((await bench.store(stream(20_000))).location);
    for await (const row of rows) if (row['id'] === 5) break;
    assert.equal((await collect(rows)).length, 20_000);
  });

  test('gives back an array of rows as an array, also of none', async (bench) => {
    for (const rows of [await collect(stream(10)), []]) {
      const { location } = await bench.store(rows);
      assert.deepStrictEqual(await bench.load(location), rows);
    }
  });

  test('tells the columns of rows as they are, if it tells them', async (bench) => {
    const { schema } = await bench.store(stream(10));
    if (schema === undefined) return;
    assert.deepEqual(schema.map(({ name }) => name).sort(), ['at', 'big', 'id', 'ratio', 'text']);
    const text = schema.find(({ name }) => name === 'text')!;
    assert.notEqual(text.nullable, false, 'some of its cells are null');
    assert.ok(schema.every(({ type }) => typeof type === 'string' && type !== ''));
  });
}

function checkPartsOfRows(test: Declare): void {
  test('narrows rows to the wanted columns', async (bench) => {
    const { location } = await bench.store(stream(10));
    const rows = await bench.rows(location, { columns: ['id', 'none'] });
    assert.deepStrictEqual(
      await rows.toArray(),
      (await collect(stream(10))).map(({ id }) => ({ id })),
    );
  });

  test('reads a slice of rows, and a slice of that', async (bench) => {
    const rows = await bench.rows((await bench.store(stream(5000))).location, { columns: ['id'] });
    const ids = async (some: Rows<Row>) => (await some.toArray()).map(({ id }) => id);
    const all = Array.from({ length: 5000 }, (_, id) => id);
    for (const [start, end] of [[0, 1], [10, 10], [1000, 3100], [4990], [6000], [3, 2]] as [number, number?][]) {
      assert.deepStrictEqual(await ids(rows.slice(start, end)), all.slice(start, end));
    }
    assert.deepStrictEqual(await ids(rows.slice(100, 200).slice(50, 500)), all.slice(150, 200));
    assert.equal((await rows.toArray()).length, 5000);
  });

  test('shows the first of many rows, if it can do that', async (bench) => {
    if (!bench.manager.begin) return;
    const rows = await collect(stream(5000));
    for (const value of [stream(5000), rows]) {
      const { location } = await bench.store(value);
      const begin = (count: number) =>
        bench.manager.begin!(bench.loadContext(location), { rows: count, bytes: 1_000_000 });
      assert.deepStrictEqual(await begin(5), { value: rows.slice(0, 5), complete: false });
    }
    const { location } = await bench.store(stream(3));
    const whole = { value: rows.slice(0, 3), complete: true };
    assert.deepStrictEqual(await bench.manager.begin(bench.loadContext(location), { rows: 3, bytes: 1000 }), whole);
  });
}

function checkInterruptedRows(test: Declare): void {
  test('stores each row as it was when it was yielded', async (bench) => {
    const reused = async function* () {
      const row = { id: 0 };
      for (; row.id < 3; row.id++) yield row;
    };
    const { location } = await bench.store(reused());
    // Only what was stored: where columns are declared, the others are null.
    assert.deepStrictEqual(await (await bench.rows(location, { columns: ['id'] })).toArray(), [
      { id: 0 },
      { id: 1 },
      { id: 2 },
    ]);
  });

  test('passes on the error of the rows unchanged, and leaves nothing', async (bench) => {
    const error = new Error('no more');
    const failing = async function* () {
      yield { id: 1 };
      throw error;
    };
    const namespace = `failing ${bench.nextMaterialization()}`;
    await assert.rejects(bench.store(failing(), { namespace }), (thrown) => thrown === error);
    assert.deepEqual(await leftIn(bench, namespace), []);
  });

  test('rejects with the reason when it is aborted while rows come, and leaves nothing', async (bench) => {
    const controller = new AbortController();
    const reason = new Error('timeout');
    let asked = 0;
    const aborting = async function* () {
      for (let id = 0; id < 30_000; id++) {
        if (id === 20_000) controller.abort(reason);
        asked = id - 20_000;
        yield { id };
      }
    };
    const namespace = `aborting ${bench.nextMaterialization()}`;
    const storing = bench.store(aborting(), { signal: controller.signal, namespace });
    await assert.rejects(storing, (thrown) => thrown === reason);
    // Each may take minutes to come, and nobody waits for them any more.
    assert.ok(asked < MOST_ASKED, `it asks for ${asked} more rows once it is aborted`);
    assert.deepEqual(await leftIn(bench, namespace), []);
  });
}

function checkManyRows(test: Declare): void {
  test('holds no more of many rows when most of them were stored, nor when most of them were read', async (bench) => {
    const whileStored = new Held();
    const { location } = await bench.store(whileStored.over(large()));
    requireBounded(whileStored, 'stored');
    const whileRead = new Held();
    let count = 0;
    for await (const row of whileRead.over(await bench.rows(location))) if (row['id'] === count) count++;
    assert.equal(count, MANY_ROWS);
    requireBounded(whileRead, 'read');
  });
}

function requireBounded(held: Held, how: 'stored' | 'read'): void {
  assert.ok(
    held.growth < MOST_HELD,
    `it holds ${held.growth} bytes more in the last third of ${MANY_ROWS} rows that are ${how} than in the first`,
  );
}

async function* large(): AsyncGenerator<Row> {
  for (let id = 0; id < MANY_ROWS; id++) {
    // Not by `repeat`, which shares what it repeats.
    const text = Buffer.alloc(4000, `${Math.sin(id)}`).toString('latin1');
    yield { id, at: new Date(id * DAY), text, ratio: id / 3, big: BigInt(id) };
  }
}

/** The attempts of a namespace of which something is stored, where the manager can tell. */
async function leftIn(bench: Bench, namespace: string): Promise<number[]> {
  const left: number[] = [];
  for await (const { materialization } of bench.manager.list?.(namespace) ?? []) left.push(materialization);
  return left;
}
