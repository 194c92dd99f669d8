// What a set of partitions can answer, and what it is resolved against. How one is made is in partition-set.ts.
import type { CustomScheme } from './partition-scheme.js';

/** The window of a time partition: start inclusive, end exclusive. */
export interface PartitionWindow {
  readonly start: Date;
  readonly end: Date;
}

/**
 * The partitions that exist at one moment, numbered from 0. Nothing is listed: sets of time or product schemes take no
 * memory per partition. Methods that take an ordinal throw RangeError outside [0, size).
 */
export interface PartitionSet {
  readonly size: number;
  keyAt(ordinal: number): string;
  /** The ordinal of a canonical key, or -1 where no partition has it. */
  ordinalOf(key: string): number;
  /** The window of a time partition, or of the only time dimension of a multi partition. */
  windowAt(ordinal: number): PartitionWindow | undefined;
  /** The key of each dimension by its name; undefined where the scheme has no dimensions. */
  dimensionsAt(ordinal: number): Readonly<Record<string, string>> | undefined;
}

/** What schemes are resolved against. Both lists are read by the caller beforehand; the first of equal keys counts. */
export interface PartitionMoment {
  /** The database's time. */
  readonly now: Date;
  dynamicKeys(name: string): readonly string[];
  /** What `customKeys` gave for the scheme. */
  customKeys(scheme: CustomScheme): readonly string[];
}
