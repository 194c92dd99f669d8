// Table mode: the rows of a partition in a table, replaced as a whole. The SQL stands in table.statements.ts.
import { FlowStoneError } from '../../../flowstone.errors.js';
import type { ValueDatabase, ValueSql } from '../../../ledger/value-database.port.js';
import type { PartitionScheme } from '../../../partitions/partition-scheme.js';
import { isRowArray, isRowStream } from '../../data-version.js';
import { ioFailed, valueName, type ValuePlace } from '../../io-failures.js';
import type {
  LoadContext,
  MostOfValue,
  StoreContext,
  StoredValue,
  UnwrittenValue,
  ValueBeginning,
} from '../../io-manager.port.js';
import { refuse } from '../../tagged-json.js';
import { alteration, declarationRefusal, isTableGone, writeFailure } from './encoded.value.js';
import { readDeclaration, tableName } from './table.declaration.js';
import { fillFromMemory, fillFromSpool, type Filling } from './table.filling.js';
import { readTableLocation, tableLocation } from './table.location.js';
import { isOwner, takeTable, unfit } from './table.owner.js';
import { fixedColumns, type FixedColumn } from './table.partition.js';
import { prepareTable, type Table } from './table.preparation.js';
import { TableReader } from './table.reader.js';
import { enclosed, TableRows } from './table.rows.js';
import * as statements from './table.statements.js';

type TextRow = readonly (string | null)[];

/** Rows that one statement removes: far from the time that it may take. */
const REMOVAL_ROWS = 500_000;
/** Keys of which nothing is known. */
const ANY_KEYS: PartitionScheme = { kind: 'static', keys: [] };

export class TableValues {
  /** By what was declared: tables that were made or looked at by this process. */
  readonly #tables = new WeakMap<object, Map<PartitionScheme | undefined, Promise<Table>>>();
  readonly #reader: TableReader;

  /** @param failure of a read that began well, as it is to be thrown */
  constructor(
    private readonly database: () => ValueDatabase,
    failure: (place: ValuePlace, error: unknown) => unknown,
  ) {
    this.#reader = new TableReader(database, failure);
  }

  /**
   * Rows that come one by one are encoded as they come, so that no transaction is open meanwhile; those in memory while
   * they are copied, which takes half the time, unless everybody would wait for that.
   */
  async encode(context: StoreContext, value: unknown): Promise<UnwrittenValue> {
    if (!isRowStream(value) && !isRowArray(value))
      refuse([], 'is neither rows nor an array of plain objects, as a table needs,', 'Return or yield those.');
    const { partition } = context;
    const slice = context.slice?.() ?? {};
    const table = await this.#prepared(context, slice.scheme ?? (partition === undefined ? undefined : ANY_KEYS));
    const fixed = fixedColumns(table.partitions, partition, slice);
    const begin = () => new TableRows(table, fixed);
    const streamed = isRowStream(value);
    const filling =
      streamed || this.database().single
        ? await fillFromSpool(value, begin(), context.signal)
        : fillFromMemory(context, value, begin);
    const write: UnwrittenValue['write'] = async (sql) => {
      const rows = await this.#write(sql, context, table, fixed, filling);
      return storedValue(context, table, fixed, rows, streamed);
    };
    return { write, release: () => filling.release() };
  }

  load(context: LoadContext): Promise<unknown> {
    return this.#reader.load(context);
  }

  begin(context: LoadContext, most: MostOfValue): Promise<ValueBeginning> {
    return this.#reader.begin(context, most);
  }

  exists(context: LoadContext): Promise<boolean> {
    return this.#reader.exists(context);
  }

  async delete(context: LoadContext): Promise<void> {
    const { table, fixed, order, materialization, epoch } = readTableLocation(context);
    const { schema } = this.database();
    await this.database().transaction(async (sql) => {
      const slice = [table, context.partition ?? '', context.namespace, materialization, epoch];
      const [left] = await sql.rows(statements.leaveSlice(schema), [...slice, statements.tableSql(table)]);
      if (left?.[0] !== 't') return;
      await removeRows(sql, { table, fixed, order }).catch((error: unknown) => {
        const why = alteration(error);
        throw why === undefined ? error : inseparable(context, table, why);
      });
    });
  }

