// What people are told of sending: that a receiver takes nothing, not of every notice that it did not take.
import type { ContextLogger } from '../assets/asset.context.js';
import type { DroppedNotice } from '../ledger/outbox.port.js';
import { messageOf } from '../runs/failure.js';
import type { OutboxNews } from './outbox.sender.js';
import type { Delivery, NoticeReceiver } from './receiver.port.js';

/** Of a receiver that takes nothing it is told again after so long, ms. */
const REMIND = 60_000;

interface Trouble {
  /** Since it last took one; undefined: it has since it was told of. */
  since: number | undefined;
  told: number;
}

export class SendingLog implements OutboxNews {
  readonly #troubles = new Map<NoticeReceiver, Trouble>();

  /**
   * @param outage hears that the ledger cannot be reached
   * @param broken hears of anything else that keeps the outbox from being read
   */
  constructor(
    private readonly logger: Pick<ContextLogger, 'log' | 'warn' | 'error'>,
    readonly outage: (error: unknown) => void,
    readonly broken: (error: unknown) => void,
  ) {}

  failed(receiver: NoticeReceiver, error: unknown): void {
    const now = performance.now();
    let trouble = this.#troubles.get(receiver);
    if (!trouble) this.#troubles.set(receiver, (trouble = { since: undefined, told: -Infinity }));
    trouble.since ??= now;
    if (now - trouble.told < REMIND) return;
    trouble.told = now;
    this.logger.warn(`${nameOf(receiver)} did not take a notice, which is sent again later: ${messageOf(error)}`);
  }

  sent(receiver: NoticeReceiver): void {
    const trouble = this.#troubles.get(receiver);
    if (trouble?.since === undefined) return;
    this.logger.log(
      `${nameOf(receiver)} takes notices again, after ${((performance.now() - trouble.since) / 1000).toFixed(1)} s.`,
    );
    trouble.since = undefined;
  }

  givenUp(receiver: NoticeReceiver, { id }: Delivery, error: unknown): void {
    this.logger.warn(`${nameOf(receiver)} will never take notice ${id}, and does not get it: ${messageOf(error)}`);
  }

  dropped(notices: readonly DroppedNotice[]): void {
    const topics = [...new Set(notices.map(({ topic }) => topic))].join(', ');
    this.logger.error(
      `${notices.length} notices (${topics}) could not be sent for as long as they are kept, and are dropped; the first is of ${notices[0]!.createdAt.toISOString()}.`,
    );
  }
}

function nameOf({ topic, name }: NoticeReceiver): string {
  return `Receiver '${name}' (${topic})`;
}
