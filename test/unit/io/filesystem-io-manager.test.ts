import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { LoadContext, StoredValue } from '../../../lib/io/io-manager.port.js';
import { FilesystemIoManager } from '../../../lib/io/managers/filesystem.io-manager.js';
import type { JsonValue } from '../../../lib/ledger/records.js';
import type { Rows } from '../../../lib/io/rows.js';

const address = { namespace: 'default', asset: 'flights.daily', partition: '2001-03-04' };
let folder: string;
let root: string;
let manager: FilesystemIoManager;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flowstone-files-'));
  root = join(folder, 'values');
  manager = new FilesystemIoManager({ root });
});
afterEach(async () => rm(folder, { recursive: true }));

function store(value: unknown, options: LoadContext['options'] = {}, signal = new AbortController().signal) {
  return manager.store({ ...address, materialization: 12, epoch: 3, options, signal }, value);
}
function load({ location }: Pick<StoredValue, 'location'>, columns?: string[]) {
  return manager.load({ ...address, location, options: {}, ...(columns && { columns }) });
}
const pathOf = ({ location }: StoredValue) => join(root, (location as { path: string }).path);
const filesBelow = async (path: string) =>
  (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => !entry.isDirectory());
async function* rows(count: number) {
  for (let id = 0; id < count; id++) yield { id, name: `row ${id}` };
}

/** What is synced meanwhile, in order, and whether there was any value by its name then. */
async function syncsOf(act: () => Promise<void>): Promise<{ ino: number; named: boolean }[]> {
  const probe = await open(folder, 'r');
  const handles = Object.getPrototypeOf(probe) as typeof probe;
  await probe.close();
  const synced: { ino: number; named: boolean }[] = [];
  const { sync } = handles;
  handles.sync = async function (this: typeof probe) {
    await sync.call(this);
    const [{ ino }, files] = [await this.stat(), await filesBelow(folder)];
    synced.push({ ino, named: files.some(({ name }) => !name.endsWith('.tmp')) });
  };
  try {
    await act();
  } finally {
    handles.sync = sync;
  }
  return synced;
}

