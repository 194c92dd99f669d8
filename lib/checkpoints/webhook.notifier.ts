// Telling a webhook of approvals, signed (docs/outbox.md).
import { FlowStoneError } from '../flowstone.errors.js';
import type { JsonObject } from '../ledger/records.js';
import { readWebhook, type WebhookOptions } from '../outbox/webhook.options.js';
import { Webhook } from '../outbox/webhook.js';
import { ApprovalNotifier, type ApprovalNotice } from './approval.notifier.js';

/** Where it is sent, and what it is called among the notifiers. */
export interface WebhookNotifierOptions extends WebhookOptions {
  /** Default `webhook`. Needed where there are several. */
  readonly name?: string;
}

/**
 * POSTs each notice of an approval as signed JSON, `{ id, topic: 'approval', kind, at, actor, detail, notify, approval }`;
 * the values that it is about are not sent. Provide an instance in any module. The receiver checks it by `verifyWebhook`.
 * @throws FlowStoneError FLOWSTONE_OPTIONS_INVALID
 */
export class WebhookNotifier extends ApprovalNotifier {
  readonly #name: string;
  readonly #webhook: Webhook;

  constructor({ name = 'webhook', ...options }: WebhookNotifierOptions) {
    super();
    this.#name = name;
    this.#webhook = new Webhook(targetOf(options));
  }

  override get name(): string {
    return this.#name;
  }

  override async notify({ id, at, ...notice }: ApprovalNotice, signal: AbortSignal): Promise<void> {
    const content = JSON.parse(JSON.stringify({ topic: 'approval', at, ...notice })) as JsonObject;
    await this.#webhook.send(id, content, signal);
  }
}

function targetOf(options: WebhookOptions): ReturnType<typeof readWebhook> {
  try {
    return readWebhook(options);
  } catch (error) {
    const problem = `a WebhookNotifier must be ${(error as Error).message}`;
    throw new FlowStoneError('FLOWSTONE_OPTIONS_INVALID', `Correct the options: ${problem}.`, {
      context: { problems: [problem] },
      cause: error,
    });
  }
}