  #prepared(context: StoreContext, scheme: PartitionScheme | undefined): Promise<Table> {
    const { options } = context;
    const tables = this.#tables.get(options) ?? new Map<PartitionScheme | undefined, Promise<Table>>();
    this.#tables.set(options, tables);
    const known = tables.get(scheme);
    if (known) return known;
    const preparing = this.#prepare(context, scheme);
    tables.set(scheme, preparing);
    preparing.catch(() => tables.delete(scheme));
    return preparing;
  }

  async #prepare(context: StoreContext, scheme: PartitionScheme | undefined): Promise<Table> {
    const { options } = context;
    const { declaration, problems } = readDeclaration(options, scheme, this.database().schema);
    if (!declaration || problems.length > 0) throw unfit(context, problems.join('; '));
    try {
      const table = await prepareTable(this.database(), declaration);
      const { schema } = this.database();
      const [owner] = await this.database().read(statements.tableOwner(schema), [table.name]);
      if (!owner || !isOwner(owner, table, context))
        await this.database().transaction((sql) => takeTable(sql, schema, table, context));
      return table;
    } catch (error) {
      if (error instanceof FlowStoneError) throw error;
      const refusal = declarationRefusal(error);
      if (refusal !== undefined)
        throw unfit(context, `the database refuses table ${tableName(declaration)}: ${refusal}`);
      throw ioFailed(context, 'prepare the table for', error);
    }
  }

  async #write(
    sql: ValueSql,
    context: StoreContext,
    table: Table,
    fixed: readonly FixedColumn[],
    filling: Filling,
  ): Promise<TableRows> {
    const { namespace, asset, partition = '', materialization, epoch } = context;
    const { schema } = this.database();
    try {
      const slice = [table.name, partition, namespace, asset, table.layout, materialization, epoch];
      let [mine] = await sql.rows(statements.takeSlice(schema), slice);
      if (!mine) {
        await takeTable(sql, schema, table, context);
        [mine] = await sql.rows(statements.takeSlice(schema), slice);
      }
      const rowsThere = { table: table.name, fixed, order: table.order };
      if (mine![0] === 't' && context.options['adopt'] !== true) await this.#requireEmpty(sql, context, rowsThere);
      await removeRows(sql, rowsThere);
      // Nobody changes the table any more, now that rows were removed: the binary format is for these very types.
      if (isChanged(table, await sql.rows(statements.COLUMN_TYPES, [table.sql]))) {
        this.#tables.delete(context.options);
        throw ioFailed(context, 'store', new Error(`${table.name} was altered meanwhile`));
      }
      const rows = await filling.fill((columns, pieces) =>
        sql.copy(statements.copyRows(table.sql, columns), enclosed(pieces)),
      );
      // What would be refused at the commit is refused here, where it can be told whose rows it is about.
      await sql.rows('SET CONSTRAINTS ALL IMMEDIATE');
      return rows;
    } catch (error) {
      if (isTableGone(error) || alteration(error) !== undefined) this.#tables.delete(context.options);
      throw writeFailure(context, error);
    }
  }

  /** With the lock on a slice that was nobody's: what is in it would be lost. */
  async #requireEmpty(sql: ValueSql, context: StoreContext, slice: statements.Slice): Promise<void> {
    const { text, values } = statements.anyRow(slice);
    const found = await sql.rows(text, values);
    if (found.length > 0) throw unfit(context, occupied(slice.table, context.partition));
  }
}

function storedValue(
  context: StoreContext,
  table: Table,
  fixed: readonly FixedColumn[],
  { count, size, hash }: TableRows,
  streamed: boolean,
): StoredValue {
  return {
    location: tableLocation(table, fixed, context, { streamed, rows: count, size }),
    ...{ size, hash, rows: count, format: 'table' },
    schema: table.columns.map(({ property, type, nullable }) => ({ name: property, type: type.name, nullable })),
  };
}

async function removeRows(sql: ValueSql, slice: statements.Slice): Promise<void> {
  let after: readonly string[] | undefined;
  do {
    const end = statements.stepEnd(slice, after, REMOVAL_ROWS);
    const [to] = (await sql.rows(end.text, end.values)) as readonly (readonly string[])[];
    const removal = statements.removeRows(slice, after, to);
    await sql.rows(removal.text, removal.values);
    after = to;
  } while (after);
}

/** Whether columns that are to be filled are there no more, or of another type. */
function isChanged({ columns, partitions, order }: Table, now: readonly TextRow[]): boolean {
  const types = new Map(now.map(([name, type]) => [name, type]));
  return [...columns, ...partitions, ...order].some(({ name, type }) => types.get(name) !== type.name);
}

/** What is left of the columns does not tell which rows to remove. */
function inseparable(place: ValuePlace, table: string, why: string): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_IO_TABLE_UNFIT',
    `${valueName(place)} cannot be deleted: table ${table} was altered (${why}). Give it back the column as it was, or drop it.`,
    { context: { asset: place.asset, partition: place.partition ?? null, table } },
  );
}

function occupied(table: string, partition: string | undefined): string {
  const where = partition === undefined ? '' : ` of partition ${partition}`;
  return `table ${table} holds rows${where} that no asset has stored there, and that would be removed: give the asset adopt: true if it may replace them, or another table`;
}
