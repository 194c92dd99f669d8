// Rows of a table come in pages of a bounded size, from the first one on, and in no more of them than need be.
import { afterEach, expect, it, jest } from '@jest/globals';
import type { Rows } from '../../lib/io/rows.js';
import { valueStores, type Row, type Store } from './value-stores.js';

const PAGE = 4 * 1024 * 1024;
const [[, make]] = valueStores().kinds as [[string, (asset: string) => Store]];

afterEach(() => {
  jest.restoreAllMocks();
});

/** The size of each page that is read from now on. */
function pagesOf({ values }: Store): number[] {
  const pages: number[] = [];
  const read = values!.read;
  jest.spyOn(values!, 'read').mockImplementation(async (text, parameters) => {
    const rows = await read(text, parameters);
    const size = rows.flat().reduce((sum, cell) => sum + (cell?.length ?? 0), 0);
    if (text.includes(' LIMIT ')) pages.push(size);
    return rows;
  });
  return pages;
}

it.each([[undefined], [['id']]])('wide rows and narrow ones (by key %j)', async (key) => {
  const store = make(`pages${key ? 'key' : ''}`);
  store.options = { table: `paged.${store.asset}`, columns: { id: 'integer', text: 'text' }, ...(key && { key }) };
  const rows = (count: number, width: number) =>
    Array.from({ length: count }, (_, id) => ({ id, text: String(id % 10).repeat(width) }));
  const wide = rows(100, 200_000);
  let { location } = await store.store(wide);
  const pages = pagesOf(store);
  expect(await store.load(location)).toEqual(wide);
  expect(Math.max(...pages)).toBeLessThan(1.1 * PAGE);
  expect(pages.length).toBeLessThan(8);

  pages.length = 0;
  const ids = await store.load(location, { columns: ['id'] });
  expect(ids).toEqual(wide.map(({ id }) => ({ id })));
  expect(pages.length).toBeLessThan(5);

  const narrow = rows(12_000, 10);
  ({ location } = await store.store(narrow));
  pages.length = 0;
  expect(await store.load(location)).toEqual(narrow);
  expect(pages).toHaveLength(3);
  pages.length = 0;
  const read = await store.manager.begin({ ...store.place, location }, { rows: 3, bytes: 100 });
  expect(read).toEqual({ value: narrow.slice(0, 3), complete: false });
  expect(pages).toHaveLength(1);
  expect(pages[0]).toBeLessThan(200);

  ({ location } = await store.store(
    (async function* () {
      yield* wide;
    })(),
  ));
  pages.length = 0;
  expect(await (await store.load<Rows<Row>>(location)).slice(0, 2).toArray()).toEqual(wide.slice(0, 2));
  expect(Math.max(...pages)).toBeLessThan(410_000);
  // From the middle on, without those before it.
  for (const [start, end, most] of [
    [95, 97, 410_000],
    [40, 100, 1.1 * PAGE],
    [99, 300, 210_000],
    [100, 102, 1],
  ] as const) {
    pages.length = 0;
    const part = (await store.load<Rows<Row>>(location)).slice(start, end);
    expect(await part.toArray()).toEqual(wide.slice(start, end));
    expect(Math.max(...pages)).toBeLessThanOrEqual(most);
  }

  ({ location } = await store.store([]));
  expect(await store.load(location)).toEqual([]);
});
