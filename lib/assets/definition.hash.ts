// The hash of a definition: equal in every process that declares the same, whatever it is built or minified with.
import { hash } from 'node:crypto';
import { schemeFingerprint } from '../partitions/partitions.js';
import type { AssetDefinition } from './asset.definition.js';

/**
 * SHA-256 (hex) of all that is declared, as JSON with sorted names. Classes and functions count by the place where they
 * stand, not by what they are: their names do not survive a minifier.
 */
export function definitionHash(definition: Omit<AssetDefinition, 'hash'>): string {
  const { ioOptions, scheme, metadata, dependencies, resources } = definition;
  // The names of a definition itself stand in the order of definition.maker.ts; only what users name is sorted.
  const facts = {
    ...definition,
    target: undefined,
    ioOptions: canonical(ioOptions),
    scheme: schemeFingerprint(scheme),
    metadata: canonical(metadata),
    resources: Object.keys(resources).sort(),
    dependencies: dependencies
      .map((dependency) => ({ ...dependency, mapping: canonical(dependency.mapping) }))
      .sort((a, b) => (a.alias < b.alias ? -1 : 1)),
  };
  return hash('sha256', JSON.stringify(facts));
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
