// By what the rows of a table's partitions are told apart, as one text.
import { isTimeScheme, type PartitionScheme } from '../../../partitions/partition-scheme.js';
import type { ColumnType } from './column.types.js';
import type { TypedPartitionColumn } from './table.partition.js';

/**
 * Where this text is the same, a partition key means the same rows, and different keys mean different ones. Which keys there
 * are does not matter, nor how the parts of a key are named: `day (date) daily`, `[day (date) daily] [place (text) by key]`.
 * Empty: there are no partitions.
 */
export function tableLayout(partitions: readonly TypedPartitionColumn[]): string {
  const columns = partitions.map(({ name, type, scheme }) => `${name} (${kindOf(type)}) ${keysOf(type, scheme)}`);
  // A key of one part is not written as that part alone.
  const parts = partitions[0]?.dimension !== undefined;
  return parts ? columns.map((column) => `[${column}]`).join(' ') : columns.join();
}

/** For people. */
export function layoutName(layout: string): string {
  return layout === '' ? 'as a whole' : `by ${layout}`;
}

/** Types that hold the same keys as the same values are one. */
function kindOf({ name }: ColumnType): string {
  if (name === 'character varying') return 'text';
  return name === 'bigint' ? 'integer' : name;
}

function keysOf(type: ColumnType, scheme: PartitionScheme | undefined): string {
  if (scheme === undefined || !isTimeScheme(scheme)) return 'by key';
  const kind = scheme.kind === 'cron' ? `cron ${scheme.cron.trim().split(/\s+/).join(' ')}` : scheme.kind;
  // A day or a text is that of the key, whatever the zone.
  return type.name.startsWith('timestamp') ? `${kind} in ${scheme.timeZone}` : kind;
}
