// Notices in memory that are to leave the system, in the order in which they were posted.
import type { DroppedNotice, Notice, OutboxLedger } from '../outbox.port.js';
import type { EventKind, JsonObject } from '../records.js';

type Kept = { -readonly [K in keyof Notice]: Notice[K] } & { dueAt: number };

export class MemoryOutbox implements OutboxLedger {
  readonly #kept = new Map<number, Kept>();
  #last = 0;

  constructor(
    private readonly clock: () => number,
    private readonly tell: (kind: EventKind, about: { readonly detail: JsonObject }) => void,
  ) {}

  /** With the change that it tells of, since everything in memory is atomic. */
  post(topic: string, payload: JsonObject): void {
    const id = ++this.#last;
    const now = this.clock();
    this.#kept.set(id, { id, topic, payload, attempt: 0, delivered: [], createdAt: new Date(now), dueAt: now });
  }

  async claimDue(topics: readonly string[], limit: number, lease: number): ReturnType<OutboxLedger['claimDue']> {
    const now = this.clock();
    const waiting = [...this.#kept.values()]
      .filter(({ topic }) => topics.includes(topic))
      .sort((a, b) => a.dueAt - b.dueAt);
    const due = waiting.slice(0, limit).filter(({ dueAt }) => dueAt <= now);
    const next = waiting[due.length];
    for (const notice of due) {
      notice.attempt++;
      notice.dueAt = now + lease;
    }
    const notices = due.map(({ dueAt: _, ...notice }) => notice);
    return { notices, next: next ? Math.max(0, next.dueAt - now) : null };
  }

  async sent(id: number): Promise<void> {
    this.#kept.delete(id);
  }

  async deliveredTo(id: number, receiver: string): Promise<void> {
    const notice = this.#kept.get(id);
    if (notice && !notice.delivered.includes(receiver)) notice.delivered = [...notice.delivered, receiver];
  }

  async failed({ id, attempt }: Pick<Notice, 'id' | 'attempt'>, delay: number): Promise<void> {
    const notice = this.#kept.get(id);
    if (notice?.attempt === attempt) notice.dueAt = this.clock() + delay;
  }

  async drop(age: number, limit: number): Promise<readonly DroppedNotice[]> {
    const before = this.clock() - age;
    const old = [...this.#kept.values()].filter(({ createdAt }) => createdAt.getTime() <= before).slice(0, limit);
    return old.map(({ id, topic, payload, attempt, createdAt }) => {
      this.#kept.delete(id);
      this.tell('notice.dropped', { detail: { notice: id, topic, attempts: attempt } });
      return { id, topic, payload, createdAt };
    });
  }
}
