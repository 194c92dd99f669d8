// From a mapping spec and two sets of partitions to a resolved mapping.
// Whether the spec fits the schemes is decided in mapping-match.ts; each kind of resolved mapping has its own place.
import { FlowStoneError } from '../flowstone.errors.js';
import { canonicalKey } from './canonical-key.js';
import { AskedMapping, type ResolvedScheme, visitOrdinals } from './function-mapping.js';
import { type Link, matchMapping } from './mapping-match.js';
import { type LeafSpec, type MappingSpec, specCardinality } from './mapping-spec.js';
import type { PartitionScheme } from './partition-scheme.js';
import { schemeFingerprint } from './partitions.js';
import { ProductMapping } from './product-mapping.js';
import { type ProductDimension, ProductSet } from './product-set.js';
import {
  capMissing,
  ConstantMapping,
  LookupMapping,
  OverlapMapping,
  type ResolvedMapping,
  ShiftMapping,
  windowKeyNear,
} from './resolved-mapping.js';
import { TimeSet } from './time-set.js';

export type { ResolvedMapping } from './resolved-mapping.js';

/**
 * The mapping between the partitions of two assets, both resolved at the same moment.
 * Throws FLOWSTONE_PARTITION_MAPPING_INVALID for what the boot check refuses (`mappingProblem`).
 */
export function resolveMapping(spec: MappingSpec, down: ResolvedScheme, up: ResolvedScheme): ResolvedMapping {
  const match = matchMapping(spec, down.scheme, up.scheme);
  if (typeof match === 'string') throw new FlowStoneError('FLOWSTONE_PARTITION_MAPPING_INVALID', match);
  switch (match.kind) {
    case 'function':
      return new AskedMapping(match.mapping, down, up, spec.allowMissing ?? false);
    case 'chosen':
      return chosen(match.spec, down.set.size, up);
    case 'links':
      if (match.links.length === 0) return new ConstantMapping('one', [[0, 1]], down.set.size, []);
      if (spec.kind === 'same' && areEqual(down, up)) return identity(down.set.size);
      return linked(spec, match.links, down, up);
  }
}

/** Equal schemes, resolved at one moment, have equal sets. */
function areEqual(down: ResolvedScheme, up: ResolvedScheme): boolean {
  return down.set.size === up.set.size && schemeFingerprint(down.scheme) === schemeFingerprint(up.scheme);
}

function identity(size: number): ResolvedMapping {
  return new ShiftMapping('one', size, size, { shift: 0, start: 0, end: 0 }, undefined);
}

function linked(spec: MappingSpec, links: readonly Link[], down: ResolvedScheme, up: ResolvedScheme): ResolvedMapping {
  const downDimensions = dimensionsOf(down);
  const upDimensions = dimensionsOf(up);
  const parts = links.map((link, index) => {
    const upLeaf = leafOf(up, upDimensions[index]!);
    if (link.down === undefined) return { mapping: chosen(link.spec, 1, upLeaf), from: undefined };
    const from = downDimensions.findIndex(({ name }) => name === link.down);
    return { mapping: follow(link.spec, leafOf(down, downDimensions[from]!), upLeaf), from };
  });
  const isPlain = !(down.set instanceof ProductSet) && !(up.set instanceof ProductSet) && parts[0]!.from === 0;
  return isPlain ? parts[0]!.mapping : new ProductMapping(specCardinality(spec), downDimensions, upDimensions, parts);
}

function dimensionsOf({ scheme, set }: ResolvedScheme): readonly ProductDimension[] {
  if (set instanceof ProductSet) return set.dimensions;
  return scheme === undefined ? [] : [{ name: '', set, stride: 1 }];
}

function leafOf({ scheme }: ResolvedScheme, { name, set }: ProductDimension): ResolvedScheme {
  const leaf: PartitionScheme | undefined = scheme?.kind === 'multi' ? scheme.dimensions[name] : scheme;
  return { scheme: leaf, set };
}

/** all, keys, latest: the same upstream partitions for each downstream one. */
function chosen(spec: LeafSpec, downSize: number, { scheme, set }: ResolvedScheme): ResolvedMapping {
  const missing = (keys: readonly string[]) => (spec.allowMissing ? [] : capMissing(keys));
  if (spec.kind === 'keys') {
    const keys = [...new Set(spec.keys.map((key) => canonicalKey(scheme, key)))];
    const ordinals = keys.map((key) => set.ordinalOf(key));
    const runs: [number, number][] = [];
    visitOrdinals(ordinals, (from, to) => runs.push([from, to]));
    return new ConstantMapping('many', runs, downSize, missing(keys.filter((_, index) => ordinals[index]! < 0)));
  }
  const from = spec.kind === 'latest' ? set.size - 1 : 0;
  if (set.size > 0) return new ConstantMapping(specCardinality(spec), [[from, set.size]], downSize, []);
  // All of nothing is nothing, but there has to be one that is the newest.
  const none = spec.kind === 'latest' ? missing(['any partition']) : [];
  return new ConstantMapping(specCardinality(spec), [], downSize, none);
}

/** same, within, window, previous: between two sets without dimensions that matchMapping found to fit. */
function follow(spec: LeafSpec, down: ResolvedScheme, up: ResolvedScheme): ResolvedMapping {
  const allowMissing = spec.allowMissing ?? false;
  const { set } = down;
  if (!(set instanceof TimeSet) || !(up.set instanceof TimeSet)) {
    return areEqual(down, up) ? identity(set.size) : new LookupMapping(set, up.set, allowMissing);
  }
  if (spec.kind === 'within') return new OverlapMapping(set, up.set, allowMissing);
  const { start, end } = spec.kind === 'window' || spec.kind === 'previous' ? spec : { start: 0, end: 0 };
  return new ShiftMapping(
    specCardinality(spec),
    set.size,
    up.set.size,
    { shift: set.shiftTo(up.set), start, end },
    // Before its first window an asset has no past, which is no error.
    allowMissing || spec.kind === 'previous' ? undefined : (ordinal, offset) => windowKeyNear(set, ordinal, offset),
  );
}
