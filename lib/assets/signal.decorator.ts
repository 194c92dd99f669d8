// @Signal: declares a class as a node of the graph that waits for the outside world.
import { Injectable } from '@nestjs/common';
import type { AssetClass, Modification } from './asset.definition.js';
import { markAsset, markCheckpoint } from './asset.metadata.js';
import type { ModificationValue } from './checkpoint.code.js';
import { splitOptions } from './checkpoint.options.js';
import type { SignalOptions } from './signal.options.js';
import type { SignalAsset } from './signal.value.js';

type Payload<O> = O extends { readonly payload: infer M } ? ModificationValue<M> : never;

/** A class that can take what `payload` declares: by its `onSignal`, or as its value. */
type Receiving<C, O> = C extends abstract new (...args: never[]) => infer I
  ? I extends { onSignal: (context: never, inputs: never, payload: infer P) => unknown }
    ? [Payload<O>] extends [P]
      ? unknown
      : { readonly 'onSignal does not take what payload declares': Payload<O> }
    : I extends SignalAsset<infer T>
      ? [Payload<O>] extends [T]
        ? unknown
        : { readonly 'what payload declares is no value of the signal': Payload<O> }
      : { readonly 'a signal extends SignalAsset': Payload<O> }
  : never;

/**
 * Declares a class as a signal: an asset that extends `SignalAsset<T>`, whose value comes from outside, once. When it is its
 * turn, its `request(context, inputs, callback)` tells the outside where to answer; then it waits, without a worker, until
 * `flowstone.signals.deliver(token, payload)` is called with the token of that callback. The payload, validated by the class
 * that `payload` names, is its value, or what its `onSignal` makes of it. Dependencies as for assets.
 */
export function Signal<const O extends SignalOptions & { readonly payload: Modification }>(
  options: O,
): <C extends AssetClass>(target: C & Receiving<C, O>) => void {
  return (target) => {
    Injectable()(target);
    const { payload, ...others } = options as SignalOptions;
    const { decision, asset } = splitOptions(others);
    markAsset(target, asset);
    markCheckpoint(target, { ...decision, modification: payload, signal: true });
  };
}
