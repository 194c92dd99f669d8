// Random people, timers, clocks, inputs and processes that die, against a simple model: an approval is decided once, by who
// may, everything is on record, and nothing is stuck.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import type { ApprovalRule, Audience, EscalationStep } from '../../lib/ledger/approval.records.js';
import type { ApprovalLedger } from '../../lib/ledger/approvals.port.js';
import { MemoryLedger } from '../../lib/ledger/memory/memory-ledger.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { World } from '../conformance/ledger.fixture.js';
import { sqlLedger } from '../conformance/ledger-sql.fixture.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';
import { History, INPUTS, PEOPLE, PROCESSES, ROLES, TICK, type Personal, type Step } from './approval-history.js';

const audience: fc.Arbitrary<Audience> = fc.constantFrom(
  { users: ['anna', 'bert'], roles: [] },
  { users: ['dora'], roles: ['boss'] },
  { users: [], roles: ['boss'] },
);
const ticks = (most: number) => fc.integer({ min: 1, max: most }).map((count) => count * TICK);
const someRule: fc.Arbitrary<ApprovalRule> = fc
  .record({
    assignees: fc.oneof(fc.constant({ users: [], roles: [] }), audience),
    quorum: fc.integer({ min: 1, max: 3 }),
    separationOfDuties: fc.boolean(),
    timeout: fc.option(ticks(6)),
    action: fc.constantFrom('escalate', 'approve', 'reject', 'extend', 'handle'),
    extensions: fc.integer({ min: 1, max: 2 }),
    steps: fc.array(fc.record({ after: ticks(12), to: audience, notify: fc.constant(['#ops']) }), { maxLength: 3 }),
    pinInputs: fc.boolean(),
    modifiable: fc.boolean(),
  })
  .map(({ action, steps, ...rest }) => {
    const timeoutAction =
      rest.timeout === null ? null : action === 'escalate' && steps.length === 0 ? 'reject' : action;
    const sorted = steps.toSorted((a, b) => a.after - b.after);
    const escalation = sorted.map((step, index): EscalationStep => {
      return timeoutAction === 'escalate' && index % 2 === 0 ? { ...step, after: null } : step;
    });
    return { ...rest, timeoutAction, escalation };
  });

const somebody = fc.constantFrom(...PEOPLE);
const acting = (kind: Personal['kind'], more: object = {}): fc.Arbitrary<Personal> =>
  somebody.map((by) => ({ kind, by, roles: ROLES[by]!, reason: null, ...more }) as Personal);
const personal: fc.Arbitrary<Personal> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.option(fc.integer({ min: 1, max: 3 })).chain((proposal) => acting('approve', { proposal })),
  },
  { weight: 2, arbitrary: acting('reject') },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 2 }).chain((value) => acting('modify', { value })) },
  { weight: 2, arbitrary: fc.option(audience).chain((to) => acting('escalate', { to })) },
  { weight: 2, arbitrary: fc.option(ticks(4)).chain((time) => acting('extend', { for: time })) },
  { weight: 1, arbitrary: acting('comment', { text: 'hm' }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: personal.map((what): Step => ({ do: 'person', what })) },
  { weight: 2, arbitrary: fc.uniqueArray(somebody, { minLength: 2 }).map((who): Step => ({ do: 'race', who })) },
  { weight: 5, arbitrary: fc.integer({ min: -6, max: 12 }).map((count): Step => ({ do: 'pass', ticks: count })) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: 'fire' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('move' as const),
      input: fc.constantFrom(...INPUTS),
      version: fc.constantFrom('x', 'y'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('work' as const),
      process: fc.constantFrom(...PROCESSES),
      how: fc.constantFrom('well', 'well', 'well', 'hand back', 'retry', 'die', 'forsake'),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'cancel' }) },
);

async function live(
  world: World,
  [declared, requestedBy, steps]: readonly [ApprovalRule, string, readonly Step[]],
  beside?: ApprovalLedger,
): Promise<void> {
  const history = new History(world, declared, requestedBy, beside);
  await history.begin();
  for (const next of steps) await history.take(next);
  await history.end();
  await history.judge();
}

const histories = [someRule, somebody, fc.array(step, { minLength: 5, maxLength: 40 })] as const;

describe('approvals', () => {
  it('in memory are as the model says, whatever happens', async () => {
    await fc.assert(
      fc.asyncProperty(...histories, async (...given) => {
        let now = Date.UTC(2026, 0, 1);
        const ledger = new MemoryLedger(() => now);
        await ledger.open();
        await live(new World(ledger, async (milliseconds) => void (now += milliseconds)), given);
      }),
      { numRuns: 1500 },
    );
  }, 120_000);

  describe('on PostgreSQL', () => {
    let database: FreshDatabase;
    let dataSource: DataSource;

    beforeAll(async () => {
      database = await freshDatabase();
      dataSource = await ledgerDataSource({ url: database.url }, 'flowstone').initialize();
    });
    afterAll(async () => {
      await dataSource.destroy();
      await database.drop();
    });

    it('are the same', async () => {
      await fc.assert(
        fc.asyncProperty(...histories, async (...given) => {
          const { ledger, pass, beside } = await sqlLedger(dataSource);
          await live(new World(ledger, pass), given, (await beside()).approvals);
        }),
        { numRuns: 40 },
      );
      const timers: unknown[] = await dataSource.query('SELECT * FROM flowstone.timers');
      expect(timers).toEqual([]);
    }, 120_000);
  });
});
