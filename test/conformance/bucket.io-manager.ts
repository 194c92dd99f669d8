// The I/O manager that docs/io.md shows: values in any store of blobs.
import { createHash } from 'node:crypto';
import {
  batchesWithin,
  ioFailed,
  isRowStream,
  narrowRow,
  RowEncoder,
  rowsInBatches,
  valueFromText,
  valueNotFound,
  valueToText,
  type IoManager,
  type LoadContext,
  type StoreContext,
  type StoredValue,
  type ValuePlace,
} from 'nestjs-flowstone';

/** What is asked of the store: an object store, a table, a file server. */
export interface Bucket {
  put(name: string, text: string): Promise<void>;
  get(name: string): Promise<string | undefined>;
  remove(name: string): Promise<void>;
}

type Row = Readonly<Record<string, unknown>>;

/** Keeps a value as one blob; rows that are yielded as blobs of a thousand each, so that they need not fit in memory. */
export class BucketIoManager implements IoManager {
  readonly versions = 'kept';

  constructor(private readonly bucket: Bucket) {}

  async store(context: StoreContext, value: unknown): Promise<StoredValue> {
    context.signal.throwIfAborted();
    const name = nameOf(context);
    if (isRowStream(value)) return this.storeRows(context, name, value);
    const { text, ...told } = valueToText(value);
    await this.put(context, name, text);
    return { location: { name, parts: null }, size: Buffer.byteLength(text), format: 'json', ...told };
  }

  async load(context: LoadContext): Promise<unknown> {
    const { name, parts } = placeOf(context);
    const text = await this.get(context, parts === null ? name : `${name}/0`);
    if (parts === null) return narrowed(valueFromText(text), context);
    return rowsInBatches((range) => batchesWithin(this.batches(context, name, parts), range));
  }

  async delete(context: LoadContext): Promise<void> {
    const { name, parts } = placeOf(context);
    await this.remove(context, name, parts);
  }

  optionProblems(options: Readonly<Record<string, unknown>>): string[] {
    return Object.keys(options).map((name) => `unknown option "${name}": the bucket takes none`);
  }

  private async storeRows(context: StoreContext, name: string, rows: AsyncIterable<unknown>): Promise<StoredValue> {
    const encoder = new RowEncoder();
    let size = 0;
    let parts = 0;
    let lines: string[] = [];
    const flush = async () => {
      context.signal.throwIfAborted();
      const text = `[${lines.join()}]`;
      lines = [];
      size += text.length;
      await this.put(context, `${name}/${parts++}`, text);
    };
    try {
      for await (const row of rows) {
        context.signal.throwIfAborted();
        if (lines.push(JSON.stringify(encoder.add(row))) === 1000) await flush();
      }
      await flush();
    } catch (error) {
      await this.remove(context, name, parts);
      throw error;
    }
    const { rows: count, schema } = encoder;
    return { location: { name, parts }, size, format: 'json', hash: encoder.digest(), rows: count, schema };
  }

  private async *batches(context: LoadContext, name: string, parts: number) {
    for (let part = 0; part < parts; part++) {
      const rows = valueFromText(await this.get(context, `${name}/${part}`)) as Row[];
      yield narrowed(rows, context) as Row[];
    }
  }

  private async put(place: ValuePlace, name: string, text: string): Promise<void> {
    await this.bucket.put(name, text).catch((error: unknown) => Promise.reject(ioFailed(place, 'store', error)));
  }

  private async get(place: ValuePlace, name: string): Promise<string> {
    const text = await this.bucket.get(name).catch((error: unknown) => Promise.reject(ioFailed(place, 'load', error)));
    if (text === undefined) throw valueNotFound(place, 'the bucket has none there');
    return text;
  }

  private async remove(place: ValuePlace, name: string, parts: number | null): Promise<void> {
    const names = parts === null ? [name] : Array.from({ length: parts }, (_, part) => `${name}/${part}`);
    await Promise.all(names.map((each) => this.bucket.remove(each))).catch((error: unknown) => {
      throw ioFailed(place, 'delete', error);
    });
  }
}

// Follows from the attempt alone, so that no two attempts ever write to one place; keys may hold any text.
function nameOf({ namespace, asset, partition, materialization, epoch }: StoreContext): string {
  const address = JSON.stringify([namespace, asset, partition ?? null, materialization, epoch]);
  return createHash('sha256').update(address).digest('hex');
}

function placeOf({ location }: LoadContext): { readonly name: string; readonly parts: number | null } {
  return location as { readonly name: string; readonly parts: number | null };
}

function narrowed(value: unknown, { columns }: LoadContext): unknown {
  return columns && Array.isArray(value) ? value.map((row) => narrowRow(row as Row, columns)) : value;
}
