// What an application says of events, its defaults, and what is wrong with it.
import { unknownName } from '../graph/did-you-mean.js';

/** How events of other processes are heard of (docs/events.md). */
export interface EventOptions {
  /** Whether to listen to them on a connection of its own. Default `true`. */
  readonly listen?: boolean;
}

/** The same with every default filled in. */
export type Events = Required<EventOptions>;

export const DEFAULT_EVENTS: Events = { listen: true };

/** The option `events` of forRoot(). Throws a TypeError that completes "events must be". */
export function readEvents(given: unknown): Events {
  if (typeof given !== 'object' || given === null) throw new TypeError('an object of listen');
  const unknown = unknownName(given, Object.keys(DEFAULT_EVENTS));
  if (unknown !== undefined) throw new TypeError(`without ${unknown}: it has listen`);
  const { listen = DEFAULT_EVENTS.listen } = given as { readonly listen?: unknown };
  if (typeof listen !== 'boolean') throw new TypeError('such that listen is true or false');
  return { listen };
}
