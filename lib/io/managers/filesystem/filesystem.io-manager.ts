// The I/O manager that keeps values as files: JSON, JSON lines, text or bytes. Paths stand in value-path.ts,
// durability and safety of files in value-files.ts, lines in json-lines.ts.
import type { FileHandle } from 'node:fs/promises';
import { types } from 'node:util';
import { crc32 } from 'node:zlib';
import { FlowStoneError } from '../../../flowstone.errors.js';
import { closest } from '../../../graph/did-you-mean.js';
import { dataVersionOf, encodeDocument, isRowArray, isRowStream, type DataVersion } from '../../data-version.js';
import { ioFailed, placeRefusal, valueCorrupt } from '../../io-failures.js';
import type {
  IoManager,
  LoadContext,
  StoreContext,
  StoredAttempt,
  StoredValue,
  ValueAddress,
} from '../../io-manager.port.js';
import { RowEncoder } from '../../row-encoder.js';
import { narrowRow, rowsInBatches, type Rows } from '../../rows.js';
import { isRecord, parseTagged, refuse, stringifyTagged } from '../../tagged-json.js';
import { readJsonLines, writeJsonLines } from './json-lines.js';
import { ValueFiles, type PendingFile } from './value-files.js';
import { attemptOf, pathSegment, valueFolder, valuePath } from './value-path.js';

const EXTENSIONS = { json: 'json', jsonl: 'jsonl', text: 'txt', bytes: 'bin' } as const;

/** How a value is written. */
export type FileFormat = keyof typeof EXTENSIONS;

/** What an asset may say for the `filesystem` manager. */
export interface FilesystemValueOptions {
  /**
   * `json` (one document; bigint, Date and bytes tagged), `jsonl` (one row a line), `text` (a string as UTF-8) or
   * `bytes`. Default: `bytes` for a Uint8Array, else `json`. Rows from an async iterable are always `jsonl`.
   */
  readonly format?: FileFormat;
}

interface FileLocation {
  readonly path: string;
  readonly format: FileFormat;
  readonly size: number;
  /** CRC-32 of the file. */
  readonly checksum: number;
  /** Stored from an async iterable, so loaded as `Rows`. */
  readonly streamed: boolean;
}

/**
 * Keeps each value as a file of its own below `root`; every version stays until deleted. Files are written under a
 * temporary name, synced and renamed, and checked by size and checksum when loaded (rows: when read to the end).
 */
export class FilesystemIoManager implements IoManager {
  readonly versions = 'kept';
  private readonly files: ValueFiles;

  constructor(options: { readonly root: string }) {
    this.files = new ValueFiles(options.root);
  }

  async store(context: StoreContext, value: unknown): Promise<StoredValue> {
    context.signal.throwIfAborted();
    const format = formatOf(context, value);
    const path = valuePath(context, EXTENSIONS[format]);
    const file = await this.files.create(context, path);
    try {
      const { hash, rows } = await write(file, format, value, context.signal);
      await file.commit(context.signal);
      const { size, checksum } = file;
      return { location: { path, format, size, checksum, streamed: isRowStream(value) }, size, hash, rows, format };
    } catch (error) {
      await file.discard();
      throw placeRefusal(context, error);
    }
  }

  async load(context: LoadContext): Promise<unknown> {
    const location = locationOf(context);
    if (location.format === 'jsonl') {
      // Opened once now, so that a value that is gone is found here and not in the middle of the consumer's work.
      await (await this.openFile(context, location)).close();
      const rows = this.readRows(context, location);
      return location.streamed ? rows : rows.toArray();
    }
    const bytes = await this.readWhole(context, location);
    if (location.format === 'bytes') return new Uint8Array(bytes);
    const text = bytes.toString();
    return location.format === 'text' ? text : parseDocument(context, text);
  }

  async delete(context: LoadContext): Promise<void> {
    await this.files.delete(context, locationOf(context).path);
  }

  async exists(context: LoadContext): Promise<boolean> {
    return this.files.exists(context, locationOf(context).path);
  }

  async *list(namespace: string): AsyncGenerator<StoredAttempt> {
    for await (const name of this.files.fileNames(pathSegment(namespace))) {
      const attempt = attemptOf(name);
      if (attempt) yield attempt;
    }
  }

  async discard(address: Omit<ValueAddress, 'options'>, before: Date): Promise<boolean> {
    const prefix = `${address.materialization}-${address.epoch}.`;
    return this.files.discard(address, valueFolder(address), (name) => name.startsWith(prefix), before);
  }

