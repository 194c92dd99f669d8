// What TypeORM's decorators say of a class, as columns of a table.
import { createRequire } from 'node:module';
import type * as Typeorm from 'typeorm';
import { columnType, KNOWN_TYPES, type Column } from './column.types.js';

/** What is read of an entity. */
export interface ReadEntity {
  /** `schema.name` or `name`. */
  readonly table: string | undefined;
  readonly columns: readonly Column[];
  /** Its primary columns. */
  readonly key: readonly string[];
  readonly problems: readonly string[];
}

type ColumnArgs = ReturnType<ReturnType<typeof Typeorm.getMetadataArgsStorage>['filterColumns']>[number];

const CONSTRUCTORS = new Map<unknown, string>([
  [String, 'character varying'],
  [Number, 'integer'],
  [Boolean, 'boolean'],
  [Date, 'timestamp'],
]);

/** The columns of an entity of TypeORM but those that the database fills itself. */
export function readEntity(given: unknown): ReadEntity {
  const none = { table: undefined, columns: [], key: [] };
  if (typeof given !== 'function') return { ...none, problems: ['entity must be a class with @Entity()'] };
  // Here, since whoever has no entity needs no TypeORM; and at once, since declarations are checked in one go.
  const typeorm = createRequire(import.meta.url)('typeorm') as typeof Typeorm;
  const storage = typeorm.getMetadataArgsStorage();
  const [table] = storage.filterTables(given);
  if (!table) return { ...none, problems: [`entity ${given.name} has no @Entity()`] };
  const name = new typeorm.DefaultNamingStrategy().tableName(given.name, table.name);
  const lineage: Function[] = [];
  for (let at: unknown = given; typeof at === 'function' && at.name; at = Object.getPrototypeOf(at)) lineage.push(at);
  const problems: string[] = [];
  if (storage.filterRelations(lineage).length > 0)
    problems.push(`entity ${given.name} has relations: give it the columns that hold them instead`);
  if (storage.filterEmbeddeds(lineage).length > 0)
    problems.push(`entity ${given.name} has embedded parts: give it their columns instead`);
  const filled = storage.filterColumns(lineage).filter(({ target, propertyName, mode, options }) => {
    const generated = lineage.some((each) => storage.findGenerated(each, propertyName)?.target === target);
    return mode === 'regular' && !generated && !options.generatedType && !options.generatedIdentity;
  });
  const columns = filled.flatMap((column) => readColumn(given.name, column, problems));
  const primary = new Set(filled.filter(({ options }) => options.primary).map(({ propertyName }) => propertyName));
  const key = columns.filter(({ property }) => primary.has(property)).map((column) => column.name);
  return { table: table.schema === undefined ? name : `${table.schema}.${name}`, columns, key, problems };
}

/** The same as plain data. */
export function entityFacts(given: unknown): Readonly<Record<string, unknown>> {
  const { table, columns, key } = readEntity(given);
  return { table, columns: columns.map(({ type, ...column }) => ({ ...column, type: type.name })), key };
}

function readColumn(entity: string, { propertyName, options }: ColumnArgs, problems: string[]): Column[] {
  const { type: given, length, precision, scale, array, transformer } = options;
  if (transformer !== undefined)
    problems.push(`${entity}.${propertyName} has a transformer, which would not be applied`);
  const base = CONSTRUCTORS.get(given) ?? String(given);
  const size = length !== undefined && length !== '' ? `(${length})` : scaleText(base, precision, scale);
  const type = columnType(`${base}${size}${array ? '[]' : ''}`);
  if (!type) {
    problems.push(`the type of ${entity}.${propertyName} is ${base}${size}, must be one of ${KNOWN_TYPES}`);
    return [];
  }
  return [{ property: propertyName, name: options.name ?? propertyName, type, nullable: options.nullable === true }];
}

function scaleText(base: string, precision: number | null | undefined, scale: number | undefined): string {
  if (precision == null || !/^(numeric|decimal)$/.test(base)) return '';
  return `(${precision},${scale ?? 0})`;
}
