// Document mode: values as jsonb in value_documents, every version by itself; in several parts where they are large.
import { setImmediate as breath } from 'node:timers/promises';
import { types } from 'node:util';
import type { ValueDatabase } from '../../../ledger/value-database.port.js';
import { dataVersionOf, encodeDocument, isRowArray, isRowStream } from '../../data-version.js';
import { valueCorrupt, valueNotFound, type ValuePlace } from '../../io-failures.js';
import type {
  LoadContext,
  MostOfValue,
  StoreContext,
  StoredAttempt,
  StoredValue,
  UnwrittenValue,
  ValueBeginning,
} from '../../io-manager.port.js';
import { closeJson } from '../../json-beginning.js';
import { RowEncoder } from '../../row-encoder.js';
import { batchesFailing, batchesWithin, firstRows, narrowRow, rowsInBatches, type Rows } from '../../rows.js';
import { Spool } from '../../spool.js';
import { isRecord, parseTagged, stringifyTagged } from '../../tagged-json.js';
import { writeFailure, type EncodedValue } from './encoded.value.js';
import { copyField, jsonbText, jsonOfJsonb, quoted } from './text-formats.js';

type Row = Readonly<Record<string, unknown>>;

type Version = Pick<StoredValue, 'hash' | 'rows' | 'schema'>;

/** Bytes of a document that rides with other commits. */
const SMALL_BYTES = 4096;
/** Rows and characters of a part. */
const PART_ROWS = 1000;
const PART_LENGTH = 1024 * 1024;
/** Bytes of a part of bytes. */
const PART_BYTES = 768 * 1024;
const COPY_BYTES = 8 * 1024 * 1024;
const LISTED = 1000;

interface DocumentLocation {
  readonly kind: 'document' | 'bytes' | 'rows';
  readonly parts: number;
  /** Stored from an async iterable, so loaded as `Rows`. */
  readonly streamed: boolean;
  readonly materialization: number;
  readonly epoch: number;
}

const DOCUMENT = 'WHERE namespace = $1 AND materialization_id = $2::bigint AND epoch = $3::integer';

export class DocumentValues {
  /** @param failure of a read that began well, as it is to be thrown */
  constructor(
    private readonly database: () => ValueDatabase,
    private readonly failure: (place: ValuePlace, error: unknown) => unknown,
  ) {}

  /** Encodes a value; the caller writes and releases it. */
  async encode(context: StoreContext, value: unknown): Promise<EncodedValue> {
    const parts = new Parts(context);
    try {
      const version = await encodeParts(parts, value, context.signal);
      const { count, size } = parts;
      const { materialization, epoch } = context;
      const streamed = isRowStream(value);
      const kind = version.rows !== null ? 'rows' : types.isUint8Array(value) ? 'bytes' : 'document';
      const location = { kind, parts: count, streamed, materialization, epoch };
      const stored = { location, size, ...version, format: 'jsonb' };
      const document = count === 1 && size <= SMALL_BYTES ? parts.only : undefined;
      if (document !== undefined) return { ...stored, document };
      const spool = await parts.end();
      const copy = `COPY ${this.#table} (namespace, materialization_id, epoch, part, content) FROM STDIN`;
      const write: UnwrittenValue['write'] = async (sql) => {
        try {
          // It may be there from a commit that lost its answer.
          await sql.rows(`DELETE FROM ${this.#table} ${DOCUMENT}`, [context.namespace, materialization, epoch]);
          for (const batch of spool.batches(COPY_BYTES)) {
            context.signal.throwIfAborted();
            await sql.copy(copy, batch);
          }
          return stored;
        } catch (error) {
          throw writeFailure(context, error);
        }
      };
      return { write, release: () => spool.release() };
    } catch (error) {
      await parts.release();
      throw error;
    }
  }

