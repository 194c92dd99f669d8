// What goes to PostgreSQL and what comes back: parsers of our own, and JSON that jsonb accepts.
import type { CustomTypesConfig } from 'pg';

const asIs = (text: string): string => text;

const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [16, (text) => text === 't'],
  [20, Number],
  [21, Number],
  [23, Number],
  [701, Number],
  [114, (text) => JSON.parse(text)],
  [3802, (text) => JSON.parse(text)],
  [1016, (text) => (text === '{}' ? [] : text.slice(1, -1).split(',').map(Number))],
  [1184, (text) => new Date(text)],
]);

/** Parsers for our statements only: what the host sets globally does not matter, and is not changed. */
export const LEDGER_TYPES: CustomTypesConfig = {
  getTypeParser: ((oid: number) => PARSERS.get(oid) ?? asIs) as CustomTypesConfig['getTypeParser'],
};

/** Values of any type as PostgreSQL's text. */
export const TEXT_TYPES: CustomTypesConfig = {
  getTypeParser: (() => asIs) as CustomTypesConfig['getTypeParser'],
};

// NUL and lone surrogates are valid in JavaScript and JSON, but not in PostgreSQL's text.
const UNSTORABLE = /[\0\p{Surrogate}]/gu;
const MAYBE_UNSTORABLE = /\\u(?:0000|d[89a-f])/i;

/** A text PostgreSQL can store: what it cannot becomes U+FFFD. */
export function storable(text: string): string {
  return text.replace(UNSTORABLE, '\ufffd');
}

/** An array parameter of numbers, none of them null, in PostgreSQL's format; the driver would quote each by itself. */
export function numbers(values: readonly number[]): string {
  return `{${values.join(',')}}`;
}

/** JSON for a json or jsonb parameter. */
export function json(value: unknown): string {
  const text = JSON.stringify(value);
  // Looked for by itself first, since that is many times faster and next to no text has any.
  if (!text.includes('\\u') || !MAYBE_UNSTORABLE.test(text)) return text;
  return JSON.stringify(JSON.parse(text), (_name, part: unknown) => storableJson(part));
}

function storableJson(part: unknown): unknown {
  if (typeof part === 'string') return storable(part);
  if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
  return Object.fromEntries(Object.entries(part).map(([name, value]) => [storable(name), value]));
}