describe('files of values', () => {
  it.each([
    [{ a: 1 }, {}, 'json', '{"a":1}'],
    ['# Report', { format: 'text' }, 'txt', '# Report'],
    ['# Report', {}, 'json', '"# Report"'],
    [Buffer.from('abc'), {}, 'bin', 'abc'],
    [Buffer.from('abc'), { format: 'json' }, 'json', '"$bytes:YWJj"'],
    [[{ a: 1n }, { b: null }], { format: 'jsonl' }, 'jsonl', '{"a":"$bigint:1"}\n{"b":null}\n'],
    [rows(2), { format: 'json' }, 'jsonl', '{"id":0,"name":"row 0"}\n{"id":1,"name":"row 1"}\n'],
  ])('of %j with %j are named %s and read by any tool', async (value, options, extension, content) => {
    const stored = await store(value, options);
    expect(pathOf(stored)).toBe(join(root, 'default', 'flights.daily', '2001-03-04', `12-3.${extension}`));
    expect(await readFile(pathOf(stored), 'utf8')).toBe(content);
    expect(stored.size).toBe(content.length);
  });

  it('are synced before they have their name, and then all folders that have a new name in them', async () => {
    const synced = await syncsOf(async () => {
      await store({ a: 1 });
    });
    const file = join(root, 'default', 'flights.daily', '2001-03-04', '12-3.json');
    const folders = [dirname(file), dirname(dirname(file)), join(root, 'default'), root, folder];
    const numbers = await Promise.all([file, ...folders].map(async (path) => (await stat(path)).ino));
    expect(synced.map(({ ino }) => ino).toSorted()).toEqual(numbers.toSorted());
    expect(synced[0]).toEqual({ ino: numbers[0], named: false });
    expect(synced.slice(1).every(({ named }) => named)).toBe(true);
    const again = await syncsOf(async () => {
      await store([1], { format: 'json', compression: 'gzip' });
    });
    expect(again.map(({ ino }) => ino).slice(1)).toEqual([numbers[1]]);
  });

  it('give back an array as an array and a stream as rows, both as JSON lines', async () => {
    const array = [{ a: 1n }, { a: null }];
    expect(await load(await store(array, { format: 'jsonl' }))).toEqual(array);
    expect(await ((await load(await store(rows(2)))) as Rows<unknown>).toArray()).toHaveLength(2);
  });

  it('narrow an array of rows to columns', async () => {
    expect(await load(await store([{ a: 1, b: 2 }, { b: 3 }]), ['a'])).toEqual([{ a: 1 }, {}]);
  });

  it.each([
    [{ a: [1, 2n] }, {}, 'json.gz'],
    [[{ a: 1n }, { a: null }], { format: 'jsonl' }, 'jsonl.gz'],
    ['ä'.repeat(700_000), { format: 'text' }, 'txt.gz'],
    [Buffer.alloc(700_000, 'flowstone'), {}, 'bin.gz'],
  ])('are packed by gzip where that is asked for', async (value, options, extension) => {
    const stored = await store(value, { ...options, compression: 'gzip' });
    expect(pathOf(stored)).toMatch(new RegExp(`/12-3\\.${extension}$`));
    const unpacked = gunzipSync(await readFile(pathOf(stored)));
    expect(unpacked.equals(await readFile(pathOf(await store(value, options))))).toBe(true);
    const loaded = await load(stored);
    // Byte by byte, toEqual would take seconds.
    if (value instanceof Uint8Array) expect(value.equals(loaded as Uint8Array)).toBe(true);
    else expect(loaded).toEqual(value);
  });

  it('are found when the packed file was changed', async () => {
    const stored = await store(rows(50_000), { compression: 'gzip' });
    const content = await readFile(pathOf(stored));
    await writeFile(pathOf(stored), content.fill(7, 1000, 1010));
    await expect(((await load(stored)) as Rows<unknown>).toArray()).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VALUE_CORRUPT',
    });
  });

  it('leave nothing behind when a packed value cannot be stored', async () => {
    await expect(store({ a: NaN }, { compression: 'gzip' })).rejects.toThrow('$.a is NaN');
    expect(await filesBelow(root)).toEqual([]);
  });

  it('hold rows longer than a piece that is read at once', async () => {
    const long = [{ text: 'ä'.repeat(400_000) }, { text: 'x' }, { text: '\n'.repeat(300_000) }];
    expect(await load(await store(long, { format: 'jsonl' }))).toEqual(long);
  });

  it.each([
    [42, 'text', '$ is no string'],
    ['a', 'bytes', '$ is no Uint8Array'],
    [{ a: 1 }, 'jsonl', '$ is no array of plain objects'],
  ])('refuse %j as %s', async (value, format, message) => {
    const refused = store(value, { format });
    await expect(refused).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_UNSUPPORTED' });
    await expect(refused).rejects.toThrow(`the value of flights.daily[2001-03-04]: ${message}`);
    expect(await filesBelow(root)).toEqual([]);
  });
});

describe('a store that does not end', () => {
  it('leaves no file when it is aborted', async () => {
    const controller = new AbortController();
    const aborting = async function* () {
      yield* rows(50_000);
      controller.abort(new Error('cancelled'));
      yield { id: -1 };
    };
    await expect(store(aborting(), {}, controller.signal)).rejects.toThrow('cancelled');
    expect(await filesBelow(root)).toEqual([]);
  });

  it('leaves no file when its rows fail or cannot be stored', async () => {
    const failing = async function* () {
      yield* rows(50_000);
      throw new Error('source is gone');
    };
    const wrong = async function* () {
      yield* rows(50_000);
      yield 5;
    };
    await expect(store(failing())).rejects.toThrow('source is gone');
    await expect(store(wrong())).rejects.toThrow('flights.daily[2001-03-04]: $[50000] is no plain object');
    expect(await filesBelow(root)).toEqual([]);
  });

  it('keeps what is stored already when the same attempt stores again and fails', async () => {
    const stored = await store({ a: 1 });
    await expect(store({ a: NaN })).rejects.toThrow('$.a is NaN');
    expect(await load(stored)).toEqual({ a: 1 });
  });

  it('reports a full or unwritable storage as failure with its cause', async () => {
    await mkdir(join(root, 'default', 'flights.daily', '2001-03-04', '12-3.json'), { recursive: true });
    await expect(store({ a: 1 })).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_FAILED',
      retryable: true,
      message: expect.stringContaining('cannot store the value of flights.daily[2001-03-04]: E'),
    });
  });
});

