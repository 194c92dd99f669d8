// What is expected of values that options and requests are given, and how a message shows one that is none.
import { EXPECTED_DURATION, readDuration } from './duration.js';

/** Says what is expected of a value, or nothing where it is fine. */
export type Expectation = (value: unknown) => string | undefined;

export const text: Expectation = (value) =>
  typeof value === 'string' && value !== '' ? undefined : 'a non-empty string';

export const texts: Expectation = (value) =>
  Array.isArray(value) && value.every((item) => text(item) === undefined) ? undefined : 'a list of non-empty strings';

export const flag: Expectation = (value) => (typeof value === 'boolean' ? undefined : 'true or false');

export const whole: Expectation = (value) => (Number.isSafeInteger(value) ? undefined : 'a whole number');

export const wholeFrom =
  (least: number, most = 1_000_000): Expectation =>
  (value) => {
    const fits = Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
    return fits ? undefined : `a whole number from ${least} to ${most}`;
  };

export const oneOf = (...words: readonly string[]): Expectation => {
  const quoted = words.map((word) => `'${word}'`);
  const first = quoted.slice(0, -1).join(', ');
  const expected = first === '' ? quoted[0] : `${first} or ${quoted.at(-1)}`;
  return (value) => (words.includes(value as string) ? undefined : expected);
};

export const duration: Expectation = (value) =>
  readDuration(value) === undefined ? `a duration: ${EXPECTED_DURATION}` : undefined;

/** A value, as a message shows it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return 'a list that does not fit';
  return typeof value === 'object' && value !== null ? 'an object that does not fit' : String(value);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isJson(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  const plain = isRecord(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value));
  return plain && Object.values(value).every(isJson);
}
