// The files that the inputs of a query lie in: found, checked, fetched where they are not on this machine.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { isRowStream } from '../io/data-version.js';
import { ParquetFileReader } from '../io/formats/parquet/parquet-file.reader.js';
import { ioFailed, readFailure } from '../io/io-failures.js';
import { RowFile } from '../io/row-file.js';
import { originOf, type RowRange } from '../io/rows.js';
import { SpoolFailed } from '../io/spool.js';
import { inputUnfit } from './query-failures.js';
import type { QueryInput } from './query.options.js';

/** Files that are checked at once. */
const AHEAD = 4;

/** A Parquet file on this machine, found to be what was written. */
interface InputFile {
  readonly path: string;
  /** Of its rows, those that are asked for. */
  readonly range: RowRange;
  readonly columns: readonly string[];
}

/** An input as a view. */
export interface InputView {
  readonly name: string;
  /** Those that are asked for; no two of them differ only in case, which DuckDB would not tell apart. */
  readonly columns: readonly string[];
  /** One at least. */
  readonly files: readonly InputFile[];
}

/** @param folder for what has to be fetched */
export async function filesOfInputs(
  inputs: Readonly<Record<string, QueryInput>>,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<InputView[]> {
  const views: InputView[] = [];
  for (const [index, [name, input]] of Object.entries(inputs).entries()) {
    views.push(await viewOf(name, input, { folder, prefix: `${index}-`, signal }));
  }
  return views;
}

interface Fetching {
  readonly folder: string;
  /** What the names of files begin with. */
  readonly prefix: string;
  readonly signal: AbortSignal | undefined;
}

async function viewOf(name: string, input: QueryInput, fetching: Fetching): Promise<InputView> {
  const files: Promise<InputFile>[] = [];
  let wanted: readonly string[] | undefined;
  try {
    for await (const rows of rowsIn(input)) {
      const { file, range } = requireFile(name, rows);
      wanted = file.parts.columns;
      const target = join(fetching.folder, `${fetching.prefix}${files.length}.parquet`);
      const checking = checkedFile(file, range, target, fetching.signal);
      // Its failure is heard when it is waited for.
      checking.catch(() => undefined);
      files.push(checking);
      await files.at(-AHEAD);
    }
    // What has no columns has no rows either: its columns were inferred from none.
    const found = (await Promise.all(files)).filter(({ columns }) => columns.length > 0);
    return { name, columns: columnsOf(name, found, wanted), files: found };
  } finally {
    // None may go on in a folder that is removed.
    await Promise.allSettled(files);
  }
}

async function* rowsIn(input: QueryInput): AsyncGenerator {
  if (isRowStream(input) ? 'toArray' in input : Array.isArray(input) || !(Symbol.iterator in Object(input)))
    yield input;
  else for await (const [, rows] of input as AsyncIterable<readonly [string, unknown]>) yield rows;
}

function requireFile(name: string, rows: unknown): { file: RowFile; range: RowRange } {
  const { origin, range } = (typeof rows === 'object' && rows !== null && originOf(rows)) || {};
  const remedy = "Have its asset yield its rows, and keep them as Parquet: by io: 'parquet', or format: 'parquet'.";
  if (!(origin instanceof RowFile) || !range) throw inputUnfit(name, `is no rows of a stored value. ${remedy}`);
  if (origin.parts.format === 'parquet') return { file: origin, range };
  throw inputUnfit(name, `is stored as ${origin.parts.format}. ${remedy}`);
}

async function checkedFile(
  { parts: { place, source, detail, localPath } }: RowFile,
  range: RowRange,
  target: string,
  signal: AbortSignal | undefined,
): Promise<InputFile> {
  const failed = (error: unknown): never => {
    throw ioFailed(place, 'load', new SpoolFailed(error));
  };
  const copy = localPath === undefined ? await open(target, 'wx', 0o600).catch(failed) : undefined;
  try {
    for await (const piece of source.pieces()) {
      signal?.throwIfAborted();
      await copy?.writeFile(piece).catch(failed);
    }
  } finally {
    await copy?.close();
  }
  const reader = await ParquetFileReader.open(source, detail).catch((error: unknown) => {
    throw readFailure(place, error);
  });
  reader.close();
  return { path: localPath ?? target, range, columns: reader.outline.columns.map((column) => column.name) };
}

function columnsOf(name: string, files: readonly InputFile[], wanted: readonly string[] | undefined): string[] {
  const byFolded = new Map<string, string>();
  for (const column of files.flatMap(({ columns }) => columns)) {
    const folded = column.toLowerCase();
    const other = byFolded.get(folded) ?? column;
    byFolded.set(folded, other);
    if (other === column) continue;
    throw inputUnfit(name, `has columns "${other}" and "${column}", which SQL takes for the same. Rename one of them.`);
  }
  const columns = [...byFolded.values()].filter((column) => wanted?.includes(column) ?? true);
  if (columns.length > 0) return columns;
  throw inputUnfit(name, 'has no columns: none of its files has. Declare them in the schema of its asset.');
}