describe('a file that was changed from outside', () => {
  it.each([
    ['shorter', async (path: string) => truncate(path, 3), 'it has 3 bytes, not 7'],
    ['different', async (path: string) => writeFile(path, '{"a":2}'), 'the checksum of its bytes differs'],
  ])('is found when it is %s', async (_, change, message) => {
    const stored = await store({ a: 1 });
    await change(pathOf(stored));
    await expect(load(stored)).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VALUE_CORRUPT',
      message: expect.stringContaining(message),
    });
  });

  it('is found in rows at the latest when they were read to the end', async () => {
    const stored = await store(rows(10_000));
    const content = await readFile(pathOf(stored), 'utf8');
    await writeFile(pathOf(stored), content.replace('row 5000', 'row 5001'));
    const loaded = (await load(stored)) as Rows<unknown>;
    await expect(loaded.toArray()).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_CORRUPT' });
    await writeFile(pathOf(stored), content.replace('{"id":5000', '["id":5000'));
    await expect(loaded.toArray()).rejects.toThrow('it is not what was written');
    await rm(pathOf(stored));
    await expect(loaded.toArray()).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_NOT_FOUND' });
  });
});

describe('paths', () => {
  it('are refused where they leave the root, whoever wrote them into the ledger', async () => {
    const stored = await store({ a: 1 });
    await writeFile(join(folder, 'secret.json'), '{"a":1}');
    for (const path of [
      '../secret.json',
      '/etc/passwd',
      'a/../../../secret.json',
      'a/b/../../../secret.json',
      'a/b/c',
      '',
      'a/b/c\\d/e',
      'a/b/c/d\0',
    ]) {
      const location = { ...(stored.location as object), path };
      const context = { ...address, location, options: {} };
      for (const act of [() => manager.load(context), () => manager.delete(context), () => manager.exists(context)]) {
        await expect(act()).rejects.toMatchObject({ code: 'FLOWSTONE_IO_PATH_REFUSED' });
      }
    }
    expect(await readFile(join(folder, 'secret.json'), 'utf8')).toBe('{"a":1}');
  });

  it('are refused where a link leads elsewhere', async () => {
    const stored = await store({ a: 1 });
    const partition = dirname(pathOf(stored));
    const elsewhere = join(folder, 'elsewhere');
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, '12-3.json'), '{"a":1}');
    await rm(partition, { recursive: true });
    await symlink(elsewhere, partition);
    const refused = { code: 'FLOWSTONE_IO_PATH_REFUSED' };
    await expect(store({ a: 2 })).rejects.toMatchObject(refused);
    await expect(load(stored)).rejects.toMatchObject(refused);
    await expect(manager.delete({ ...address, location: stored.location, options: {} })).rejects.toMatchObject(refused);
    expect(await readFile(join(elsewhere, '12-3.json'), 'utf8')).toBe('{"a":1}');
  });

  it('are refused where the file itself is a link, which storing replaces and deleting removes', async () => {
    const stored = await store({ a: 1 });
    const secret = join(folder, 'secret.json');
    await writeFile(secret, '{"a":1}');
    await rm(pathOf(stored));
    await symlink(secret, pathOf(stored));
    await expect(load(stored)).rejects.toMatchObject({ code: 'FLOWSTONE_IO_PATH_REFUSED' });
    expect(await load(await store({ a: 2 }))).toEqual({ a: 2 });
    expect(await readFile(secret, 'utf8')).toBe('{"a":1}');
  });

  it('may begin with a root that is a link itself', async () => {
    await mkdir(join(folder, 'disk'));
    await symlink(join(folder, 'disk'), root);
    expect(await load(await store({ a: 1 }))).toEqual({ a: 1 });
  });

  it.each<JsonValue>([null, 'x', { boot: 'x', key: 'y' }, { path: 'a/b/c/d', format: 'exe', size: 1, checksum: 1 }])(
    'are not taken from a location like %j',
    async (location) => {
      await expect(load({ location })).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_CORRUPT' });
    },
  );
});

describe('options of an asset', () => {
  it('are checked with a suggestion', () => {
    expect(manager.optionProblems({ format: 'jsonl' })).toEqual([]);
    expect(manager.optionProblems({ fromat: 'text', table: 'x' })).toEqual([
      'unknown option "fromat" of the filesystem manager, did you mean "format"?',
      'unknown option "table" of the filesystem manager',
    ]);
    expect(manager.optionProblems({ format: 'jsnl' })).toEqual([
      expect.stringMatching(/^format is "jsnl", must be one of json, jsonl, text, bytes, parquet, did you mean "json/),
    ]);
    expect(manager.optionProblems({ format: 'toString' })).toHaveLength(1);
    expect(manager.optionProblems({ compression: 'gzip' })).toEqual([]);
    expect(manager.optionProblems({ compression: 'zip' })).toEqual([
      'compression is "zip", must be "gzip" or left out',
    ]);
  });
});