  async load(context: LoadContext): Promise<unknown> {
    const location = locationOf(context);
    // Read at once, so that a value that is gone is found here and not in the middle of the consumer's work.
    const first = await this.#part(context, location, 0);
    if (location.kind === 'document') return first;
    if (location.kind === 'rows' && location.streamed) return this.#rows(context, location);
    const parts = [first];
    while (parts.length < location.parts) parts.push(await this.#part(context, location, parts.length));
    if (location.kind === 'bytes')
      return parts.length === 1 ? first : new Uint8Array(Buffer.concat(parts as Uint8Array[]));
    return (parts as (readonly Row[])[]).flatMap((rows) => narrowed(rows, context));
  }

  async delete(context: LoadContext): Promise<void> {
    await this.#remove(context.namespace, locationOf(context), 'infinity');
  }

  async exists(context: LoadContext): Promise<boolean> {
    const { materialization, epoch } = locationOf(context);
    const found = await this.database().read(`SELECT FROM ${this.#table} ${DOCUMENT} AND part = 0`, [
      ...[context.namespace, materialization, epoch],
    ]);
    return found.length > 0;
  }

  /** What is not small, and not committed with its record, may be of attempts that never committed. */
  async *list(namespace: string): AsyncGenerator<StoredAttempt> {
    let after: readonly (string | null)[] = ['0', '0'];
    for (;;) {
      const found = await this.database().read(
        `SELECT materialization_id, epoch FROM ${this.#table} WHERE namespace = $1 AND part = 0
           AND (materialization_id, epoch) > ($2::bigint, $3::integer)
         ORDER BY materialization_id, epoch LIMIT ${LISTED}`,
        [namespace, ...after],
      );
      for (const [materialization, epoch] of found)
        yield { materialization: Number(materialization), epoch: Number(epoch) };
      if (found.length < LISTED) return;
      after = found.at(-1)!;
    }
  }

  async discard(namespace: string, attempt: StoredAttempt, before: Date): Promise<boolean> {
    return this.#remove(namespace, attempt, before.toISOString());
  }

  get #table(): string {
    return `${quoted(this.database().schema)}.value_documents`;
  }

