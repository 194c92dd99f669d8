// bigint columns as numbers: ids stay far below 2^53.
import type { ValueTransformer } from 'typeorm';

export const asNumber: ValueTransformer = {
  from: (stored: string | null) => (stored === null ? null : Number(stored)),
  to: (value: number | null) => value,
};
