// Notices of approvals on their way from the outbox to the notifiers.
import type { ApprovalLedger } from '../ledger/approvals.port.js';
import type { ApprovalActKind, JsonObject } from '../ledger/records.js';
import type { NoticeReceiver } from '../outbox/receiver.port.js';
import type { ApprovalNotifier } from './approval.notifier.js';

/** What the ledger writes into the outbox of each act. */
interface Posted {
  readonly approval: number;
  readonly kind: ApprovalActKind;
  readonly actor: string | null;
  readonly detail: JsonObject | null;
  readonly notify: readonly string[];
  readonly at: string;
}

/** One receiver for each notifier. */
export function approvalReceivers(
  notifiers: readonly ApprovalNotifier[],
  ledger: () => Pick<ApprovalLedger, 'approval'>,
): NoticeReceiver[] {
  return notifiers.map((notifier) => ({
    topic: 'approval',
    name: notifier.name,
    async send({ id, payload }, signal) {
      const { approval: number, at, ...act } = payload as unknown as Posted;
      const approval = await ledger().approval(number);
      // Retention has removed it since: there is nobody to be told.
      if (approval) await notifier.notify({ id, ...act, at: new Date(at), approval }, signal);
    },
  }));
}
