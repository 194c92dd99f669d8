// What others than us read in a Parquet file: duckdb and pyarrow, each run as a program on a copy of the file.
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DUCKDB, PYARROW, requireTool, type Tool } from './tools.mjs';

const execute = promisify(execFile);

/** What duckdb answers to a query over a file. */
export interface DuckdbAnswer {
  /** Column to type, as duckdb names it: `BIGINT`, `DOUBLE`, `VARCHAR`, `TIMESTAMP WITH TIME ZONE`, `BIGINT[]`. */
  readonly schema: Readonly<Record<string, string>>;
  /** Every value as duckdb writes it as text (nothing is rounded): `'9007199254740993'`, `'nan'`, `'[1, NULL]'`. Times in UTC. */
  readonly rows: readonly Readonly<Record<string, string | null>>[];
}

/** What pyarrow finds in a file. */
export interface PyarrowContents {
  /** Column to type, as pyarrow names it: `int64`, `double`, `timestamp[ms, tz=UTC]`, `list<element: int64>`, `string not null`. */
  readonly schema: Readonly<Record<string, string>>;
  /** Rows in each row group. */
  readonly rowGroups: readonly number[];
  /** Of all columns, each once: `UNCOMPRESSED`, `SNAPPY`, `ZSTD`. */
  readonly codecs: readonly string[];
  /**
   * Values as in JSON; 64-bit integers and decimals as text, dates and times in ISO 8601, bytes in hexadecimal, and
   * `'NaN'`, `'Infinity'`, `'-Infinity'`.
   */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/**
 * @param file path of a Parquet file
 * @param sql a query over the table `file`
 */
export function readParquetWithDuckdb(file: string, sql = 'FROM file'): Promise<DuckdbAnswer> {
  return besideTool(DUCKDB, file, async (run, copy) => {
    const ask = async (question: string): Promise<Record<string, string | null>[]> => {
      const prepare = `SET TimeZone = 'UTC'; CREATE VIEW file AS FROM read_parquet('${copy}')`;
      const answer = await run('duckdb', ['-init', '/dev/null', '-json', '-c', prepare, '-c', question]);
      return JSON.parse(answer);
    };
    const described = await ask(`DESCRIBE ${sql}`);
    const rows = await ask(`SELECT COLUMNS(*)::VARCHAR FROM (${sql})`);
    const schema = described.map(({ column_name: name, column_type: type }) => [name, type]);
    return { schema: Object.fromEntries(schema), rows };
  });
}

/** @param file path of a Parquet file, small enough to be held in memory as JSON */
export function readParquetWithPyarrow(file: string): Promise<PyarrowContents> {
  return besideTool(PYARROW, file, async (run, copy) => {
    const script = await readFile(join(import.meta.dirname, 'parquet-reader.py'), 'utf8');
    return JSON.parse(await run('python3', ['-c', script, copy]));
  });
}

type Run = (program: string, args: readonly string[]) => Promise<string>;

/** Calls `read` with a copy of `file` where `tool` can see it. */
async function besideTool<T>(tool: Tool, file: string, read: (run: Run, copy: string) => Promise<T>): Promise<T> {
  const { root, invoke } = await requireTool(tool);
  const directory = await mkdtemp(join(root === '' ? tmpdir() : join(root, 'tmp'), 'flowstone-parquet-'));
  try {
    await chmod(directory, 0o755);
    const copy = join(directory, 'file.parquet');
    await copyFile(file, copy);
    await chmod(copy, 0o644);
    const run: Run = async (program, given) => {
      const { command, args, env } = invoke(program, given);
      return (await execute(command, args, { env, maxBuffer: 512 * 1024 * 1024 })).stdout;
    };
    return await read(run, copy.slice(root.length));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
