// The door to mappings: which upstream partitions one downstream partition consumes, and the reverse.
// Specs and user-made mappings are in mapping-spec.ts, their fit to schemes in mapping-match.ts, to sets in resolve-mapping.ts.
import { matchMapping } from './mapping-match.js';
import { type Cardinality, type MappingSpec, specCardinality } from './mapping-spec.js';
import type { PartitionScheme } from './partition-scheme.js';

export {
  type Cardinality,
  type DimensionMapping,
  mapping,
  mappingLooksBack,
  type MappingFunctions,
  type MappingSpec,
  type PartitionInfo,
  type PartitionMapping,
} from './mapping-spec.js';
export { resolveMapping, type ResolvedMapping } from './resolve-mapping.js';

/**
 * Why the spec cannot hold between these schemes, or undefined where it can; the text names what to write instead. Both
 * schemes have to be valid themselves (`schemeProblems`).
 */
export function mappingProblem(
  spec: MappingSpec,
  down: PartitionScheme | undefined,
  up: PartitionScheme | undefined,
): string | undefined {
  const match = matchMapping(spec, down, up);
  return typeof match === 'string' ? match : undefined;
}

/** Whether the spec names exactly one upstream partition. It follows from the spec: input types cannot see schemes. */
export function mappingCardinality(
  spec: MappingSpec,
  _down: PartitionScheme | undefined,
  _up: PartitionScheme | undefined,
): Cardinality {
  return specCardinality(spec);
}
