// A DuckDB of its own for one query: in memory, with no way to anything but the files it is shown, gone at the end.
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { DuckDBConnection, DuckDBInstance, DuckDBPreparedStatement, DuckDBResult } from '@duckdb/node-api';
import type { RowRange } from '../io/rows.js';
import type { InputView } from './input.files.js';
import { inTurn } from './native.turns.js';
import { bindable } from './parameter.values.js';
import { queryFailure, queryRefused } from './query-failures.js';
import type { QueryOptions } from './query.options.js';
import { chunkReader, type DuckdbApi } from './result.values.js';

const RESULT = 'temp.main.flowstone_result';
/** So few rows that making them holds the event loop up for a millisecond or two. */
const BATCH_ROWS = 1024;
/** An interrupt is lost on a call that has not begun. */
const INTERRUPT_EVERY_MS = 100;

interface SessionOptions {
  readonly memory: string;
  readonly threads: number;
  /** For what does not fit into memory. */
  readonly folder: string;
  readonly signal: AbortSignal | undefined;
}

/** `close` it in the end. What DuckDB refuses is `FLOWSTONE_QUERY_FAILED`. */
export class DuckdbSession {
  #interrupts: NodeJS.Timeout | undefined;

  private constructor(
    private readonly api: DuckdbApi,
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
    private readonly signal: AbortSignal | undefined,
  ) {
    signal?.addEventListener('abort', this.#interrupt);
  }

  static async open({ memory, threads, folder, signal }: SessionOptions): Promise<DuckdbSession> {
    const api = await import('@duckdb/node-api');
    try {
      const instance = await api.DuckDBInstance.create(':memory:', {
        ...{ memory_limit: memory, threads: String(threads), temp_directory: join(folder, 'spill') },
        ...{ autoinstall_known_extensions: 'false', autoload_known_extensions: 'false' },
      });
      return new DuckdbSession(api, instance, await instance.connect(), signal);
    } catch (error) {
      throw queryFailure(error);
    }
  }

  /** Makes views, and locks everything else away. */
  async show(views: readonly InputView[]): Promise<void> {
    // DuckDB looks at a path as it is given, and once more at what the pattern that it is stands for.
    const paths = views.flatMap(({ files }) => files.flatMap(({ path }) => [path, pattern(path)]));
    await this.#call(async () => {
      await this.connection.run(`SET TimeZone = 'UTC'; SET allowed_paths = [${paths.map(literal).join(', ')}]`);
      await this.connection.run('SET enable_external_access = false; SET lock_configuration = true');
      for (const view of views) await this.connection.run(viewStatement(view));
    });
  }

  /**
   * Runs a SELECT and keeps its rows, in memory as far as they fit; says how many. Not streamed: a stream of DuckDB that
   * fails ends as if it were complete.
   */
  async run(sql: string, parameters: QueryOptions['parameters']): Promise<number> {
    return this.#call(async () => {
      await this.#requireSelect(sql);
      const statement = await this.connection.prepare(`CREATE TEMP TABLE ${RESULT} AS ${sql}`);
      this.#bind(statement, parameters);
      const [[count]] = (await (await statement.run()).getRows()) as [[bigint]];
      return Number(count);
    });
  }

  /** Of the `count` rows that `run` kept, those in a range. */
  async *read<R>(count: number, { start, end }: RowRange): AsyncGenerator<R[]> {
    const [from, to] = [Math.min(start, count), Math.min(end, count)];
    const result = await this.#call(() =>
      // Not by LIMIT and OFFSET, which would gather it all in memory.
      this.connection.stream(`SELECT * FROM ${RESULT} WHERE rowid >= ${from} AND rowid < ${to}`),
    );
    let rest = to - from;
    try {
      const toRows = chunkReader<R>(this.api, result);
      while (rest > 0) {
        const chunk = await this.#call(() => result.fetchChunk());
        if (!chunk || chunk.rowCount === 0) throw queryRefused(`ended ${rest} rows too soon: give it more memory.`);
        rest -= chunk.rowCount;
        for (let row = 0; row < chunk.rowCount; row += BATCH_ROWS) {
          yield toRows(chunk, row, Math.min(chunk.rowCount, row + BATCH_ROWS));
          await turn();
        }
      }
    } finally {
      await this.#end(result);
    }
  }

  close(): void {
    this.signal?.removeEventListener('abort', this.#interrupt);
    clearInterval(this.#interrupts);
    this.connection.closeSync();
    this.instance.closeSync();
  }

  async #requireSelect(sql: string): Promise<void> {
    const statements = await this.connection.extractStatements(sql);
    if (statements.count !== 1) {
      throw queryRefused(
        `has ${statements.count} statements (PIVOT is two, unless IN names its values): pass one SELECT.`,
      );
    }
    const statement = await statements.prepare(0);
    if (statement.statementType !== this.api.StatementType.SELECT) throw queryRefused('is no SELECT: pass one.');
    const names = new Set<string>();
    for (let column = 0; column < statement.columnCount; column++) {
      const name = statement.columnName(column);
      if (name === '__proto__') throw queryRefused('gives a column __proto__, which no row can have: rename it by AS.');
      if (names.has(name)) throw queryRefused(`gives two columns "${name}": rename one of them by AS.`);
      names.add(name);
    }
  }

  #bind(statement: DuckDBPreparedStatement, parameters: QueryOptions['parameters'] = []): void {
    const names = Array.from({ length: statement.parameterCount }, (_, index) => statement.parameterName(index + 1));
    const byName = Array.isArray(parameters)
      ? parameters.map((parameter, index) => [`${index + 1}`, parameter] as const)
      : Object.entries(parameters);
    for (const [name, parameter] of byName) {
      const index = names.indexOf(name) + 1;
      if (index === 0) throw queryRefused(`has no parameter $${name}, but one is passed.`);
      const { value, type } = bindable(this.api, parameter);
      statement.bindValue(index, value, type);
    }
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    this.signal?.throwIfAborted();
    try {
      return await inTurn(this.signal, work);
    } catch (error) {
      throw queryFailure(error);
    } finally {
      // What was interrupted fails, or ends as if there were no more.
      this.signal?.throwIfAborted();
    }
  }

  /** What is left of a result holds files and threads until it is collected as garbage, unless it was read to its end. */
  async #end(result: DuckDBResult): Promise<void> {
    this.connection.interrupt();
    for (let more = true; more;)
      more = await result.fetchChunk().then(
        (chunk) => (chunk?.rowCount ?? 0) > 0,
        () => false,
      );
  }

  readonly #interrupt = (): void => {
    this.connection.interrupt();
    this.#interrupts = setInterval(() => this.connection.interrupt(), INTERRUPT_EVERY_MS);
  };
}

function viewStatement({ name, columns, files }: InputView): string {
  const list = columns.map(identifier).join(', ');
  const sliced = files.some(({ range }) => range.start > 0 || range.end !== Infinity);
  const rows = sliced
    ? files.map(({ path, range }) => `(${slice(path, range)})`).join(' UNION ALL BY NAME ')
    : `FROM ${scan(files.map(({ path }) => path))}`;
  return `CREATE VIEW ${identifier(name)} AS SELECT ${list} FROM (${rows})`;
}

function slice(path: string, { start, end }: RowRange): string {
  const before = end === Infinity ? '' : ` AND file_row_number < ${end}`;
  return `FROM ${scan([path], ', file_row_number = true')} WHERE file_row_number >= ${start}${before}`;
}

function scan(paths: readonly string[], more = ''): string {
  const list = paths.map((path) => literal(pattern(path))).join(', ');
  // Told, since folders named as in day=1 would become columns.
  return `read_parquet([${list}], union_by_name = true, hive_partitioning = false${more})`;
}

/** The pattern that stands for this path only. */
function pattern(path: string): string {
  return path.replaceAll(/[[*?]/g, '[$&]');
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