  optionProblems(options: Readonly<Record<string, unknown>>): string[] {
    const problems: string[] = [];
    for (const name of Object.keys(options)) {
      if (name === 'format') continue;
      problems.push(`unknown option "${name}" of the filesystem manager${suggestion(closest(name, ['format']))}`);
    }
    const { format } = options;
    if (format !== undefined && !isFormat(format)) {
      const known = Object.keys(EXTENSIONS);
      const near = typeof format === 'string' ? closest(format, known) : undefined;
      problems.push(`format is ${JSON.stringify(format)}, must be one of ${known.join(', ')}${suggestion(near)}`);
    }
    return problems;
  }

  private async openFile(context: LoadContext, location: FileLocation): Promise<FileHandle> {
    const handle = await this.files.open(context, location.path);
    try {
      const { size } = await handle.stat();
      if (size !== location.size) throw valueCorrupt(context, `its file has ${size} bytes, not ${location.size}`);
      return handle;
    } catch (error) {
      await handle.close();
      throw readFailure(context, error);
    }
  }

  private async readWhole(context: LoadContext, location: FileLocation): Promise<Buffer> {
    const handle = await this.openFile(context, location);
    try {
      const bytes = await handle.readFile();
      verify(context, location, crc32(bytes));
      return bytes;
    } catch (error) {
      throw readFailure(context, error);
    } finally {
      await handle.close();
    }
  }

  private readRows(context: LoadContext, location: FileLocation): Rows<Record<string, unknown>> {
    const open = () => this.openFile(context, location);
    const { columns } = context;
    return rowsInBatches(async function* () {
      const handle = await open();
      try {
        const read = { checksum: 0 };
        for await (const rows of readJsonLines(handle, read)) {
          yield columns === undefined ? rows : rows.map((row) => narrowRow(row, columns));
        }
        verify(context, location, read.checksum);
      } catch (error) {
        throw readFailure(context, error);
      } finally {
        await handle.close();
      }
    });
  }
}

async function write(file: PendingFile, format: FileFormat, value: unknown, signal: AbortSignal): Promise<DataVersion> {
  if (format === 'jsonl') {
    if (!isRowStream(value) && !isRowArray(value)) misfit('is no array of plain objects', format);
    const encoder = new RowEncoder();
    await writeJsonLines(value, encoder, file, signal);
    return { hash: encoder.digest(), rows: encoder.rows };
  }
  if (format === 'json') {
    const { tagged, ...version } = encodeDocument(value);
    await file.write(Buffer.from(stringifyTagged(tagged)));
    return version;
  }
  if (format === 'text') {
    if (typeof value !== 'string') misfit('is no string', format);
    const version = dataVersionOf(value);
    await file.write(Buffer.from(value));
    return version;
  }
  if (!types.isUint8Array(value)) misfit('is no Uint8Array', format);
  await file.write(value);
  return dataVersionOf(value);
}

function misfit(what: string, format: FileFormat): never {
  return refuse([], `${what}, which format "${format}" needs,`, 'Return one or declare another format.');
}

function formatOf({ options }: ValueAddress, value: unknown): FileFormat {
  if (isRowStream(value)) return 'jsonl';
  const { format } = options;
  if (isFormat(format)) return format;
  return types.isUint8Array(value) ? 'bytes' : 'json';
}

function isFormat(format: unknown): format is FileFormat {
  return typeof format === 'string' && Object.hasOwn(EXTENSIONS, format);
}

function suggestion(near: string | undefined): string {
  return near === undefined ? '' : `, did you mean "${near}"?`;
}

// A location comes from the ledger, so that what it holds is checked and not believed.
function locationOf(context: LoadContext): FileLocation {
  const { location } = context;
  const fields: Readonly<Record<string, unknown>> = isRecord(location) ? location : {};
  const { path, format, size, checksum, streamed } = fields;
  if (typeof path === 'string' && isFormat(format) && typeof size === 'number' && typeof checksum === 'number') {
    return { path, format, size, checksum, streamed: streamed === true };
  }
  throw valueCorrupt(context, `its location ${JSON.stringify(location)} is none of the filesystem manager`);
}

function parseDocument(context: LoadContext, text: string): unknown {
  try {
    const value = parseTagged(text);
    const { columns } = context;
    return columns !== undefined && isRowArray(value) ? value.map((row) => narrowRow(row, columns)) : value;
  } catch (error) {
    throw readFailure(context, error);
  }
}

function verify(context: LoadContext, location: FileLocation, checksum: number): void {
  if (checksum !== location.checksum) throw valueCorrupt(context, 'the checksum of its file differs');
}

function readFailure(context: LoadContext, error: unknown): FlowStoneError {
  if (error instanceof FlowStoneError) return error;
  if (error instanceof SyntaxError) return valueCorrupt(context, 'its file is not the JSON that was written', error);
  return ioFailed(context, 'load', error);
}
