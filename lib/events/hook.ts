// A hook: something that must hear of every event it names, and how it is known to the ledger.
import type { FlowStoneEvent } from './event.js';
import { isNamed, type EventName } from './event.names.js';

/** How an event comes to a hook. */
export interface HookDelivery {
  /** The same whenever this event is given to this hook again, and no other's: by it repetitions are told. */
  readonly id: string;
  /** 1 for the first time. */
  readonly attempt: number;
  /** Aborted when the hook is to give up: its time is over, or the application closes. */
  readonly signal: AbortSignal;
}

export interface Hook {
  /** Its own, and the same in every process and version: its place in the log is kept under it. */
  readonly name: string;
  readonly events: readonly EventName[];
  /** Keys of assets; undefined: whatever it is about. */
  readonly assets: readonly string[] | undefined;
  /** So often an event is given to it at most; undefined: for as long as the outbox keeps it. */
  readonly attempts: number | undefined;
  /** What it may take for one event, ms, where that is more than usual. */
  readonly limit?: number;
  call(event: FlowStoneEvent, delivery: HookDelivery): Promise<void>;
}

/** Whether the hook wants the event. */
export function isFor(hook: Hook, event: FlowStoneEvent): boolean {
  if (!isNamed(hook.events, event)) return false;
  return hook.assets === undefined || (event.asset !== null && hook.assets.includes(event.asset));
}

/** Under which topic of the outbox it is told. */
export function topicOf({ name }: Hook): string {
  return `hook ${name}`;
}
