// What the managers that keep values as blobs have in common: a value, a format, a place for bytes. Paths stand in
// ../blobs/blob-path.ts, formats in ../formats.
import { crc32 } from 'node:zlib';
import { suggestion } from '../../graph/did-you-mean.js';
import type { JsonValue } from '../../ledger/records.js';
import { attemptOf, pathSegment, valuePath } from '../blobs/blob-path.js';
import type { BlobStore } from '../blobs/blob-store.port.js';
import { isRowArray, isRowStream } from '../data-version.js';
import type { ByteSource, DocumentFormat, Format, RowFormat } from '../formats/format.port.js';
import { gzipped } from '../formats/gzip.js';
import { placeRefusal, readFailure, valueCorrupt } from '../io-failures.js';
import type {
  IoManager,
  LoadContext,
  MostOfValue,
  StoreContext,
  StoredAttempt,
  StoredValue,
  ValueAddress,
  ValueBeginning,
} from '../io-manager.port.js';
import { missingPackages } from '../../optional-packages.js';
import { RowFile } from '../row-file.js';
import { batchesFailing, firstRows, narrowRow, rowsFrom, type Rows } from '../rows.js';
import { isRecord } from '../tagged-json.js';

interface BlobLocation {
  readonly path: string;
  readonly format: string;
  readonly size: number;
  /** CRC-32 of the blob. */
  readonly checksum: number;
  /** Stored from an async iterable, so loaded as `Rows`. */
  readonly streamed: boolean;
  readonly compression?: 'gzip';
  /** The format's own. */
  readonly detail?: JsonValue;
}

/** What such a manager is made of. */
export interface BlobIoManagerParts {
  /** As messages name it. */
  readonly name: string;
  readonly store: BlobStore;
  /** Formats by the names that the option `format` of an asset takes. */
  readonly formats: Readonly<Record<string, Format>>;
  /** The format of a value for which the asset names none. */
  formatFor(value: unknown): string;
  /** The format of rows that are yielded, if the one that is named cannot take them. */
  readonly rowFormat: string;
  /** Says what is wrong with the option `path` of an asset, a template; left out: there is no such option. */
  readonly pathProblem?: (template: unknown) => string | undefined;
}

/**
 * Keeps each value as a blob of its own; every version stays until deleted. Blobs are checked by size and, when read from
 * the start to the end, by checksum.
 */
export abstract class BlobIoManager implements IoManager {
  readonly versions = 'kept';
  readonly #parts: BlobIoManagerParts;

  constructor(parts: BlobIoManagerParts) {
    this.#parts = parts;
  }

  async store(context: StoreContext, value: unknown): Promise<StoredValue> {
    const { options, signal } = context;
    signal.throwIfAborted();
    const { format, compression } = this.#choose(options, value);
    const writer = this.#formatOf({ format, compression });
    const path = valuePath(context, writer.extension, this.#templateOf(options));
    const blob = await this.#parts.store.create(context, path, signal);
    try {
      const { hash, rows, detail, schema } = await writer.write(value, blob, options, signal);
      await blob.commit();
      const { size, checksum } = blob;
      const streamed = isRowStream(value);
      const location = { path, format, size, checksum, streamed, ...optional({ compression, detail }) };
      return { location, size, hash, rows, format, ...(schema && { schema }) };
    } catch (error) {
      await blob.discard();
      throw placeRefusal(context, error);
    }
  }

  async load(context: LoadContext): Promise<unknown> {
    const location = this.#locationOf(context);
    const reader = this.#formatOf(location);
    if ('read' in reader) return this.#readDocument(context, location, reader);
    const rows = this.#readRows(context, location, reader);
    if (!location.streamed) return rows.toArray();
    // So that a value that is gone is found here and not in the middle of the consumer's work.
    await this.#parts.store.require(context, location.path, location.size);
    return rows;
  }

  async begin(context: LoadContext, most: MostOfValue): Promise<ValueBeginning> {
    const location = this.#locationOf(context);
    const reader = this.#formatOf(location);
    if ('read' in reader) {
      const source = this.#source(context, location);
      const { value, complete } = await this.#reading(context, () => reader.readBeginning(source, most.bytes));
      const tooMany = isRowArray(value) && value.length > most.rows;
      return { value: tooMany ? value.slice(0, most.rows) : value, complete: complete && !tooMany };
    }
    return firstRows(this.#readRows(context, location, reader), most.rows);
  }

  async delete(context: LoadContext): Promise<void> {
    await this.#parts.store.delete(context, this.#locationOf(context).path);
  }

  async exists(context: LoadContext): Promise<boolean> {
    return this.#parts.store.exists(context, this.#locationOf(context).path);
  }

  async *list(namespace: string): AsyncGenerator<StoredAttempt> {
    for await (const path of this.#parts.store.paths(pathSegment(namespace))) {
      const attempt = attemptOf(path);
      if (attempt) yield { ...attempt, where: path };
    }
  }

  async discard(orphan: Omit<ValueAddress, 'options'> & StoredAttempt, before: Date): Promise<boolean> {
    const { where, materialization, epoch } = orphan;
    const attempt = typeof where === 'string' ? attemptOf(where) : undefined;
    if (attempt?.materialization !== materialization || attempt.epoch !== epoch) return false;
    return this.#parts.store.discard(orphan, where as string, before);
  }

  optionProblems(options: Readonly<Record<string, unknown>>): string[] {
    const { name, formats, pathProblem } = this.#parts;
    const { format, ...others } = options;
    if (format !== undefined && !this.#isFormat(format)) {
      const known = Object.keys(formats);
      const near = typeof format === 'string' ? suggestion(format, known) : '';
      return [`format is ${JSON.stringify(format)}, must be one of ${known.join(', ')}${near}`];
    }
    const chosen = formats[this.#isFormat(format) ? format : this.#parts.formatFor(undefined)]!;
    const checks: Format['options'] = {
      ...(chosen.sequential && { compression: compressionProblem }),
      ...(pathProblem && { path: (path) => (path === undefined ? undefined : pathProblem(path)) }),
      ...chosen.options,
    };
    const unknown = Object.keys(others).filter((option) => !Object.hasOwn(checks, option));
    const missing = missingPackages(`format "${chosen.extension}"`, chosen.packages ?? []);
    return [
      ...unknown.map((option) => {
        const owner = Object.keys(formats).find((other) => Object.hasOwn(formats[other]!.options, option));
        if (owner !== undefined) return `${option} is for format "${owner}": give that, or leave ${option} out`;
        const near = suggestion(option, ['format', ...Object.keys(checks)]);
        return `unknown option "${option}" of the ${name} manager${near}`;
      }),
      ...Object.entries(checks).flatMap(([option, check]) => check(others[option]) ?? []),
      ...(missing === undefined ? [] : [missing]),
    ];
  }

  async open(): Promise<void> {
    await this.#parts.store.start?.();
  }

  async close(): Promise<void> {
    for (const format of Object.values(this.#parts.formats)) await format.release?.();
    await this.#parts.store.stop?.();
  }

  #formatOf({ format: name, compression }: Pick<BlobLocation, 'format' | 'compression'>): Format {
    const format = this.#parts.formats[name]!;
    return compression ? gzipped(format) : format;
  }

  async #readDocument(context: LoadContext, location: BlobLocation, reader: DocumentFormat): Promise<unknown> {
    const value = await this.#reading(context, () => reader.read(this.#source(context, location)));
    const { columns } = context;
    return columns !== undefined && isRowArray(value) ? value.map((row) => narrowRow(row, columns)) : value;
  }

  async #reading<T>(context: LoadContext, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw readFailure(context, error);
    }
  }

  #readRows(context: LoadContext, location: BlobLocation, reader: RowFormat): Rows<Readonly<Record<string, unknown>>> {
    const source = this.#source(context, location);
    const { columns } = context;
    const { detail, format, path } = location;
    const failure = (error: unknown) => readFailure(context, error);
    const localPath = this.#parts.store.fileOf?.(context, path);
    const file = new RowFile({ place: context, format, source, detail, columns, localPath });
    return rowsFrom(file, (range) => batchesFailing(reader.readRows(source, { columns, range, detail }), failure));
  }

