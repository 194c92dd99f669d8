// What an asset declares of its table: which one, its columns, and by which of them partitions are told apart. What is
// wrong with that is found here, at boot; how a table that exists looks is found in table.preparation.ts.
import { suggestion } from '../../../graph/did-you-mean.js';
import { isTimeScheme, type PartitionScheme } from '../../../partitions/partition-scheme.js';
import { isRecord } from '../../tagged-json.js';
import { columnType, KNOWN_TYPES, type Column, type ColumnType } from './column.types.js';
import { readEntity } from './table.entity.js';

/** A column that says of which partition a row is. */
export interface PartitionColumn {
  readonly name: string;
  /** Undefined: what fits the scheme best, or what the table has. */
  readonly type: ColumnType | undefined;
  /** Of a key of several parts, which one it holds; undefined: all of it. */
  readonly dimension: string | undefined;
  /** Undefined: keys of which nothing is known. */
  readonly scheme: PartitionScheme | undefined;
  /** Whether the window of a partition is that of this column: its key has no other part of time. */
  readonly windowed: boolean;
}

export interface TableDeclaration {
  readonly schema: string;
  readonly table: string;
  /** Undefined: those that the table has. */
  readonly columns: readonly Column[] | undefined;
  /** Columns by which rows of a partition are told apart and ordered; undefined: in the order in which they came. */
  readonly key: readonly string[] | undefined;
  readonly partitions: readonly PartitionColumn[];
}

/** Of a row, its place; in tables that have no key. */
export const ROW_COLUMN = '_row';

/** As a property of rows it would be no plain one. */
export const UNNAMEABLE = '__proto__';
const NAME = new RegExp(`^(?!${UNNAMEABLE}$)[A-Za-z_][A-Za-z0-9_]{0,62}$`);
const NAME_RULE = `a letter or _, then letters, digits or _, at most 63 in all, other than ${UNNAMEABLE}`;
/** What may be said only beside `table` or `entity`. */
export const BESIDE_TABLE: readonly string[] = ['columns', 'key', 'partitionColumn', 'partitionColumns', 'adopt'];
export const TABLE_OPTIONS: readonly string[] = ['table', 'entity', ...BESIDE_TABLE];

/** What is declared, as far as it could be read, and what is wrong with it, one sentence each. */
export interface ReadDeclaration {
  readonly declaration: TableDeclaration | undefined;
  readonly problems: readonly string[];
}

/** Whether these options keep rows in a table, instead of documents. */
export function meansTable(options: Readonly<Record<string, unknown>>): boolean {
  return options['table'] !== undefined || options['entity'] !== undefined;
}

/** The name of the table in messages, and where it is recorded whose it is. */
export function tableName({ schema, table }: Pick<TableDeclaration, 'schema' | 'table'>): string {
  return `${schema}.${table}`;
}

/**
 * @param scheme of the asset; undefined: it has no partitions
 * @param own the schema of FlowStone's own tables, in which no asset may have one
 */
export function readDeclaration(
  options: Readonly<Record<string, unknown>>,
  scheme: PartitionScheme | undefined,
  own: string,
): ReadDeclaration {
  const problems = unknownOptions(options, TABLE_OPTIONS, 'of table mode');
  const entity = options['entity'] === undefined ? undefined : readEntity(options['entity']);
  problems.push(...(entity?.problems ?? []));
  const name = readName(options['table'] ?? entity?.table, own, problems);
  for (const { name: column, property } of entity?.columns ?? []) {
    if (property === UNNAMEABLE) problems.push(`a property cannot be named ${UNNAMEABLE}`);
    if (!NAME.test(column)) problems.push(`a column cannot be named ${JSON.stringify(column)}: use ${NAME_RULE}`);
  }
  if (entity && options['columns'] !== undefined) problems.push('columns are declared beside entity: give one of them');
  const columns = entity?.columns ?? readColumns(options['columns'], problems);
  const partitions = readPartitions(options, scheme, columns, problems);
  const partitioned = new Set(partitions.map((partition) => partition.name));
  const inferred = entity?.key.filter((column) => !partitioned.has(column));
  const key = readKey(options['key'] ?? (inferred?.length ? inferred : undefined), columns, partitioned, problems);
  if (!['undefined', 'boolean'].includes(typeof options['adopt'])) problems.push('adopt must be true or false');
  if (!name) return { declaration: undefined, problems };
  return { declaration: { ...name, columns, key, partitions }, problems };
}

