// From what is declared of a table to the table: it is made where there is none, and compared where there is one. Nothing in
// a table that exists is ever altered.
import { FlowStoneError } from '../../../flowstone.errors.js';
import type { ValueDatabase, ValueSql } from '../../../ledger/value-database.port.js';
import { columnType, KNOWN_TYPES, type Column, type ColumnType } from './column.types.js';
import { lookAt, type Found, type FoundColumn, type FoundIndex } from './table.catalog.js';
import {
  partitionTypeProblem,
  ROW_COLUMN,
  tableName,
  UNNAMEABLE,
  usualPartitionType,
  type TableDeclaration,
} from './table.declaration.js';
import { tableLayout } from './table.layout.js';
import type { TypedPartitionColumn } from './table.partition.js';
import { quoted } from './text-formats.js';

/** A table that is there. */
export interface Table {
  /** As it is recorded and in messages. */
  readonly name: string;
  /** In SQL. */
  readonly sql: string;
  /** Those that rows fill, in their order. */
  readonly columns: readonly Column[];
  readonly partitions: readonly TypedPartitionColumn[];
  /** By what rows of partitions are told apart; see table.layout.ts. */
  readonly layout: string;
  /** By what rows of a partition are ordered and told apart: `_row` alone, or the key. */
  readonly order: readonly { readonly name: string; readonly type: ColumnType }[];
}

const INTEGER = columnType('integer')!;

/** Whether rows are ordered as they came. */
export function keepsOrder({ order }: Pick<Table, 'order'>): boolean {
  return order[0]!.name === ROW_COLUMN;
}

/** Purpose: waits until nobody else does what $1 names, until the end of the transaction. */
const ALONE = 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))';

/**
 * Makes the table unless it exists, alone among all processes.
 * @throws FlowStoneError FLOWSTONE_IO_TABLE_UNFIT: there is one that is not as declared, or none and no columns are declared
 */
export async function prepareTable(database: ValueDatabase, declared: TableDeclaration): Promise<Table> {
  return database.transaction(async (sql) => {
    await sql.rows(ALONE, [`flowstone table ${tableName(declared)}`]);
    const found = await lookAt(sql, declared);
    if (found === 'other') unfit(declared, 'it is no table', 'Name another');
    if (found) return matching(declared, found);
    const table = await create(sql, declared);
    // Of one of that name that was dropped: what it held is not in this one.
    await sql.rows(`DELETE FROM ${quoted(database.schema)}.value_slices WHERE table_name = $1`, [table.name]);
    return table;
  });
}

