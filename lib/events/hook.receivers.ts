// Notices of events on their way from the outbox to the hooks.
import { FlowStoneError } from '../flowstone.errors.js';
import type { HookLedger } from '../ledger/hooks.port.js';
import type { EventRecord, JsonObject } from '../ledger/records.js';
import type { NoticeReceiver } from '../outbox/receiver.port.js';
import { messageOf } from '../runs/failure.js';
import { eventOf, type FlowStoneEvent } from './event.js';
import { topicOf, type Hook } from './hook.js';

/** An event as JSON. */
export function noticeOf({ at, ...event }: FlowStoneEvent): JsonObject {
  return { ...event, at: at.toISOString() } as unknown as JsonObject;
}

function eventIn(payload: JsonObject): FlowStoneEvent | undefined {
  const record = payload as unknown as Omit<EventRecord, 'at'> & { readonly at: string };
  return eventOf({ ...record, at: new Date(record.at) });
}

/** One receiver for each hook, of a topic of its own: what processes without the hook neither send nor drop. */
export function hookReceivers(hooks: readonly Hook[], ledger: () => Pick<HookLedger, 'failed'>): NoticeReceiver[] {
  return hooks.map((hook) => ({
    topic: topicOf(hook),
    name: hook.name,
    limit: hook.limit,
    async send({ id, payload, attempt }, signal) {
      const event = eventIn(payload);
      // Of a kind that a newer version has posted: one of that takes it.
      if (!event)
        throw new Error(`Event ${JSON.stringify(payload['id'])} is of a kind that this version does not know.`);
      try {
        await hook.call(event, { id, attempt, signal });
      } catch (error) {
        if (!isFinal(error) && (hook.attempts === undefined || attempt < hook.attempts)) throw error;
        await giveUp(hook.name, event, attempt, error, ledger());
      }
    },
  }));
}

function isFinal(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === false;
}

/** It is told, and not tried again. That a hook failed at the failure of a hook would go on for ever: it is only thrown. */
async function giveUp(
  hook: string,
  event: FlowStoneEvent,
  attempts: number,
  cause: unknown,
  ledger: Pick<HookLedger, 'failed'>,
): Promise<never> {
  if (event.kind !== 'hook.failed') await ledger.failed({ hook, attempts, error: messageOf(cause), event });
  throw new FlowStoneError(
    'FLOWSTONE_HOOK_FAILED',
    `Hook ${hook} has failed at event ${event.id} (${event.kind}), which is not given to it any more after ${attempts} attempts: ${messageOf(cause)}`,
    { context: { hook, event: event.id, attempts }, cause },
  );
}
