// Notices as signed webhooks: JSON by POST, by which the receiver tells who sent it, when, and whether it had it before.
import { FlowStoneError } from '../flowstone.errors.js';
import type { JsonObject } from '../ledger/records.js';
import { post, type Answer, type Resolve } from './post.js';
import type { WebhookTarget } from './webhook.options.js';
import { DELIVERY_HEADER, SIGNATURE_HEADER, signatureOf, TIMESTAMP_HEADER } from './webhook.signature.js';

const GONE = 410;

export class Webhook {
  /** @param resolve all addresses of a name; default: as the system has it */
  constructor(
    private readonly target: WebhookTarget,
    private readonly resolve?: Resolve,
  ) {}

  /**
   * Sends `{ id, ...content }`, once.
   * @param id the same for every repetition (Delivery.id)
   * @throws FlowStoneError FLOWSTONE_WEBHOOK_FAILED, FLOWSTONE_ADDRESS_REFUSED; FLOWSTONE_WEBHOOK_GONE, which is final
   */
  async send(id: string, content: JsonObject, signal: AbortSignal): Promise<void> {
    const { url, secret, policy, headers, timeout: timeLimit } = this.target;
    const body = JSON.stringify({ ...content, id });
    // Of this host: the receiver compares it with a clock of its own.
    const timestamp = Math.floor(Date.now() / 1000);
    const signed = {
      'content-type': 'application/json',
      'user-agent': 'flowstone',
      ...headers,
      [DELIVERY_HEADER]: id,
      [TIMESTAMP_HEADER]: String(timestamp),
      [SIGNATURE_HEADER]: signatureOf(secret, timestamp, body),
    };
    const request = { url, headers: signed, body, timeLimit, signal, policy, resolve: this.resolve };
    const { status, text } = await post(request).catch((error: unknown) => {
      throw error instanceof FlowStoneError ? error : this.#failed((error as Error).message, error);
    });
    this.#judge({ status, text });
  }

  #judge({ status, text }: Answer): void {
    if (status >= 200 && status < 300) return;
    const { host } = this.target.url;
    if (status === GONE) {
      throw new FlowStoneError(
        'FLOWSTONE_WEBHOOK_GONE',
        `The webhook at ${host} is gone (410). Take it out of the configuration.`,
        { context: { host } },
      );
    }
    const redirect = status >= 300 && status < 400 ? '; redirects are not followed' : '';
    throw this.#failed(`it answered ${status}${redirect}${text && `: ${text.slice(0, 200)}`}`);
  }

  /** Without the path of the URL, in which there may be secrets. */
  #failed(reason: string, cause?: unknown): FlowStoneError {
    const { host } = this.target.url;
    return new FlowStoneError('FLOWSTONE_WEBHOOK_FAILED', `The webhook at ${host} did not take a notice: ${reason}`, {
      context: { host },
      cause,
    });
  }
}
