// Events to a server, one after the other, over connections that are kept.
import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { FlowStoneError } from '../flowstone.errors.js';
import type { JsonObject } from '../ledger/records.js';
import { post } from '../outbox/post.js';
import type { EventTransport } from './attempt.events.js';

/** For one event, ms. */
const TIME_LIMIT = 10_000;
/** By these the server says of an event that it will never take it. */
const UNFIT = new Set([400, 413, 422]);
/** Notices of which it is kept in mind how far they came. */
const MOST_BEGUN = 1000;

export class HttpTransport implements EventTransport {
  readonly #agent: Agent;
  /** How many events of a notice that failed the server has taken. */
  readonly #begun = new Map<string, number>();

  /** @param refused is told of an event that the server does not take; the others go on */
  constructor(
    private readonly url: URL,
    private readonly headers: Readonly<Record<string, string>>,
    private readonly refused: (message: string) => void,
  ) {
    this.#agent = url.protocol === 'https:' ? new SecureAgent({ keepAlive: true }) : new Agent({ keepAlive: true });
  }

  async send(id: string, events: readonly JsonObject[], signal: AbortSignal): Promise<void> {
    for (let at = this.#begun.get(id) ?? 0; at < events.length; at++) {
      await this.#post(events[at]!, signal);
      this.#begun.delete(id);
      this.#begun.set(id, at + 1);
    }
    this.#begun.delete(id);
    const [oldest] = this.#begun.keys();
    if (this.#begun.size > MOST_BEGUN) this.#begun.delete(oldest!);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #post(event: JsonObject, signal: AbortSignal): Promise<void> {
    const headers = { 'content-type': 'application/json', 'user-agent': 'flowstone', ...this.headers };
    const { status, text } = await post({
      ...{ url: this.url, headers, body: JSON.stringify(event), timeLimit: TIME_LIMIT, signal },
      agent: this.#agent,
    }).catch((error: unknown) => {
      throw this.#failed((error as Error).message, error);
    });
    if (status >= 200 && status < 300) return;
    const said = `it answered ${status}${text && `: ${text.slice(0, 200)}`}`;
    if (!UNFIT.has(status)) throw this.#failed(said);
    this.refused(`The OpenLineage server at ${this.url.host} does not take an event, which is left out: ${said}`);
  }

  #failed(reason: string, cause?: unknown): FlowStoneError {
    const { host } = this.url;
    return new FlowStoneError(
      'FLOWSTONE_OPENLINEAGE_FAILED',
      `The OpenLineage server at ${host} took no event: ${reason}`,
      { context: { host }, cause },
    );
  }
}