async function create(sql: ValueSql, declared: TableDeclaration): Promise<Table> {
  const { schema, columns } = declared;
  if (!columns) unfit(declared, 'it does not exist', 'Create it, or declare its columns: { airport: "text", ... }');
  const partitions = declared.partitions.map((each) => ({ ...each, type: each.type ?? usualPartitionType(each) }));
  const key = declared.key ?? [ROW_COLUMN];
  const fixed = new Set(partitions.map(({ name }) => name));
  const primary = [...fixed, ...key];
  const lines = [
    ...partitions.map(({ name, type }) => `${quoted(name)} ${type.name}`),
    ...(declared.key ? [] : [`${quoted(ROW_COLUMN)} integer`]),
    ...columns
      .filter(({ name }) => !fixed.has(name))
      .map(({ name, type, nullable }) => `${quoted(name)} ${type.name}${nullable ? '' : ' NOT NULL'}`),
    `PRIMARY KEY (${primary.map(quoted).join(', ')})`,
  ];
  const [known] = await sql.rows('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
  if (!known) {
    // IF NOT EXISTS fails where two make it at once.
    await sql.rows(ALONE, [`flowstone schema ${schema}`]);
    await sql.rows(`CREATE SCHEMA IF NOT EXISTS ${quoted(schema)}`);
  }
  await sql.rows(`CREATE TABLE ${sqlName(declared)} (${lines.join(', ')})`);
  const never = new Set(primary);
  const made = columns.map((column) => ({ ...column, nullable: column.nullable && !never.has(column.name) }));
  return tableOf(declared, made, partitions, declared.key);
}

function matching(declared: TableDeclaration, found: Found): Table {
  const byName = new Map(found.columns.map((column) => [column.name, column]));
  const partitions = declared.partitions.map((partition) => {
    const column =
      byName.get(partition.name) ?? unfit(declared, `it has no column ${partition.name} for the partition`);
    const type = typeOf(declared, column, partition.type);
    const problem = partitionTypeProblem(type, partition);
    return problem
      ? unfit(declared, `its column ${column.name} is ${type.name}, and ${problem}`)
      : { ...partition, type };
  });
  const fixed = new Set(partitions.map(({ name }) => name));
  const columns = declared.columns?.map((column) => {
    const there = byName.get(column.name) ?? unfit(declared, `it has no column ${column.name}`, 'Add it');
    if (there.generated) unfit(declared, `its column ${column.name} is generated`, 'Leave it out of columns');
    return { ...column, type: typeOf(declared, there, column.type), nullable: there.nullable };
  });
  const own = found.columns.filter(({ name, filled }) => !filled && !fixed.has(name) && name !== ROW_COLUMN);
  if (!columns && own.some(({ name }) => name === UNNAMEABLE))
    unfit(declared, `it has a column ${UNNAMEABLE}, which rows cannot have`, 'Declare the columns that rows have');
  const read =
    columns ?? own.map((column): Column => ({ ...column, property: column.name, type: typeOf(declared, column) }));
  const ordered = byName.has(ROW_COLUMN) && !declared.key;
  if (ordered) typeOf(declared, byName.get(ROW_COLUMN)!, INTEGER);
  const given = ordered ? [ROW_COLUMN] : declared.key;
  if (given) requireUnique(declared, found, fixed, given);
  const key = given ?? inferredKey(declared, found, fixed, read);
  if (!found.indexes.some((index) => leads(index, fixed))) {
    const remedy = `CREATE INDEX ON ${sqlName(declared)} (${[...fixed, ...key].map(quoted).join(', ')})`;
    unfit(declared, 'no index begins with the partition', remedy);
  }
  return tableOf(declared, read, partitions, ordered ? undefined : key);
}

/** Whether the rows of a partition are found by an index. */
function leads({ columns }: FoundIndex, fixed: ReadonlySet<string>): boolean {
  return new Set(columns.slice(0, fixed.size).filter((name) => fixed.has(name))).size === fixed.size;
}

/** Of the indexes that tell rows apart, one that finds a partition and of whose columns rows fill all, if there is one. */
function inferredKey(
  declared: TableDeclaration,
  { indexes }: Found,
  fixed: ReadonlySet<string>,
  columns: readonly Column[],
): readonly string[] {
  const ordering = new Set(columns.filter(({ type }) => type.orders).map(({ name }) => name));
  const choices = indexes
    .filter(({ unique }) => unique)
    .map((index) => ({ leads: leads(index, fixed), key: index.columns.filter((name) => !fixed.has(name)) }))
    .filter(({ key }) => key.length > 0);
  const fitting = choices.filter(({ key }) => key.every((name) => ordering.has(name)));
  const choice = fitting.find((each) => each.leads) ?? fitting[0] ?? choices[0];
  if (choice) return choice.key;
  const remedy = `Add a primary key, or a column ${ROW_COLUMN} integer not null that is unique within a partition`;
  return unfit(declared, 'nothing tells its rows apart', remedy);
}

function requireUnique(
  declared: TableDeclaration,
  { columns, indexes }: Found,
  fixed: ReadonlySet<string>,
  key: readonly string[],
): void {
  const open = columns.find(({ name, nullable }) => nullable && key.includes(name));
  if (open) unfit(declared, `its column ${open.name} is of the key and may be null`, 'Set it NOT NULL');
  const within = new Set([...fixed, ...key]);
  if (indexes.some((index) => index.unique && index.columns.every((name) => within.has(name)))) return;
  const remedy = `Add a primary key or a unique index on not null columns (${[...within].join(', ')})`;
  unfit(declared, 'nothing makes its key unique', remedy);
}

function typeOf(declared: TableDeclaration, { name, type }: FoundColumn, expected?: ColumnType): ColumnType {
  if (expected && expected.name !== type)
    unfit(declared, `its column ${name} is ${type}, declared as ${expected.name}`);
  return expected ?? columnType(type) ?? unfit(declared, `its column ${name} is ${type}`, `Known are ${KNOWN_TYPES}`);
}

function tableOf(
  declared: TableDeclaration,
  columns: readonly Column[],
  partitions: readonly TypedPartitionColumn[],
  key: readonly string[] | undefined,
): Table {
  const order = (key ?? [ROW_COLUMN]).map((name) => {
    const type = name === ROW_COLUMN ? INTEGER : columns.find((column) => column.name === name)?.type;
    if (!type?.orders)
      return unfit(declared, `its key has a column ${name} that rows do not fill, or that has no order`);
    return { name, type };
  });
  const layout = tableLayout(partitions);
  return { name: tableName(declared), sql: sqlName(declared), columns, partitions, layout, order };
}

function sqlName({ schema, table }: TableDeclaration): string {
  return `${quoted(schema)}.${quoted(table)}`;
}

function unfit(
  declared: TableDeclaration,
  what: string,
  remedy = 'Change the table, or what is declared of it',
): never {
  const table = tableName(declared);
  throw new FlowStoneError('FLOWSTONE_IO_TABLE_UNFIT', `table ${table} cannot be used: ${what}. ${remedy}.`, {
    context: { table },
  });
}
