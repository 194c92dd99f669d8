// @Checkpoint: declares a class as a node of the graph that may wait for a decision by people.
import { Injectable } from '@nestjs/common';
import type { AssetClass } from './asset.definition.js';
import { markAsset, markCheckpoint } from './asset.metadata.js';
import type { TakesModification } from './checkpoint.code.js';
import { splitOptions, type CheckpointOptions } from './checkpoint.options.js';

/** A class that can take what `modification` declares: by its `onModify`, or as its value. */
type Deciding<C, O> = C extends abstract new (...args: never[]) => infer I
  ? TakesModification<I, O extends { readonly modification: infer M } ? M : undefined>
  : never;

/**
 * Declares a class as a checkpoint: an asset whose value people decide upon. Its methods are those of `CheckpointCode`:
 * `condition` says whether to ask, `onApprove`, `onModify`, `onReject` and `onTimeout` what comes of the answer. By one of
 * the first two the compiler knows its value; without `condition` it always asks, without `onApprove` its only input is
 * passed through. Dependencies as for assets. While it waits it has no worker.
 */
export function Checkpoint<const O extends CheckpointOptions>(
  options?: O,
): <C extends AssetClass>(target: C & Deciding<C, O>) => void {
  return (target) => {
    Injectable()(target);
    const { decision, asset } = splitOptions(options ?? {});
    markAsset(target, asset);
    markCheckpoint(target, decision);
  };
}
