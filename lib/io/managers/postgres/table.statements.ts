// The SQL of table mode. Names in it are quoted, types are of column.types.ts, everything else is a parameter.
import type { FixedColumn } from './table.partition.js';
import type { TableLocation } from './table.location.js';
import { quoted } from './text-formats.js';

/** Of rows in a table, what selects and orders them. */
export type Slice = Pick<TableLocation, 'fixed' | 'order'> & { readonly table: string };

/** SQL with its parameters. */
export interface Query {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A table by its name as recorded. */
export function tableSql(name: string): string {
  return name.split('.').map(quoted).join('.');
}

/** Purpose: whose a table is, and by which layout. $1 table. Plan: primary key. */
export function tableOwner(schema: string): string {
  return `SELECT namespace, asset, layout FROM ${quoted(schema)}.value_tables WHERE table_name = $1`;
}

/** Purpose: makes a table one asset's, unless it is somebody's. $1 table, $2 namespace, $3 asset, $4 layout. */
export function enterTable(schema: string): string {
  return `INSERT INTO ${quoted(schema)}.value_tables (table_name, namespace, asset, layout) VALUES ($1, $2, $3, $4)
    ON CONFLICT (table_name) DO NOTHING`;
}

/** Purpose: waits for whoever stores in a table, and keeps others from it until the end. $1 table. Plan: primary key. */
export function lockTable(schema: string): string {
  return `${tableOwner(schema)} FOR UPDATE`;
}

/** Purpose: makes a table another's, or of another layout. Guard: `lockTable`. Parameters as of `enterTable`. */
export function giveTable(schema: string): string {
  return `UPDATE ${quoted(schema)}.value_tables SET namespace = $2, asset = $3, layout = $4 WHERE table_name = $1`;
}

/** Purpose: whether a table holds any value. $1 table. Plan: primary key. */
export function anySlice(schema: string): string {
  return `SELECT FROM ${quoted(schema)}.value_slices WHERE table_name = $1 LIMIT 1`;
}

/**
 * Purpose: takes the lock on a slice and says whose its rows are from now on; all or nothing with them. No row: the table
 * is another asset's, or of another layout; until the end it becomes neither, while others store other slices of it.
 * 't': the slice was nobody's. Plan: primary keys. $1 table, $2 partition, $3 namespace, $4 asset, $5 layout, $6 materialization, $7 epoch.
 */
export function takeSlice(schema: string): string {
  return `INSERT INTO ${quoted(schema)}.value_slices (table_name, partition, namespace, materialization_id, epoch)
    SELECT t.table_name, $2::text, t.namespace, $6::bigint, $7::integer FROM ${quoted(schema)}.value_tables t
    WHERE t.table_name = $1 AND t.namespace = $3 AND t.asset = $4 AND t.layout = $5 FOR SHARE
    ON CONFLICT (table_name, partition) DO UPDATE SET
      namespace = excluded.namespace, materialization_id = excluded.materialization_id, epoch = excluded.epoch
    RETURNING xmax = 0`;
}

/** Purpose: whose a slice is, and whether its table is there. $1 table, $2 partition, $3 table in SQL. Plan: primary key. */
export function sliceOwner(schema: string): string {
  return `SELECT namespace, materialization_id, epoch, to_regclass($3) IS NOT NULL FROM ${quoted(schema)}.value_slices
    WHERE table_name = $1 AND partition = $2`;
}

/** Purpose: names and types of a table's columns. $1 the table in SQL. */
export const COLUMN_TYPES = `SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
  WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`;

/**
 * Purpose: gives a slice up, if it still holds that attempt's rows, and locks it until the end; 't': its table is
 * there. $1 table, $2 partition, $3 namespace, $4 materialization, $5 epoch, $6 table in SQL. Plan: primary key.
 */
export function leaveSlice(schema: string): string {
  return `DELETE FROM ${quoted(schema)}.value_slices
    WHERE table_name = $1 AND partition = $2 AND namespace = $3 AND materialization_id = $4::bigint AND epoch = $5::integer
    RETURNING to_regclass($6) IS NOT NULL`;
}

/** Purpose: whether there are rows in a slice. Plan: the index of partition and order. */
export function anyRow(slice: Slice): Query {
  const { condition, values } = within(slice, {});
  return { text: `SELECT FROM ${tableSql(slice.table)}${condition} LIMIT 1`, values };
}

/**
 * Purpose: the last row of a step of a removal, so that no statement runs into its time limit. No row: fewer are left.
 * Plan: the index of partition and order.
 */
export function stepEnd(slice: Slice, after: readonly string[] | undefined, rows: number): Query {
  const { condition, values } = within(slice, { after });
  const order = orderOf(slice);
  return {
    text: `SELECT ${order} FROM ${tableSql(slice.table)}${condition} ORDER BY ${order} OFFSET ${rows} LIMIT 1`,
    values,
  };
}

/** Purpose: removes rows of a slice, after one up to another. */
export function removeRows(
  slice: Slice,
  after: readonly string[] | undefined,
  to: readonly string[] | undefined,
): Query {
  const { condition, values } = within(slice, { after, to });
  return { text: `DELETE FROM ${tableSql(slice.table)}${condition}`, values };
}

export function copyRows(table: string, columns: readonly string[]): string {
  return `COPY ${table} (${columns.map(quoted).join(', ')}) FROM STDIN WITH (FORMAT binary)`;
}

/** Which rows a page holds. */
export interface PageRange {
  /** The order columns of the last row before it. */
  readonly after?: readonly string[] | undefined;
  /** The last row it may hold, by the same. */
  readonly to?: readonly string[] | undefined;
  /** So many of them are passed over. */
  readonly skip?: number;
}

/**
 * Purpose: a page of rows, and in the same moment whether the slice still holds the materialization they are of ('t' in the
 * first column; the order columns follow, null where there are no rows; then the wanted ones).
 * Plan: the index of partition and order; the primary key of the slices.
 */
export function page(
  schema: string,
  { location, partition, namespace }: { location: TableLocation; partition: string; namespace: string },
  wanted: readonly string[],
  range: PageRange,
  rows: number,
): Query {
  const { condition, values } = within(location, range);
  const next = (index: number) => `$${values.length + index}`;
  const order = location.order.map(({ name }, index) => `${quoted(name)} AS o${index}`);
  const columns = wanted.map((name, index) => `${quoted(name)} AS c${index}`);
  return {
    text: `SELECT p.held, r.* FROM (SELECT EXISTS (SELECT FROM ${quoted(schema)}.value_slices
        WHERE table_name = ${next(1)} AND partition = ${next(2)} AND namespace = ${next(3)}
          AND materialization_id = ${next(4)}::bigint AND epoch = ${next(5)}::integer) AS held) p
      LEFT JOIN LATERAL (SELECT ${[...order, ...columns].join(', ')} FROM ${tableSql(location.table)}${condition}
        ORDER BY ${orderOf(location)} LIMIT ${rows} OFFSET ${range.skip ?? 0}) r ON p.held`,
    values: [...values, location.table, partition, namespace, location.materialization, location.epoch],
  };
}

function orderOf({ order }: Pick<Slice, 'order'>): string {
  return order.map(({ name }) => quoted(name)).join(', ');
}

function within({ fixed, order }: Slice, { after, to }: PageRange): { condition: string; values: string[] } {
  const values: string[] = [];
  const parameter = (text: string, type: FixedColumn['type']) => `$${values.push(text)}::${type.name}`;
  const row = (texts: readonly string[]) => order.map(({ type }, index) => parameter(texts[index]!, type)).join(', ');
  const conditions = fixed.map(({ name, type, text }) => `${quoted(name)} = ${parameter(text, type)}`);
  if (after) conditions.push(`(${orderOf({ order })}) > (${row(after)})`);
  if (to) conditions.push(`(${orderOf({ order })}) <= (${row(to)})`);
  return { condition: conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '', values };
}
