// The hash of a definition: equal in every process that declares the same, whatever it is built or minified with.
import { hash } from 'node:crypto';
import { schemeFingerprint } from '../partitions/partitions.js';
import type { AssetDefinition, DependencyDefinition } from './asset.definition.js';

/**
 * SHA-256 (hex) of all that is declared, as JSON with sorted names. Classes and functions count by the place where they
 * stand, not by what they are: their names do not survive a minifier. What a class among the options of an I/O manager
 * says is in `ioFacts`.
 */
export function definitionHash(definition: Omit<AssetDefinition, 'hash'>): string {
  const { ioFacts, scheme, metadata, dependencies, resources } = definition;
  // By place, since a list is cheaper than a copy of the definition, and an application may have ten thousand.
  const facts = [
    definition.key,
    definition.external,
    definition.description,
    definition.group,
    definition.owners,
    definition.tags,
    definition.kinds,
    definition.io,
    canonical(ioFacts),
    schemeFingerprint(scheme),
    definition.codeVersion,
    definition.retry,
    definition.timeout,
    definition.batchSize,
    definition.checkpoint,
    definition.automation,
    definition.pool,
    definition.priority,
    definition.keep,
    canonical(metadata),
    definition.formerly,
    dependencies.map(dependencyFacts).sort(([a], [b]) => (a < b ? -1 : 1)),
    Object.keys(resources).sort(),
    ...(definition.checks.length > 0 ? [definition.checks] : []),
    ...(definition.freshness ? [definition.freshness] : []),
  ];
  return hash('sha256', JSON.stringify(facts));
}

function dependencyFacts({
  alias,
  upstream,
  mapping,
  optional,
  ordering,
  columns,
}: DependencyDefinition): [string, ...unknown[]] {
  return [alias, upstream, canonical(mapping), optional, ordering, columns];
}

function canonical(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return '[function]';
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(canonical);
  if (value instanceof Date) return value.toISOString();
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return '[object]';
  const sorted: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const name of Object.keys(value).sort()) sorted[name] = canonical((value as Record<string, unknown>)[name]);
  return sorted;
}