/** Names of options that are none. */
export function unknownOptions(
  options: Readonly<Record<string, unknown>>,
  known: readonly string[],
  where: string,
): string[] {
  const unknown = Object.keys(options).filter((name) => !known.includes(name));
  return unknown.map((name) => `unknown option "${name}" ${where}${suggestion(name, known)}`);
}

function readName(given: unknown, own: string, problems: string[]): { schema: string; table: string } | undefined {
  const parts = typeof given === 'string' ? given.split('.') : [];
  const [schema, table] = parts.length === 1 ? ['public', parts[0]!] : parts;
  if (parts.length > 2 || !NAME.test(schema ?? '') || !NAME.test(table ?? '')) {
    problems.push(`table is ${JSON.stringify(given)}, must be 'name' or 'schema.name', each ${NAME_RULE}`);
    return undefined;
  }
  if (schema === own || schema === 'information_schema' || schema!.startsWith('pg_')) {
    problems.push(`table is ${JSON.stringify(given)}, and schema ${schema} is not for tables of assets`);
    return undefined;
  }
  return { schema: schema!, table: table! };
}

function readColumns(given: unknown, problems: string[]): Column[] | undefined {
  if (given === undefined) return undefined;
  if (!isRecord(given) || Object.keys(given).length === 0) {
    problems.push("columns must be an object of types by name, such as { airport: 'text', flights: 'integer' }");
    return undefined;
  }
  return Object.entries(given).flatMap(([name, written]): Column[] => {
    if (!NAME.test(name) || name === ROW_COLUMN) {
      problems.push(`a column cannot be named ${JSON.stringify(name)}: use ${NAME_RULE}, other than ${ROW_COLUMN}`);
      return [];
    }
    const { type, nullable = true, ...others } = isRecord(written) ? written : { type: written };
    problems.push(...unknownOptions(others, ['type', 'nullable'], `of column ${name}`));
    if (typeof nullable !== 'boolean') problems.push(`nullable of column ${name} must be true or false`);
    const known = readType(type, `column ${name}`, problems);
    return known ? [{ property: name, name, type: known, nullable: nullable !== false }] : [];
  });
}

function readType(given: unknown, what: string, problems: string[]): ColumnType | undefined {
  const known = typeof given === 'string' ? columnType(given) : undefined;
  if (!known) problems.push(`the type of ${what} is ${JSON.stringify(given)}, must be one of ${KNOWN_TYPES}`);
  return known;
}

function readPartitions(
  options: Readonly<Record<string, unknown>>,
  scheme: PartitionScheme | undefined,
  columns: readonly Column[] | undefined,
  problems: string[],
): PartitionColumn[] {
  const { partitionColumn: one, partitionColumns: several } = options;
  if (scheme === undefined) {
    const given = ['partitionColumn', 'partitionColumns'].filter((name) => options[name] !== undefined);
    problems.push(...given.map((name) => `${name} is given, and the asset has no partitions`));
    return [];
  }
  const dimensions = dimensionsOf(scheme);
  const windowed = Object.values(dimensions ?? {}).filter((of) => of && isTimeScheme(of)).length <= 1;
  const read = (given: unknown, dimension: string | undefined, of: PartitionScheme | undefined, fallback: string) =>
    readPartitionColumn(given, { dimension, scheme: of, windowed, fallback }, columns, problems);
  if (dimensions === undefined) {
    if (several !== undefined) problems.push('partitionColumns is for keys of several parts: give partitionColumn');
    return read(one, undefined, scheme, 'partition');
  }
  if (one !== undefined) {
    problems.push(
      `partitionColumn is for keys of one part: give partitionColumns { ${Object.keys(dimensions).join(', ')} }`,
    );
  }
  if (several !== undefined && !isRecord(several)) problems.push('partitionColumns must be an object by dimension');
  const given = isRecord(several) ? several : {};
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(dimensions, name));
  problems.push(...unknown.map((name) => `partitionColumns names ${JSON.stringify(name)}, which is no dimension`));
  const found = Object.entries(dimensions).flatMap(([dimension, of]) =>
    read(given[dimension], dimension, of, dimension),
  );
  const names = found.map(({ name }) => name);
  if (new Set(names).size < names.length)
    problems.push(`two partition columns have the same name: ${names.join(', ')}`);
  return found;
}

