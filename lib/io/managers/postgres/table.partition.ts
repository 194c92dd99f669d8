// Which rows of a table are those of one partition: the values of its partition columns, by the partition's key.
import { dimensionValue, partNames } from '../../../partitions/partition-dimensions.js';
import { keyTextProblem } from '../../../partitions/partition-key.js';
import { FlowStoneError } from '../../../flowstone.errors.js';
import type { PartitionSlice } from '../../io-manager.port.js';
import type { ColumnType } from './column.types.js';
import { instantText } from './moments.js';
import type { PartitionColumn } from './table.declaration.js';

/** A partition column whose type is known. */
export interface TypedPartitionColumn extends PartitionColumn {
  readonly type: ColumnType;
}

/** A column with the text of its value, the same for all rows of a partition. */
export interface FixedColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly text: string;
}

/** In the only way that it is written. */
const WHOLE_NUMBER = /^(?:0|-?[1-9]\d{0,18})$/;

/**
 * The values that rows of a partition have in its columns. Different keys have different values.
 * @throws FlowStoneError FLOWSTONE_IO_VALUE_UNSUPPORTED: a column cannot hold the key
 */
export function fixedColumns(
  columns: readonly TypedPartitionColumn[],
  partition: string | undefined,
  slice: PartitionSlice,
): FixedColumn[] {
  if (partition === undefined) return [];
  const problem = keyTextProblem(partition);
  if (problem !== undefined) refuseKey(partition, `as text: ${problem}`);
  return columns.map((column) => ({ ...column, text: textOf(column, partition, slice) }));
}

function textOf(column: TypedPartitionColumn, partition: string, { window, scheme }: PartitionSlice): string {
  const { name, type, dimension } = column;
  const key = dimension === undefined ? partition : dimensionValue(partNames(scheme), dimension, partition);
  if (key === undefined) return refuseKey(partition, `in column ${name}: it has no part ${dimension}`);
  if (type.name === 'date') return key.length === 'yyyy-mm'.length ? `${key}-01` : key;
  if (type.name.startsWith('timestamp'))
    return (
      (window && instantText(window.start)) ?? refuseKey(partition, `in column ${name}: it is no partition any more`)
    );
  const number = type.name === 'integer' || type.name === 'bigint';
  if (number && !WHOLE_NUMBER.test(key)) return refuseKey(partition, `in column ${name}: ${key} is no ${type.name}`);
  return type.fits(type.read(key)) ? key : refuseKey(partition, `in column ${name}, which takes ${type.takes}`);
}

function refuseKey(partition: string, why: string): never {
  throw new FlowStoneError('FLOWSTONE_IO_VALUE_UNSUPPORTED', `the partition key cannot be kept ${why}.`, {
    context: { partition },
  });
}
