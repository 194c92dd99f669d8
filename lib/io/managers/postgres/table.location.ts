// Where rows in a table are, as it is recorded with their materialization: enough to read them whatever is declared now.
import { isRecord } from '../../tagged-json.js';
import type { LoadContext, StoreContext } from '../../io-manager.port.js';
import { valueCorrupt } from '../../io-failures.js';
import { columnType, type Column, type ColumnType } from './column.types.js';
import type { FixedColumn } from './table.partition.js';
import type { Table } from './table.preparation.js';

/** Rows of one materialization. */
export interface TableLocation {
  readonly table: string;
  readonly columns: readonly Pick<Column, 'property' | 'name' | 'type'>[];
  readonly fixed: readonly FixedColumn[];
  readonly order: readonly { readonly name: string; readonly type: ColumnType }[];
  /** Stored from an async iterable, so loaded as `Rows`. */
  readonly streamed: boolean;
  /** How many there were when they were stored. */
  readonly rows: number;
  /** Their bytes, likewise. */
  readonly size: number;
  readonly materialization: number;
  readonly epoch: number;
}

/** As plain JSON: columns as [property, type, name if that differs], the partition's as [name, type, text]. */
export function tableLocation(
  table: Table,
  fixed: readonly FixedColumn[],
  { materialization, epoch }: StoreContext,
  value: Pick<TableLocation, 'streamed' | 'rows' | 'size'>,
) {
  return {
    table: table.name,
    columns: table.columns.map(({ property, name, type }) =>
      property === name ? [property, type.name] : [property, type.name, name],
    ),
    partition: fixed.map(({ name, type, text }) => [name, type.name, text]),
    order: table.order.map(({ name, type }) => [name, type.name]),
    ...{ ...value, materialization, epoch },
  };
}

/** Whether a location is one of rows in a table. */
export function isInTable(location: unknown): boolean {
  return isRecord(location) && 'table' in location;
}

/** A location comes from the ledger, so that what it holds is checked and not believed. */
export function readTableLocation(context: LoadContext): TableLocation {
  const { location } = context;
  const fields: Readonly<Record<string, unknown>> = isRecord(location) ? location : {};
  const { table, columns, partition, order, streamed, rows, size, materialization, epoch } = fields;
  const numbers = { rows, size, materialization, epoch };
  if ([columns, partition, order].every(isTexts) && typeof table === 'string' && areIntegers(numbers)) {
    const typed = (given: unknown) =>
      (given as string[][]).map(([name = '', type = '', more]) => ({ name, type: knownType(context, type), more }));
    return {
      ...{ table, streamed: streamed === true, ...numbers },
      columns: typed(columns).map(({ name, type, more }) => ({ property: name, type, name: more ?? name })),
      fixed: typed(partition).map(({ name, type, more = '' }) => ({ name, type, text: more })),
      order: typed(order).map(({ name, type }) => ({ name, type })),
    };
  }
  throw valueCorrupt(context, `its location ${JSON.stringify(location)} is none in a table`);
}

function areIntegers<K extends string>(given: Readonly<Record<K, unknown>>): given is Readonly<Record<K, number>> {
  return Object.values(given).every(Number.isSafeInteger);
}

function isTexts(given: unknown): boolean {
  return (
    Array.isArray(given) && given.every((each) => Array.isArray(each) && each.every((text) => typeof text === 'string'))
  );
}

function knownType(context: LoadContext, name: string): ColumnType {
  const type = columnType(name);
  if (type) return type;
  throw valueCorrupt(context, `its location names a type ${JSON.stringify(name)}`);
}
