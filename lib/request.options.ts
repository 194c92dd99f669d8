// How the options of a request are checked before anything is done: one that is misspelt must not be left out silently,
// since what is asked for without it is more, or something else. Which options there are stands beside their types.
import { isRecord, shown, type Expectation } from './assets/expectations.js';
import { FlowStoneError } from './flowstone.errors.js';
import { unknownName } from './graph/did-you-mean.js';

/** What is expected of each option. */
export type Expected<T> = { readonly [K in keyof T]-?: Expectation };

/** Of values that are read, and refused, where they are used. */
export const elsewhere: Expectation = () => undefined;

/**
 * @throws FlowStoneError FLOWSTONE_REQUEST_INVALID for an option that `method` does not have, a value it cannot have, or
 * one of `required` that is missing
 */
export function requireOptions<T extends object>(
  method: string,
  given: T,
  expected: Expected<T>,
  required: readonly (keyof T)[] = [],
): void {
  if (!isRecord(given)) throw invalid(`${method} takes its options as an object, not ${shown(given)}.`);
  const names = Object.keys(expected);
  const unknown = unknownName(given, names);
  if (unknown !== undefined) throw invalid(`${method} has no option ${unknown}: it has ${names.join(', ')}.`);
  for (const [name, expectation] of Object.entries<Expectation>(expected)) {
    const value = given[name];
    const isAbsent = value === undefined && !required.includes(name as keyof T);
    const problem = isAbsent ? undefined : expectation(value);
    if (problem !== undefined) throw invalid(`${name} of ${method} must be ${problem}, not ${shown(value)}.`);
  }
}

function invalid(message: string): FlowStoneError {
  return new FlowStoneError('FLOWSTONE_REQUEST_INVALID', message);
}

const UNSTORABLE = /[\0\p{Surrogate}]/u;

/** @throws FlowStoneError FLOWSTONE_REQUEST_INVALID where one of `texts`, which are `names`, is none that can be kept */
export function requireStorable(names: string, texts: readonly (string | undefined)[]): void {
  for (const text of texts) {
    if (text === undefined || (typeof text === 'string' && !UNSTORABLE.test(text))) continue;
    throw new FlowStoneError(
      'FLOWSTONE_REQUEST_INVALID',
      `${JSON.stringify(text)} cannot be stored: ${names} must be texts without NUL and without half surrogate pairs.`,
    );
  }
}
