// The dimensions of a scheme's keys: their names, and the value that a key has in one of them.
import { decodeDimensions } from './partition-key.js';
import type { PartitionScheme } from './partition-scheme.js';

/**
 * The names of what keys are made of: in order, for keys of several parts; the name alone, where a key is the value as it
 * stands; an empty list where nothing has a name. Plain data, so that it can be recorded.
 */
export type Dimensions = string | readonly string[];

/** The dimensions of a scheme: those it declares, or the list that a `dynamic` one shares. */
export function dimensionsOf(scheme: PartitionScheme | undefined): Dimensions {
  return scheme?.kind === 'dynamic' ? scheme.name : partNames(scheme);
}

/** The names of the parts that keys of the scheme are encoded of; empty: its keys have no parts. */
export function partNames(scheme: PartitionScheme | undefined): readonly string[] {
  if (scheme?.kind === 'multi') return Object.keys(scheme.dimensions);
  return scheme?.kind === 'custom' ? scheme.dimensions : [];
}

/** What `key` has in that dimension; undefined where there is none of this name, or the key is none of these. */
export function dimensionValue(dimensions: Dimensions, dimension: string, key: string): string | undefined {
  if (typeof dimensions === 'string') return dimensions === dimension ? key : undefined;
  const index = dimensions.indexOf(dimension);
  return index === -1 ? undefined : decodeDimensions(key, dimensions.length)?.[index];
}
