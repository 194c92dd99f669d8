// Partition keys as text: how several dimensions become one string and back, and what text can be stored.
// What keys a scheme has is in partition-set.ts.
import { Buffer } from 'node:buffer';

/** What callers may pass for a partition: its key, an instant within its window, or one of these per dimension. */
export type PartitionKeyInput = string | Date | Readonly<Record<string, string | Date>>;

/** The key of the only partition of an unpartitioned asset. */
export const WHOLE = '';

/** Longest key in bytes of UTF-8: what a PostgreSQL index entry holds, with room for the asset's key beside it. */
const MAX_KEY_BYTES = 2000;

const SEPARATOR = '|';
const ESCAPE = '\\';

/**
 * One canonical string for several parts: joined by `|`, with `\` before each `|` and `\` of a part. Different lists of
 * the same length never give the same string, whatever the parts hold. Throws RangeError for an empty list.
 */
export function encodeDimensions(parts: readonly string[]): string {
  if (parts.length === 0) throw new RangeError('a partition key needs at least one dimension');
  return parts.map((part) => part.replace(/[\\|]/g, '\\$&')).join(SEPARATOR);
}

/**
 * The parts {@link encodeDimensions} was given, or undefined where `key` is not such a string of `count` parts.
 */
export function decodeDimensions(key: string, count: number): string[] | undefined {
  const parts: string[] = [];
  let part = '';
  for (let i = 0; i < key.length; i++) {
    const character = key[i]!;
    if (character === SEPARATOR) {
      parts.push(part);
      part = '';
    } else if (character === ESCAPE) {
      const escaped = key[++i];
      if (escaped !== SEPARATOR && escaped !== ESCAPE) return undefined;
      part += escaped;
    } else {
      part += character;
    }
  }
  parts.push(part);
  return parts.length === count ? parts : undefined;
}

/** Why this text cannot be kept unchanged by the ledger, or undefined where it can. */
export function keyTextProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'it contains the character NUL, which PostgreSQL cannot store';
  if (/\p{Surrogate}/u.test(text)) return 'it contains half a surrogate pair, which is no Unicode text';
  if (Buffer.byteLength(text) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes`;
  return undefined;
}
