// From what callers pass to the canonical key of a scheme. Whether such a partition exists is for partition-set.ts to say.
import { FlowStoneError } from '../flowstone.errors.js';
import { partNames } from './partition-dimensions.js';
import { decodeDimensions, encodeDimensions, keyTextProblem, type PartitionKeyInput, WHOLE } from './partition-key.js';
import type { CustomKey, CustomKeysContext, CustomScheme, PartitionScheme, SingleScheme } from './partition-scheme.js';
import { isTimeScheme } from './partition-scheme.js';
import { timeKeyForm, timeKeyNear, timeKeyProblem } from './time-key.js';

/**
 * The canonical key of what a caller passed: a key as it is, an instant as the key of the window that holds it, a record as the
 * key of its dimensions. Only the form is checked: keys that no longer exist, or not yet, are keys too.
 * Throws FLOWSTONE_PARTITION_KEY_INVALID, which says what the scheme expects.
 */
export function canonicalKey(scheme: PartitionScheme | undefined, input: PartitionKeyInput): string {
  const key = toKey(scheme, input);
  const problem = keyTextProblem(key);
  if (problem) throw invalid(scheme, input, problem);
  return key;
}

/**
 * The canonical keys a custom scheme's function returns now, for `PartitionMoment.customKeys`. Rejects with
 * FLOWSTONE_PARTITION_KEY_INVALID for what cannot be a key, and with what the function throws. Once nobody waits for them
 * any more (`signal`) it takes no more.
 */
export async function customKeys(
  scheme: CustomScheme,
  context: CustomKeysContext,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const item of await scheme.compute(context)) {
    if (signal?.aborted) break;
    keys.push(customKey(scheme, item));
  }
  return keys;
}

function customKey(scheme: CustomScheme, item: CustomKey): string {
  if (!isTuple(item)) return canonicalKey(scheme, item);
  if (item.length !== scheme.dimensions.length) throw invalid(scheme, item, 'it has not as many parts');
  return canonicalKey(scheme, Object.fromEntries(scheme.dimensions.map((name, index) => [name, item[index]!])));
}

function isTuple(item: CustomKey): item is readonly string[] {
  return Array.isArray(item);
}

function toKey(scheme: PartitionScheme | undefined, input: PartitionKeyInput): string {
  if (scheme === undefined) {
    if (input === WHOLE) return WHOLE;
    throw invalid(scheme, input, 'there is only the whole');
  }
  const names = partNames(scheme);
  if (names.length > 0) return dimensionsKey(scheme, names, input);
  if (isTimeScheme(scheme) && input instanceof Date) {
    const key = Number.isNaN(input.getTime()) ? undefined : timeKeyNear(scheme, input.getTime(), 0);
    if (key === undefined) throw invalid(scheme, input, 'it is no date of the years 1 to 9990');
    return key;
  }
  if (typeof input !== 'string') throw invalid(scheme, input, 'it is no text');
  const problem = isTimeScheme(scheme) ? timeKeyProblem(scheme, input) : undefined;
  if (problem) throw invalid(scheme, input, problem);
  return input;
}

function dimensionsKey(scheme: PartitionScheme, names: readonly string[], input: PartitionKeyInput): string {
  const parts = typeof input === 'string' ? decodeDimensions(input, names.length) : partsOf(names, input);
  if (!parts) throw invalid(scheme, input, 'its dimensions are not these');
  const keys = parts.map((part, index) => {
    const dimension = dimensionScheme(scheme, names[index]!);
    if (dimension) return canonicalKey(dimension, part);
    if (typeof part !== 'string') throw invalid(scheme, input, `dimension '${names[index]!}' is no text`);
    return part;
  });
  return encodeDimensions(keys);
}

function partsOf(names: readonly string[], input: Exclude<PartitionKeyInput, string>): (string | Date)[] | undefined {
  if (input === null || typeof input !== 'object' || input instanceof Date) return undefined;
  const hasThese = Object.keys(input).length === names.length && names.every((name) => Object.hasOwn(input, name));
  return hasThese ? names.map((name) => input[name]!) : undefined;
}

function dimensionScheme(scheme: PartitionScheme, name: string): SingleScheme | undefined {
  return scheme.kind === 'multi' ? scheme.dimensions[name] : undefined;
}

/** What a key of the scheme looks like, for messages. */
function keyForm(scheme: PartitionScheme | undefined): string {
  if (scheme === undefined) return 'no partition: the asset is not partitioned';
  if (isTimeScheme(scheme)) return timeKeyForm(scheme);
  const names = partNames(scheme);
  return names.length > 0 ? `a record of the dimensions ${names.join(', ')}, or their encoded key` : 'a key as text';
}

function invalid(scheme: PartitionScheme | undefined, input: unknown, why: string): FlowStoneError {
  const shown = input instanceof Date && Number.isNaN(input.getTime()) ? 'Invalid Date' : JSON.stringify(input);
  return new FlowStoneError(
    'FLOWSTONE_PARTITION_KEY_INVALID',
    `${shown} is no partition key here: ${why}; pass ${keyForm(scheme)}`,
    { context: { partition: shown, scheme: scheme?.kind ?? null } },
  );
}
