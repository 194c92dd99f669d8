// Notices of attempts as OpenLineage events, on their way to a server or a file. Only numbers stand in a notice; what is told
// of them is read when it is sent.
import type { Ledger } from '../ledger/ledger.port.js';
import { ATTEMPTS, type AttemptNotice } from '../ledger/outbox.port.js';
import type { ConsumedInput, JsonObject, MaterializationRecord, RemovedInput } from '../ledger/records.js';
import type { Delivery, NoticeReceiver } from '../outbox/receiver.port.js';
import { runEvent, type AttemptFacts, type Setting } from './run-event.js';

/** Takes events. */
export interface EventTransport {
  /** @param id of the notice that they are of: the same when they are sent again */
  send(id: string, events: readonly JsonObject[], signal: AbortSignal): Promise<void>;
  close(): void;
}

export class AttemptEvents implements NoticeReceiver {
  readonly topic = ATTEMPTS;
  readonly name = 'openlineage';

  /** @param setting asked for when the ledger is open */
  constructor(
    private readonly ledger: Pick<Ledger, 'materializations' | 'consumed'>,
    private readonly transport: EventTransport,
    private readonly setting: () => Setting,
  ) {}

  async send({ id, payload, createdAt: at }: Delivery, signal: AbortSignal): Promise<void> {
    const { began, ended } = payload as unknown as AttemptNotice;
    const records = await this.#records([...new Set([...began, ...ended].map(([materialization]) => materialization))]);
    const consumed = await this.ledger.consumed(
      ended.flatMap(([materialization, , how]) => (how === 'success' ? [materialization] : [])),
    );
    const facts = [
      ...began.map(([materialization, attempt]) => ({ materialization, attempt, how: undefined, error: null })),
      ...ended.map(([materialization, attempt, how, error]) => ({ materialization, attempt, how, error })),
    ].flatMap(({ materialization, ...told }): AttemptFacts[] => {
      const record = records.get(materialization);
      // Retention has removed it since: there is nothing left to be told.
      return record ? [{ record, at, ...told, consumed: kept(consumed.get(materialization)) }] : [];
    });
    const setting = this.setting();
    await this.transport.send(
      id,
      facts.map((attempt) => runEvent(attempt, setting)),
      signal,
    );
  }

  close(): void {
    this.transport.close();
  }

  async #records(ids: readonly number[]): Promise<ReadonlyMap<number, MaterializationRecord>> {
    const { items } = await this.ledger.materializations({ ids }, { limit: ids.length });
    return new Map(items.map((record) => [record.id, record]));
  }
}

function kept(consumed: readonly (ConsumedInput | RemovedInput)[] = []): ConsumedInput[] {
  return consumed.filter((input): input is ConsumedInput => !('removed' in input));
}
