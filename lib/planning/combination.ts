// What something is, or would be, computed from, so that it can be told whether that is the same as before.
import type { Combination } from '../ledger/automation.records.js';

/** @param inputs fingerprint of what is consumed (inputs-fingerprint.ts) */
export function combinationOf(
  { codeVersion, hash }: { readonly codeVersion: string | undefined; readonly hash: string },
  inputs: string,
): Combination {
  return { inputs, codeVersion: codeVersion ?? null, definition: hash };
}

export function isSameCombination(one: Combination, other: Combination): boolean {
  return one.inputs === other.inputs && one.codeVersion === other.codeVersion && one.definition === other.definition;
}
