// Reading rows of a partition from a table, page by page, each with the check that they are still those that were pinned.
import type { FlowStoneError } from '../../../flowstone.errors.js';
import type { ValueDatabase } from '../../../ledger/value-database.port.js';
import { valueCorrupt, valueMoved, valueNotFound, type ValuePlace } from '../../io-failures.js';
import type { LoadContext, MostOfValue, ValueBeginning } from '../../io-manager.port.js';
import { batchesFailing, firstRows, rowsInBatches, type RowRange, type Rows } from '../../rows.js';
import { alteration, isTableGone } from './encoded.value.js';
import { ROW_COLUMN } from './table.declaration.js';
import { readTableLocation, type TableLocation } from './table.location.js';
import * as statements from './table.statements.js';

type Row = Readonly<Record<string, unknown>>;
type TextRow = readonly (string | null)[];

/** Rows and characters of a page at most, but for rows that are wider than others. */
const PAGE_ROWS = 5000;
const PAGE_LENGTH = 4 * 1024 * 1024;

export class TableReader {
  /** @param failure of a read that began well, as it is to be thrown */
  constructor(
    private readonly database: () => ValueDatabase,
    private readonly failure: (place: ValuePlace, error: unknown) => unknown,
  ) {}

  async load(context: LoadContext): Promise<unknown> {
    const location = readTableLocation(context);
    const rows = this.#rows(context, location);
    if (!location.streamed) return rows.toArray();
    if (!(await this.exists(context))) await this.#absent(context, location);
    return rows;
  }

  begin(context: LoadContext, { rows }: MostOfValue): Promise<ValueBeginning> {
    const location = readTableLocation(context);
    return firstRows(this.#rows(context, location), rows);
  }

  async exists(context: LoadContext): Promise<boolean> {
    const { materialization, epoch, table } = readTableLocation(context);
    const owner = await this.#owner(table, context);
    return (
      owner?.[0] === context.namespace &&
      owner[1] === String(materialization) &&
      owner[2] === String(epoch) &&
      owner[3] === 't'
    );
  }

  #rows(context: LoadContext, location: TableLocation): Rows<Row> {
    const failure = (error: unknown) => this.failure(context, error);
    return rowsInBatches((range) => batchesFailing(this.#batches(context, location, range), failure));
  }

  async *#batches(context: LoadContext, location: TableLocation, range: RowRange): AsyncGenerator<readonly Row[]> {
    const { start, end } = range;
    if (end <= start) return;
    const isNumbered = location.order[0]?.name === ROW_COLUMN;
    const after = isNumbered && start > 0 ? [String(start - 1)] : undefined;
    const to = isNumbered && end < Infinity ? [String(end - 1)] : undefined;
    yield* this.#pages(context, location, { after, to, skip: isNumbered ? 0 : start }, end - start);
  }

  /** @param most how many of their rows are wanted, from the first on */
  async *#pages(
    context: LoadContext,
    location: TableLocation,
    range: statements.PageRange,
    most: number,
  ): AsyncGenerator<readonly Row[]> {
    const { columns: wanted, namespace, partition = '' } = context;
    const columns = location.columns.filter(({ property }) => wanted?.includes(property) ?? true);
    const names = columns.map(({ name }) => name);
    const skipped = 1 + location.order.length;
    let { after, skip = 0 } = range;
    const whole = after === undefined && skip === 0 && most === Infinity;
    const usual = rowsOfPage(location.size, location.rows);
    let count = 0;
    for (let limit = Math.min(usual, most); ;) {
      const place = { location, partition, namespace };
      const query = statements.page(this.database().schema, place, names, { ...range, after, skip }, limit);
      const found = await this.database()
        .read(query.text, query.values)
        .catch((error: unknown) => this.#unread(context, location, error));
      if (found[0]![0] !== 't') await this.#absent(context, location);
      const rows = found[0]![1] === null ? [] : found;
      count += rows.length;
      const last = rows.length < limit;
      if (whole && last && count !== location.rows) throw changed(context, location, count);
      if (rows.length > 0) yield rowsOf(context, rows, columns, skipped);
      if (last || count >= most) return;
      after = rows.at(-1)!.slice(1, skipped) as string[];
      skip = 0;
      const length = rows.reduce((sum, row) => row.reduce((all, text) => all + (text?.length ?? 0), sum), 0);
      // Of some columns no size is on record: it is felt for.
      limit = Math.min(rowsOfPage(length, rows.length), wanted ? 2 * limit : usual);
    }
  }

  /** The table is not what it was, or something else went wrong. */
  async #unread(context: LoadContext, location: TableLocation, error: unknown): Promise<never> {
    if (isTableGone(error)) throw noTable(context, location.table);
    const why = alteration(error);
    if (why === undefined) throw error;
    // Those who store in it now may have altered it.
    if (!(await this.exists(context))) await this.#absent(context, location);
    throw valueCorrupt(context, `table ${location.table} was altered since it was stored (${why})`, error);
  }

  /** The slice holds nothing any more, or something else. */
  async #absent(context: LoadContext, { table }: TableLocation): Promise<never> {
    const owner = await this.#owner(table, context);
    if (!owner) throw valueNotFound(context, `its rows in ${table} were deleted`);
    if (owner[3] !== 't') throw noTable(context, table);
    context.moved?.();
    throw valueMoved(context);
  }

  async #owner(table: string, { partition = '' }: LoadContext): Promise<TextRow | undefined> {
    const { schema } = this.database();
    const names = [table, partition, statements.tableSql(table)];
    const [owner] = await this.database().read(statements.sliceOwner(schema), names);
    return owner;
  }
}

/** How many rows a page has room for, by the size of so many others. */
function rowsOfPage(size: number, rows: number): number {
  return Math.max(1, Math.min(PAGE_ROWS, Math.floor((PAGE_LENGTH * (rows + 1)) / (size + rows + 1))));
}

function rowsOf(
  context: LoadContext,
  found: readonly TextRow[],
  columns: TableLocation['columns'],
  skipped: number,
): Row[] {
  try {
    return found.map((texts) => {
      const row: Record<string, unknown> = {};
      for (let index = 0; index < columns.length; index++) {
        const { property, type } = columns[index]!;
        const text = texts[skipped + index]!;
        row[property] = text === null ? null : type.read(text);
      }
      return row;
    });
  } catch (error) {
    if (error instanceof SyntaxError) throw valueCorrupt(context, error.message, error);
    throw error;
  }
}

function noTable(context: LoadContext, table: string): FlowStoneError {
  return valueNotFound(context, `table ${table} is gone`);
}

/** Whoever else writes to the table, or made it anew, did this. */
function changed(context: LoadContext, { table, rows }: TableLocation, found: number): FlowStoneError {
  const why = `${found} of its rows are in ${table} where ${rows} were stored, so that they were changed from outside`;
  return valueCorrupt(context, why);
}
