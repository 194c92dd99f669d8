// SQL ledgers for the suites: one database per file, one namespace per test.
import type { DataSource } from 'typeorm';
import { SqlLedger } from '../../lib/ledger/sql/sql-ledger.js';
import type { LedgerUnderTest } from './ledger.fixture.js';

let namespaces = 0;

/** A ledger in a namespace of its own. Time passes by moving what is stored into the past. */
export async function sqlLedger(
  dataSource: DataSource,
  { own = true } = {},
): Promise<LedgerUnderTest & { /** The same ledger as another process has it. */ beside(): Promise<SqlLedger> }> {
  const namespace = `test ${++namespaces}`;
  const ledger = new SqlLedger({ dataSource, own, namespace, migrate: true });
  await ledger.open();
  const pass = async (milliseconds: number): Promise<void> => {
    for (const [table, column] of [
      ['timers', 'fires_at'],
      ['processes', 'lease_until'],
      ['processes', 'contact_since'],
      ['materializations', 'deadline'],
      ['runs', 'created_at'],
      ['runs', 'completed_at'],
      ['events', 'at'],
      ['approvals', 'opened_at'],
      ['approvals', 'deadline'],
      ['limits', 'refilled_at'],
      ['limits', 'opens_at'],
      ['outbox', 'due_at'],
      ['outbox', 'created_at'],
      ['schedules', 'held_until'],
      ['sensors', 'held_until'],
      ['sensors', 'next_at'],
    ]) {
      await dataSource.query(
        `UPDATE flowstone.${table} t SET ${column} = ${column} - $1 * interval '1 millisecond'
        FROM flowstone.namespaces n WHERE n.name = $2 AND t.namespace = n.id`,
        [milliseconds, namespace],
      );
    }
    await dataSource.query(
      `UPDATE flowstone.superseded s SET superseded_at = superseded_at - $1 * interval '1 millisecond',
        look_at = look_at - $1 * interval '1 millisecond'
      FROM flowstone.assets a JOIN flowstone.namespaces n ON n.id = a.namespace WHERE n.name = $2 AND s.asset_id = a.id`,
      [milliseconds, namespace],
    );
    await dataSource.query(
      `UPDATE flowstone.namespaces SET collect_at = collect_at - $1 * interval '1 millisecond',
        orphans_at = orphans_at - $1 * interval '1 millisecond' WHERE name = $2`,
      [milliseconds, namespace],
    );
  };
  const post: LedgerUnderTest['post'] = async (topic, payload) => {
    await dataSource.query(
      `INSERT INTO flowstone.outbox (namespace, topic, payload)
      SELECT n.id, $2, $3 FROM flowstone.namespaces n WHERE n.name = $1`,
      [namespace, topic, JSON.stringify(payload)],
    );
  };
  const beside = async (): Promise<SqlLedger> => {
    const other = new SqlLedger({ dataSource, own, namespace, migrate: false });
    await other.open();
    return other;
  };
  return { ledger, pass, post, beside, close: async () => undefined };
}
