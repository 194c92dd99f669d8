// From what is declared of a table to the table: it is made where there is none, and looked at where there is one. Nothing
// in a table that exists is ever altered.
import { FlowStoneError } from '../../../flowstone.errors.js';
import type { ValueDatabase, ValueSql } from '../../../ledger/value-database.port.js';
import { columnType, KNOWN_TYPES, type Column, type ColumnType } from './column.types.js';
import {
  partitionTypeProblem,
  ROW_COLUMN,
  tableName,
  usualPartitionType,
  type TableDeclaration,
} from './table.declaration.js';
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
  /** By what rows of a partition are ordered and told apart: `_row` alone, or the key. */
  readonly order: readonly { readonly name: string; readonly type: ColumnType }[];
}

const INTEGER = columnType('integer')!;

/** Whether rows are ordered as they came. */
export function keepsOrder({ order }: Pick<Table, 'order'>): boolean {
  return order[0]!.name === ROW_COLUMN;
}

/**
 * Makes the table unless it exists, alone among all processes.
 * @throws FlowStoneError FLOWSTONE_IO_TABLE_UNFIT: there is one that is not as declared, or none and no columns are declared
 */
export async function prepareTable(database: ValueDatabase, declared: TableDeclaration): Promise<Table> {
  return database.transaction(async (sql) => {
    await sql.rows(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [`flowstone table ${tableName(declared)}`]);
    const found = await lookAt(sql, declared);
    return found ? matching(declared, found) : create(sql, declared);
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
  if (!known) await sql.rows(`CREATE SCHEMA IF NOT EXISTS ${quoted(schema)}`);
  await sql.rows(`CREATE TABLE ${sqlName(declared)} (${lines.join(', ')})`);
  const never = new Set(primary);
  const made = columns.map((column) => ({ ...column, nullable: column.nullable && !never.has(column.name) }));
  return tableOf(declared, made, partitions, declared.key);
}

/** Of a table that exists. */
interface Found {
  readonly columns: readonly FoundColumn[];
  /** Columns of each index that allows no duplicates, nor nulls. */
  readonly unique: readonly (readonly string[])[];
}

interface FoundColumn {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  /** The database fills it itself: it is generated, an identity, or has a default. */
  readonly filled: boolean;
  /** It cannot be written. */
  readonly generated: boolean;
}

async function lookAt(sql: ValueSql, declared: TableDeclaration): Promise<Found | undefined> {
  const named = [declared.schema, declared.table];
  const [table] = await sql.rows(
    `SELECT c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    named,
  );
  if (!table) return undefined;
  if (table[0] !== 'r' && table[0] !== 'p') unfit(declared, 'it is no table', 'Name another');
  const columns = await sql.rows(
    `SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef OR a.attidentity <> '', a.attgenerated <> ''
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    named,
  );
  const unique = await sql.rows(
    `SELECT array_to_json(ARRAY(SELECT a.attname FROM unnest(i.indkey) WITH ORDINALITY k (attnum, at)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.at <= i.indnkeyatts ORDER BY k.at))
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
     ORDER BY i.indisprimary DESC`,
    named,
  );
  const found = columns.map(([name, type, notNull, filled, generated]) => ({
    name: name!,
    type: type!,
    nullable: notNull !== 't',
    filled: filled === 't' || generated === 't',
    generated: generated === 't',
  }));
  const nullable = new Set(found.filter((column) => column.nullable).map((column) => column.name));
  const keys = unique.map(([names]) => JSON.parse(names!) as string[]);
  return { columns: found, unique: keys.filter((names) => !names.some((name) => nullable.has(name))) };
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
  const read =
    columns ?? own.map((column): Column => ({ ...column, property: column.name, type: typeOf(declared, column) }));
  const ordered = byName.has(ROW_COLUMN) && !declared.key;
  const key = ordered ? undefined : keyOf(declared, found, fixed);
  if (ordered) typeOf(declared, byName.get(ROW_COLUMN)!, INTEGER);
  return tableOf(declared, read, partitions, key);
}

/** The declared key, if an index makes sure of it; without one, that of the table. */
function keyOf(declared: TableDeclaration, found: Found, fixed: ReadonlySet<string>): readonly string[] {
  const { key } = declared;
  if (!key) {
    const inferred = found.unique
      .map((names) => names.filter((name) => !fixed.has(name)))
      .find((names) => names.length > 0);
    if (inferred) return inferred;
    const remedy = `Add a primary key, or a column ${ROW_COLUMN} integer not null that is unique within a partition`;
    return unfit(declared, 'nothing tells its rows apart', remedy);
  }
  const open = found.columns.find(({ name, nullable }) => nullable && key.includes(name));
  if (open) unfit(declared, `its column ${open.name} is of the key and may be null`, 'Set it NOT NULL');
  const within = new Set([...fixed, ...key]);
  if (found.unique.some((names) => names.every((name) => within.has(name)))) return key;
  const columns = [...within].join(', ');
  return unfit(
    declared,
    `nothing makes its key unique`,
    `Add a primary key or a unique index on not null columns (${columns})`,
  );
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
  return { name: tableName(declared), sql: sqlName(declared), columns, partitions, order };
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