  async #remove(namespace: string, { materialization, epoch }: StoredAttempt, before: string): Promise<boolean> {
    return this.database().transaction(async (sql) => {
      const removed = await sql.rows(
        `DELETE FROM ${this.#table} ${DOCUMENT} AND stored_at < $4::timestamptz RETURNING part`,
        [namespace, materialization, epoch, before],
      );
      return removed.length > 0;
    });
  }

  /** Of a document so many characters are read, of bytes and rows the first parts. */
  async begin(context: LoadContext, most: MostOfValue): Promise<ValueBeginning> {
    const location = locationOf(context);
    if (location.kind === 'document') return this.#beginDocument(context, location, most.bytes);
    if (location.kind === 'rows') return firstRows(this.#rows(context, location), most.rows);
    const first = (await this.#part(context, location, 0)) as Uint8Array;
    return { value: first.slice(0, most.bytes), complete: location.parts === 1 && first.length <= most.bytes };
  }

  async #beginDocument(
    context: LoadContext,
    { materialization, epoch }: DocumentLocation,
    length: number,
  ): Promise<ValueBeginning> {
    const [found] = await this.database().read(
      `SELECT left(content::text, $4::integer + 1) FROM ${this.#table} ${DOCUMENT} AND part = 0`,
      [context.namespace, materialization, epoch, length],
    );
    if (!found) throw valueNotFound(context, 'no document is there');
    const text = found[0]!;
    const complete = text.length <= length;
    const json = complete ? text : closeJson(text);
    return { value: json === undefined ? null : parseTagged(jsonOfJsonb(json)), complete };
  }

  #rows(context: LoadContext, location: DocumentLocation): Rows<Row> {
    const failure = (error: unknown) => this.failure(context, error);
    return rowsInBatches((range) => batchesFailing(batchesWithin(this.#batches(context, location), range), failure));
  }

  async *#batches(context: LoadContext, location: DocumentLocation): AsyncGenerator<readonly Row[]> {
    for (let part = 0; part < location.parts; part++)
      yield narrowed((await this.#part(context, location, part)) as readonly Row[], context);
  }

  async #part(
    context: LoadContext,
    { materialization, epoch, kind }: DocumentLocation,
    part: number,
  ): Promise<unknown> {
    const [found] = await this.database().read(
      `SELECT content FROM ${this.#table} ${DOCUMENT} AND part = $4::integer`,
      [...[context.namespace, materialization, epoch, part]],
    );
    if (!found) throw valueNotFound(context, part === 0 ? 'no document is there' : `part ${part} of it is gone`);
    const value = parseTagged(jsonOfJsonb(found[0]!));
    const fits = kind === 'document' || (kind === 'rows' ? isRowArray(value) : types.isUint8Array(value));
    if (!fits) throw valueCorrupt(context, `part ${part} is no ${kind}`);
    return value;
  }
}

function narrowed(rows: readonly Row[], { columns }: LoadContext): readonly Row[] {
  return columns === undefined ? rows : rows.map((row) => narrowRow(row, columns));
}

/** The parts of a value, each a line for COPY. */
class Parts {
  readonly #spool = new Spool();
  readonly #head: string;
  /** The last one, which may remain the only one. */
  #last: string | undefined;
  count = 0;
  /** Bytes of JSON. */
  size = 0;

  constructor({ namespace, materialization, epoch }: StoreContext) {
    this.#head = `${copyField(namespace)}\t${materialization}\t${epoch}`;
  }

  /** The text of the part, if there is one only. */
  get only(): string | undefined {
    return this.count === 1 ? this.#last : undefined;
  }

  async add(json: string): Promise<void> {
    await this.#write();
    this.#last = jsonbText(json);
    this.count++;
    this.size += Buffer.byteLength(this.#last);
  }

  async end(): Promise<Spool> {
    await this.#write();
    return this.#spool;
  }

  release(): Promise<void> {
    return this.#spool.release();
  }

  async #write(): Promise<void> {
    if (this.#last === undefined) return;
    const line = Buffer.from(`${this.#head}\t${this.count - 1}\t${copyField(this.#last)}\n`);
    this.#last = undefined;
    await this.#spool.write(line);
  }
}

async function encodeParts(parts: Parts, value: unknown, signal: AbortSignal): Promise<Version> {
  if (isRowStream(value) || isRowArray(value)) return encodeRows(parts, value, signal);
  if (!types.isUint8Array(value)) {
    const { tagged, hash, rows } = encodeDocument(value);
    await parts.add(stringifyTagged(tagged));
    return { hash, rows };
  }
  for (let start = 0; start === 0 || start < value.length; start += PART_BYTES) {
    const bytes = value.subarray(start, start + PART_BYTES);
    await parts.add(`"$bytes:${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')}"`);
  }
  return dataVersionOf(value);
}

async function encodeRows(
  parts: Parts,
  rows: AsyncIterable<unknown> | Iterable<unknown>,
  signal: AbortSignal,
): Promise<Version> {
  const encoder = new RowEncoder();
  let lines: string[] = [];
  let length = 0;
  const flush = async () => {
    signal.throwIfAborted();
    await parts.add(`[${lines.join(',')}]`);
    lines = [];
    length = 0;
  };
  for await (const row of rows) {
    signal.throwIfAborted();
    const line = JSON.stringify(encoder.add(row));
    length += line.length;
    if (lines.push(line) < PART_ROWS && length < PART_LENGTH) continue;
    await flush();
    await breath();
  }
  // None at all make one part, so that there is something to be found.
  if (lines.length > 0 || parts.count === 0) await flush();
  return { hash: encoder.digest(), rows: encoder.rows, schema: encoder.schema };
}

// A location comes from the ledger, so that what it holds is checked and not believed.
function locationOf(context: LoadContext): DocumentLocation {
  const { location } = context;
  const fields: Readonly<Record<string, unknown>> = isRecord(location) ? location : {};
  const { kind, parts, streamed, materialization, epoch } = fields;
  const known = kind === 'document' || kind === 'bytes' || kind === 'rows';
  const numbers = typeof parts === 'number' && typeof materialization === 'number' && typeof epoch === 'number';
  if (known && numbers) return { kind, parts, streamed: streamed === true, materialization, epoch };
  throw valueCorrupt(context, `its location ${JSON.stringify(location)} is none of a document`);
}
