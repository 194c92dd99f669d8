// What PostgreSQL's catalog says of a table: its columns, and the indexes by which its rows are found and told apart.
import type { ValueSql } from '../../../ledger/value-database.port.js';
import type { TableDeclaration } from './table.declaration.js';

/** Of a table that exists. */
export interface Found {
  readonly columns: readonly FoundColumn[];
  readonly indexes: readonly FoundIndex[];
}

/** That holds all rows, in order. */
export interface FoundIndex {
  readonly columns: readonly string[];
  /** It allows no duplicates, nor nulls. */
  readonly unique: boolean;
}

export interface FoundColumn {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  /** The database fills it itself: it is generated, an identity, or has a default. */
  readonly filled: boolean;
  /** It cannot be written. */
  readonly generated: boolean;
}

/** What is there by that name: a table, or something `other`. The primary key is the first of its indexes. */
export async function lookAt(sql: ValueSql, declared: TableDeclaration): Promise<Found | 'other' | undefined> {
  const named = [declared.schema, declared.table];
  const [table] = await sql.rows(
    `SELECT c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    named,
  );
  if (!table) return undefined;
  if (table[0] !== 'r' && table[0] !== 'p') return 'other';
  const columns = await sql.rows(
    `SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef OR a.attidentity <> '', a.attgenerated <> ''
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    named,
  );
  const indexes = await sql.rows(
    `SELECT array_to_json(ARRAY(SELECT a.attname FROM unnest(i.indkey) WITH ORDINALITY k (attnum, at)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.at <= i.indnkeyatts ORDER BY k.at)), i.indisunique
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_class own ON own.oid = i.indexrelid JOIN pg_am method ON method.oid = own.relam
     WHERE n.nspname = $1 AND c.relname = $2 AND method.amname = 'btree' AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
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
  return {
    columns: found,
    indexes: indexes.map(([names, unique]) => {
      const own = JSON.parse(names!) as string[];
      return { columns: own, unique: unique === 't' && !own.some((each) => nullable.has(each)) };
    }),
  };
}
