// The I/O manager that keeps values in this process, for tests and `storage: 'memory'`.
import { randomUUID } from 'node:crypto';
import { types } from 'node:util';
import { dataVersionOf, encodeDocument, isRowArray, isRowStream } from '../data-version.js';
import { placeRefusal, valueNotFound } from '../io-failures.js';
import type { JsonValue } from '../../ledger/records.js';
import type {
  IoManager,
  LoadContext,
  StoreContext,
  StoredAttempt,
  StoredValue,
  ValueAddress,
} from '../io-manager.port.js';
import { RowEncoder } from '../row-encoder.js';
import { batchesWithin, narrowRow, rowsInBatches } from '../rows.js';
import { isRecord, parseTagged, stringifyTagged } from '../tagged-json.js';

const BATCH_ROWS = 1024;

/** A value as it is kept: encoded, so that nobody can change it; JSON is several times faster than structured clones. */
type KeptValue =
  { kind: 'document'; json: string } | { kind: 'bytes'; bytes: Uint8Array } | { kind: 'rows'; batches: string[] };

/**
 * Keeps values until the process ends. A location carries the id of its manager's life (`boot`): one of an earlier
 * life is not found.
 */
export class MemoryIoManager implements IoManager {
  readonly versions = 'kept';
  private readonly boot = randomUUID();
  private readonly values = new Map<string, KeptValue & { readonly storedAt: number }>();

  async store(context: StoreContext, value: unknown): Promise<StoredValue> {
    try {
      const { kept, ...told } = await encode(value, context.signal);
      context.signal.throwIfAborted();
      const key = keyOf(context);
      this.values.set(key, { ...kept, storedAt: Date.now() });
      return { location: { boot: this.boot, key }, format: kept.kind === 'bytes' ? 'bytes' : 'json', ...told };
    } catch (error) {
      throw placeRefusal(context, error);
    }
  }

  async load(context: LoadContext): Promise<unknown> {
    const kept = this.find(context);
    if (kept === undefined) throw valueNotFound(context, 'value was in memory');
    if (kept.kind === 'bytes') return new Uint8Array(kept.bytes);
    const { columns } = context;
    const narrow = (rows: readonly Readonly<Record<string, unknown>>[]) =>
      columns === undefined ? rows : rows.map((row) => narrowRow(row, columns));
    if (kept.kind === 'document') {
      const value = parseTagged(kept.json);
      return isRowArray(value) ? narrow(value) : value;
    }
    const { batches } = kept;
    return rowsInBatches(async function* (range) {
      for await (const rows of batchesWithin(parsed(batches), range)) yield narrow(rows);
    });
  }

  async delete(context: LoadContext): Promise<void> {
    const key = this.recordedKey(context);
    if (key !== undefined) this.values.delete(key);
  }

  async exists(context: LoadContext): Promise<boolean> {
    return this.find(context) !== undefined;
  }

  async *list(namespace: string): AsyncGenerator<StoredAttempt> {
    for (const key of [...this.values.keys()]) {
      const [of, , , materialization, epoch] = JSON.parse(key) as [string, string, string | null, number, number];
      if (of === namespace) yield { materialization, epoch };
    }
  }

  async discard(address: Omit<ValueAddress, 'options'>, before: Date): Promise<boolean> {
    const key = keyOf(address);
    const kept = this.values.get(key);
    return kept !== undefined && kept.storedAt < before.getTime() && this.values.delete(key);
  }

  lost(location: JsonValue): string | undefined {
    return isRecord(location) && location['boot'] === this.boot ? undefined : 'value was in memory';
  }

  optionProblems(options: Readonly<Record<string, unknown>>): string[] {
    return Object.keys(options).map((name) => `unknown option "${name}": the memory manager has none`);
  }

  async close(): Promise<void> {
    this.values.clear();
  }

  private find(context: LoadContext): KeptValue | undefined {
    const key = this.recordedKey(context);
    return key === undefined ? undefined : this.values.get(key);
  }

  private recordedKey({ location }: LoadContext): string | undefined {
    if (!isRecord(location) || location['boot'] !== this.boot) return undefined;
    return typeof location['key'] === 'string' ? location['key'] : undefined;
  }
}

async function* parsed(batches: readonly string[]): AsyncGenerator<Record<string, unknown>[]> {
  for (const batch of batches) yield parseTagged(batch) as Record<string, unknown>[];
}

function keyOf({ namespace, asset, partition, materialization, epoch }: Omit<ValueAddress, 'options'>): string {
  return JSON.stringify([namespace, asset, partition ?? null, materialization, epoch]);
}

/** A value as it is kept, with what is told of it. */
type Encoded = Omit<StoredValue, 'location'> & { readonly kept: KeptValue };

async function encode(value: unknown, signal: AbortSignal): Promise<Encoded> {
  if (isRowStream(value)) return encodeRows(value, signal);
  if (types.isUint8Array(value)) {
    return { ...dataVersionOf(value), kept: { kind: 'bytes', bytes: new Uint8Array(value) }, size: value.byteLength };
  }
  const { tagged, ...version } = encodeDocument(value);
  const json = stringifyTagged(tagged);
  return { ...version, kept: { kind: 'document', json }, size: Buffer.byteLength(json) };
}

async function encodeRows(rows: AsyncIterable<unknown>, signal: AbortSignal): Promise<Encoded> {
  const encoder = new RowEncoder();
  const batches: string[] = [];
  let size = 0;
  let lines: string[] = [];
  const flush = () => {
    signal.throwIfAborted();
    const json = `[${lines.join(',')}]`;
    size += Buffer.byteLength(json);
    batches.push(json);
    lines = [];
  };
  for await (const row of rows) {
    signal.throwIfAborted();
    // Encoded at once, since a generator may yield the same object again and again.
    if (lines.push(JSON.stringify(encoder.add(row))) === BATCH_ROWS) flush();
  }
  flush();
  return { hash: encoder.digest(), rows: encoder.rows, schema: encoder.schema, kept: { kind: 'rows', batches }, size };
}
