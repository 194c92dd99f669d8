// The example of docs/io.md: an I/O manager for bytes in any store of blobs.
import { createHash } from 'node:crypto';
import {
  FlowStoneError,
  type IoManager,
  type LoadContext,
  type StoreContext,
  type StoredValue,
} from 'nestjs-flowstone';

/** What is asked of the store: an object store, a table, a file server. */
export interface Bucket {
  put(name: string, bytes: Uint8Array): Promise<void>;
  get(name: string): Promise<Uint8Array | undefined>;
  remove(name: string): Promise<void>;
}

export class BucketIoManager implements IoManager {
  readonly versions = 'kept';

  constructor(private readonly bucket: Bucket) {}

  async store(context: StoreContext, value: unknown): Promise<StoredValue> {
    const { asset, signal } = context;
    signal.throwIfAborted();
    if (!(value instanceof Uint8Array)) {
      throw new FlowStoneError('FLOWSTONE_IO_VALUE_UNSUPPORTED', `${asset} must return bytes to be kept in the bucket`);
    }
    const name = nameOf(context);
    await this.bucket.put(name, value).catch(failed);
    const hash = createHash('sha256').update(value).digest('hex');
    return { location: { name }, size: value.length, hash, rows: null };
  }

  async load(context: LoadContext): Promise<Uint8Array> {
    const bytes = await this.bucket.get(recordedName(context)).catch(failed);
    if (bytes) return bytes;
    throw new FlowStoneError('FLOWSTONE_IO_VALUE_NOT_FOUND', `the bucket has no value of ${context.asset} there`);
  }

  async delete(context: LoadContext): Promise<void> {
    await this.bucket.remove(recordedName(context)).catch(failed);
  }

  optionProblems(options: Readonly<Record<string, unknown>>): string[] {
    return Object.keys(options).map((name) => `unknown option "${name}": the bucket takes none`);
  }
}

// Follows from the attempt alone, so that no two attempts ever write to one place; keys may hold any text.
function nameOf({ namespace, asset, partition, materialization, epoch }: StoreContext): string {
  const address = JSON.stringify([namespace, asset, partition ?? null, materialization, epoch]);
  return createHash('sha256').update(address).digest('hex');
}

function recordedName({ location }: LoadContext): string {
  return (location as { readonly name: string }).name;
}

function failed(cause: unknown): never {
  throw new FlowStoneError('FLOWSTONE_IO_FAILED', 'the bucket failed', { cause });
}