/** The schemes of the parts of a key; undefined where it has no parts. */
function dimensionsOf(scheme: PartitionScheme): Readonly<Record<string, PartitionScheme | undefined>> | undefined {
  if (scheme.kind === 'multi') return scheme.dimensions;
  if (scheme.kind !== 'custom' || scheme.dimensions.length === 0) return undefined;
  return Object.fromEntries(scheme.dimensions.map((name) => [name, undefined]));
}

function readPartitionColumn(
  given: unknown,
  { fallback, ...of }: Omit<PartitionColumn, 'name' | 'type'> & { readonly fallback: string },
  columns: readonly Column[] | undefined,
  problems: string[],
): PartitionColumn[] {
  const { name = fallback, type: written, ...others } = isRecord(given) ? given : { name: given };
  problems.push(...unknownOptions(others, ['name', 'type'], 'of a partition column'));
  if (typeof name !== 'string' || !NAME.test(name) || name === ROW_COLUMN) {
    problems.push(`a partition column cannot be named ${JSON.stringify(name)}: give it a name of ${NAME_RULE}`);
    return [];
  }
  const declared = columns?.find((column) => column.name === name)?.type;
  const type = written === undefined ? declared : readType(written, `partition column ${name}`, problems);
  if (declared && type && declared.name !== type.name)
    problems.push(`column ${name} is ${declared.name} in columns and ${type.name} as partition column`);
  const problem = type && partitionTypeProblem(type, of);
  if (problem) problems.push(`partition column ${name} cannot be ${type.name}: ${problem}`);
  return [{ name, type, ...of }];
}

/** Why a column of this type cannot tell the partitions of a scheme apart; undefined where it can. */
export function partitionTypeProblem(
  type: ColumnType,
  { scheme, windowed }: Pick<PartitionColumn, 'scheme' | 'windowed'>,
): string | undefined {
  const time = scheme !== undefined && isTimeScheme(scheme);
  if (type.name === 'text' || type.name === 'character varying') return undefined;
  if (time && type.name === 'date')
    return isByDay(scheme) ? undefined : 'several partitions may begin on one day. Use timestamptz or text';
  if (time && type.name.startsWith('timestamp with'))
    return windowed ? undefined : 'keys of several parts of time have no one window. Use text';
  if (!time && (type.name === 'integer' || type.name === 'bigint')) return undefined;
  return time ? 'use date, timestamptz or text' : 'use text, or integer or bigint where every key is such a number';
}

/** The type of a partition column for which none is declared, and that does not exist yet. */
export function usualPartitionType({ scheme, windowed }: PartitionColumn): ColumnType {
  const time = scheme !== undefined && isTimeScheme(scheme);
  return columnType(time && isByDay(scheme) ? 'date' : time && windowed ? 'timestamptz' : 'text')!;
}

function isByDay({ kind }: PartitionScheme): boolean {
  return kind === 'daily' || kind === 'weekly' || kind === 'monthly';
}

function readKey(
  given: unknown,
  columns: readonly Column[] | undefined,
  partitioned: ReadonlySet<string>,
  problems: string[],
): string[] | undefined {
  if (given === undefined) return undefined;
  const names = Array.isArray(given) && given.length > 0 ? (given as unknown[]) : [undefined];
  const key = names.filter((name) => typeof name === 'string');
  if (key.length < names.length || new Set(key).size < key.length) {
    problems.push("key must be a list of different columns, such as ['airport']");
    return undefined;
  }
  for (const name of key) {
    const column = columns?.find((each) => each.name === name);
    if (partitioned.has(name)) problems.push(`key names ${name}, which is the same for all rows of a partition`);
    else if (columns && !column) problems.push(`key names ${JSON.stringify(name)}, which is no column`);
    else if (column && !column.type.orders) problems.push(`key names ${name}, and ${column.type.name} has no order`);
  }
  return key;
}