  /** As the check of the options found it. */
  #templateOf({ path }: StoreContext['options']): string | undefined {
    return this.#parts.pathProblem && path !== undefined ? (path as string) : undefined;
  }

  #isFormat(format: unknown): format is string {
    return typeof format === 'string' && Object.hasOwn(this.#parts.formats, format);
  }

  #choose(options: StoreContext['options'], value: unknown): Pick<BlobLocation, 'format' | 'compression'> {
    const { format: named, compression } = options;
    const usual = this.#isFormat(named) ? named : this.#parts.formatFor(value);
    const format = isRowStream(value) && this.#parts.formats[usual]!.sequential ? this.#parts.rowFormat : usual;
    const packed = compression === 'gzip' && this.#parts.formats[format]!.sequential;
    return { format, ...(packed && { compression: 'gzip' as const }) };
  }

  #source(context: LoadContext, location: BlobLocation): ByteSource {
    const open = () => this.#parts.store.open(context, location.path, location.size);
    return {
      size: location.size,
      async *pieces() {
        const blob = await open();
        try {
          let checksum = 0;
          for await (const piece of blob.pieces()) {
            checksum = crc32(piece, checksum);
            yield piece;
          }
          if (checksum !== location.checksum) throw valueCorrupt(context, 'the checksum of its bytes differs');
        } catch (error) {
          throw readFailure(context, error);
        } finally {
          await blob.close();
        }
      },
      async randomly(use) {
        const blob = await open();
        try {
          return await use((start, end) => blob.read(start, end));
        } catch (error) {
          throw readFailure(context, error);
        } finally {
          await blob.close();
        }
      },
    };
  }

  // A location comes from the ledger, so that what it holds is checked and not believed.
  #locationOf(context: LoadContext): BlobLocation {
    const { location } = context;
    const fields: Readonly<Record<string, unknown>> = isRecord(location) ? location : {};
    const { path, format, size, checksum, streamed, compression, detail } = fields;
    const known = typeof path === 'string' && this.#isFormat(format) && (compression ?? 'gzip') === 'gzip';
    if (known && typeof size === 'number' && typeof checksum === 'number') {
      const packed = compression === undefined ? {} : { compression: 'gzip' as const };
      return {
        path,
        format,
        size,
        checksum,
        streamed: streamed === true,
        ...packed,
        ...optional({ detail: detail as JsonValue }),
      };
    }
    throw valueCorrupt(context, `its location ${JSON.stringify(location)} is none of the ${this.#parts.name} manager`);
  }
}

/** What is undefined is left out: JSON has none. */
function optional<T extends object>(properties: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function compressionProblem(compression: unknown): string | undefined {
  if (compression === undefined || compression === 'gzip') return undefined;
  return `compression is ${JSON.stringify(compression)}, must be "gzip" or left out`;
}
