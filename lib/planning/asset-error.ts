// Errors of the partitions room know no asset: here they get its name.

import { FlowStoneError } from '../flowstone.errors.js';

/** Runs `act`; a FlowStoneError it throws is thrown again with the asset in message and context. */
export function inAsset<T>(asset: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof FlowStoneError)) throw error;
    const details = { context: { ...error.context, asset }, cause: error };
    throw new FlowStoneError(error.code, `asset ${asset}: ${error.message}`, details);
  }
}
