// Whom an application tells of events, beside the hooks of its own classes; and the one that tells a webhook.
import type { AssetClass } from '../assets/asset.definition.js';
import { keyOf } from '../assets/asset.metadata.js';
import { isRecord, text } from '../assets/expectations.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { JsonObject } from '../ledger/records.js';
import { readWebhook, type WebhookOptions } from '../outbox/webhook.options.js';
import { Webhook } from '../outbox/webhook.js';
import type { FlowStoneEvent } from './event.js';
import { namesProblem, type EventName } from './event.names.js';
import type { Hook, HookDelivery } from './hook.js';
import { noticeOf } from './hook.receivers.js';

/**
 * Is told of every event that it names, at least once over all processes, in one that works. Give those of an application
 * to `forRoot({ notify: [...] })`.
 */
export interface EventNotifier {
  /** Its own among all notifiers, and the same in every process: what it was told is kept under it. */
  readonly name: string;
  readonly events: readonly EventName[];
  /** Only of these assets; left out: of whatever events are about. */
  readonly assets?: readonly (AssetClass | string)[];
  /**
   * Resolves once it is told. What it throws has it told again later, for as long as the outbox keeps that, unless that has
   * a property `retryable: false`.
   */
  notify(event: FlowStoneEvent, delivery: HookDelivery): Promise<void>;
}

/** Where events are sent, which, and what that is called. */
export interface EventWebhookOptions extends WebhookOptions, Pick<EventNotifier, 'events' | 'assets'> {
  /** Default `webhook`. Needed where there are several. */
  readonly name?: string;
}

/**
 * POSTs each event as signed JSON, `{ id, topic: 'event', event: { id, at, kind, run, ... } }`. The receiver checks it by
 * `verifyWebhook` (docs/outbox.md).
 * @throws FlowStoneError FLOWSTONE_OPTIONS_INVALID
 */
export function webhookNotifier({ name = 'webhook', events, assets, ...options }: EventWebhookOptions): EventNotifier {
  const webhook = new Webhook(targetOf(options));
  return {
    name,
    events,
    ...(assets && { assets }),
    async notify(event, { id, signal }) {
      const content: JsonObject = { topic: 'event', event: noticeOf(event) };
      await webhook.send(id, content, signal);
    },
  };
}

function targetOf(options: WebhookOptions): ReturnType<typeof readWebhook> {
  try {
    return readWebhook(options);
  } catch (error) {
    const problem = `webhookNotifier() must be ${(error as Error).message}`;
    throw new FlowStoneError('FLOWSTONE_OPTIONS_INVALID', `Correct the options: ${problem}.`, {
      context: { problems: [problem] },
      cause: error,
    });
  }
}

/** The option `notify` of forRoot(). Throws a TypeError that completes "notify must be". */
export function readNotifiers(given: unknown): readonly EventNotifier[] {
  if (!Array.isArray(given)) throw new TypeError('a list of notifiers, such as webhookNotifier({ ... })');
  const names = new Set<string>();
  for (const notifier of given as unknown[]) {
    if (!isRecord(notifier) || text(notifier['name']) !== undefined || typeof notifier['notify'] !== 'function')
      throw new TypeError('a list of notifiers, each with a name, events and notify()');
    const { name, events, assets } = notifier as { name: string; events: unknown; assets?: unknown };
    const unnamed = namesProblem(events);
    if (unnamed !== undefined) throw new TypeError(`such that the events of '${name}' are ${unnamed}`);
    const isListed = (asset: unknown): boolean => typeof asset === 'function' || text(asset) === undefined;
    if (assets !== undefined && !(Array.isArray(assets) && assets.every(isListed)))
      throw new TypeError(`such that the assets of '${name}' are a list of asset classes or keys`);
    if (names.has(name)) throw new TypeError(`such that each has a name of its own, and there are two '${name}'`);
    names.add(name);
  }
  return given as readonly EventNotifier[];
}

export function hookOfNotifier(notifier: EventNotifier): Hook {
  const { name, events, assets } = notifier;
  return {
    name: `notifier ${name}`,
    events,
    assets: assets?.map((asset) => (typeof asset === 'string' ? asset : keyOf(asset))),
    attempts: undefined,
    call: (event, delivery) => notifier.notify(event, delivery),
  };
}
