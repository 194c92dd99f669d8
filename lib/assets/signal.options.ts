// What `@Signal` takes beside what every asset takes.
import type { Modification } from './asset.definition.js';
import type { KnownAssetOptions } from './asset.options.js';
import type { Duration } from './duration.js';

export interface SignalOptions extends Omit<KnownAssetOptions, 'timeout' | 'batch' | 'external'> {
  /** What comes from outside: a class with decorators of class-validator, or a list with one. */
  readonly payload: Modification;
  /** How long it is waited for. Then `onTimeout`, or it fails (FLOWSTONE_CHECKPOINT_TIMED_OUT). */
  readonly timeout: Duration;
  /** Whether another data version of an input makes the request void: then there is another one. Default true. */
  readonly pinInputs?: boolean;
  /** Of the I/O manager. */
  readonly [managerOption: string]: unknown;
}
