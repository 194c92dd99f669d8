// Rows that are kept as Parquet files, as a consumer is given them, without an application around them.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileStore } from '../../lib/io/blobs/files/file.store.js';
import { ParquetIoManager } from '../../lib/io/managers/parquet.io-manager.js';
import type { Rows } from '../../lib/io/rows.js';

type Row = Readonly<Record<string, unknown>>;

const context = { namespace: 'default', partition: undefined };

export class StoredRows {
  #materialization = 0;

  private constructor(
    readonly root: string,
    private readonly manager: ParquetIoManager,
  ) {}

  /** @param name of the folder that the files are in */
  static async open(name: string): Promise<StoredRows> {
    const root = join(await mkdtemp(join(tmpdir(), 'flowstone-rows-')), name);
    return new StoredRows(root, new ParquetIoManager({ store: new FileStore(root) }));
  }

  async close(): Promise<void> {
    await this.manager.close();
    await rm(join(this.root, '..'), { recursive: true });
  }

  /** @param columns that are wanted */
  async of(
    rows: Iterable<Row> | AsyncIterable<Row>,
    options: Readonly<Record<string, unknown>> = { schema: 'infer' },
    columns?: readonly string[],
  ): Promise<Rows<Row>> {
    return this.load(await this.store(rows, options), columns);
  }

  /** The location of the value. */
  async store(rows: Iterable<Row> | AsyncIterable<Row>, options: Readonly<Record<string, unknown>>) {
    const stream = (async function* () {
      yield* rows;
    })();
    const { signal } = new AbortController();
    const address = { ...context, asset: 'orders', materialization: ++this.#materialization, epoch: 1 };
    const { location } = await this.manager.store({ ...address, options, signal }, stream);
    return location as { readonly path: string };
  }

  load(location: { readonly path: string }, columns?: readonly string[]): Promise<Rows<Row>> {
    const wanted = { ...context, asset: 'orders', options: {}, ...(columns && { columns }) };
    return this.manager.load({ ...wanted, location: { ...location } }) as Promise<Rows<Row>>;
  }

  pathOf({ path }: { readonly path: string }): string {
    return join(this.root, path);
  }
}
