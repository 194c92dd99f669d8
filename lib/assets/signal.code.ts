// What the class of a signal may say.
import type { AssetContext } from './asset.context.js';

/** Where the outside answers. */
export interface SignalCallback {
  /** Unguessable, of this wait only: whoever has it can answer. The same for every attempt at asking. */
  readonly token: string;
  /** After that it is refused. */
  readonly expiresAt: Date;
}

/** The methods of a signal, each of which may be left out. */
export interface SignalCode {
  /**
   * Tells the outside where to answer. It may be called again with the same token, where an attempt did not get so far as
   * to wait: tell it in a way that may come twice (`context.idempotencyKey`). An answer may come before it has returned.
   */
  request?(context: AssetContext, inputs: unknown, callback: SignalCallback): unknown;
  /** The value, by an instance of the declared class. Default: that itself. */
  onSignal?(context: AssetContext, inputs: unknown, payload: unknown): unknown;
  /** The value where nothing came in time. Default: it fails. */
  onTimeout?(context: AssetContext, inputs: unknown): unknown;
}

/** The methods that a class may have, by name. */
export const SIGNAL_METHODS = ['request', 'onSignal', 'onTimeout'] as const;
