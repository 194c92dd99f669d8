// Notices on the database that are to leave the system. They are written by whoever changes what they tell of.
import type { DroppedNotice, Notice, OutboxLedger } from '../outbox.port.js';
import type { JsonObject } from '../records.js';
import type { Database } from './database.js';
import { CLAIM_DUE, DELIVERED_TO, DROP_OLD, POSTPONE, SENT } from './statements/sending.js';

interface NoticeRow {
  readonly id: number;
  readonly topic: string;
  readonly payload: JsonObject;
  readonly attempts: number;
  readonly delivered: readonly string[];
  readonly created_at: Date;
}

export class Outbox implements OutboxLedger {
  constructor(
    readonly database: Database,
    readonly namespace: number,
  ) {}

  async claimDue(topics: readonly string[], limit: number, lease: number): ReturnType<OutboxLedger['claimDue']> {
    const values = [this.namespace, topics, limit, lease];
    // One row at least, of which only `next` says anything where nothing was taken.
    type Row = (NoticeRow | { readonly id: null }) & { readonly next: number | null };
    const rows = await this.database.rows<Row>(CLAIM_DUE, values);
    const notices = rows.flatMap((row): Notice[] => {
      if (row.id === null) return [];
      const { id, topic, payload, attempts: attempt, delivered, created_at: createdAt } = row;
      return [{ id, topic, payload, attempt, delivered, createdAt }];
    });
    return { notices, next: rows[0]!.next };
  }

  async sent(id: number): Promise<void> {
    await this.database.rows(SENT, [id]);
  }

  async deliveredTo(id: number, receiver: string): Promise<void> {
    await this.database.rows(DELIVERED_TO, [id, receiver]);
  }

  async failed({ id, attempt }: Pick<Notice, 'id' | 'attempt'>, delay: number): Promise<void> {
    await this.database.rows(POSTPONE, [id, attempt, delay]);
  }

  async drop(age: number, limit: number): Promise<readonly DroppedNotice[]> {
    const rows = await this.database.rows<NoticeRow>(DROP_OLD, [this.namespace, age, limit]);
    return rows.map(({ id, topic, payload, created_at: createdAt }) => ({ id, topic, payload, createdAt }));
  }
}
