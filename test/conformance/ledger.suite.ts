// The behaviours every ledger has, whatever keeps it. Run for each by ledger.*.test.ts.
import { afterEach, beforeEach, describe } from '@jest/globals';
import { World, type LedgerUnderTest, type MakeLedger } from './ledger.fixture.js';
import { actBehaviours } from './ledger-acts.suite.js';
import { approvalBehaviours } from './ledger-approvals.suite.js';
import { automationBehaviours } from './ledger-automation.suite.js';
import { batchBehaviours } from './ledger-batches.suite.js';
import { checkBehaviours } from './ledger-checks.suite.js';
import { collectionBehaviours } from './ledger-collection.suite.js';
import { eventLogBehaviours } from './ledger-events.suite.js';
import { freshnessBehaviours } from './ledger-freshness.suite.js';
import { hookBehaviours } from './ledger-hooks.suite.js';
import { logBehaviours } from './ledger-logs.suite.js';
import { lineageBehaviours } from './ledger-lineage.suite.js';
import { attemptNoticeBehaviours, outboxBehaviours } from './ledger-outbox.suite.js';
import { poolBehaviours } from './ledger-pools.suite.js';
import { processBehaviours } from './ledger-processes.suite.js';
import { resourceBehaviours } from './ledger-resources.suite.js';
import { requestBehaviours } from './ledger-requests.suite.js';
import { runBehaviours } from './ledger-runs.suite.js';
import { scheduleBehaviours } from './ledger-schedules.suite.js';
import { sensorBehaviours } from './ledger-sensors.suite.js';
import { summaryBehaviours } from './ledger-summaries.suite.js';
import { valueBehaviours } from './ledger-values.suite.js';
import { workBehaviours } from './ledger-work.suite.js';

/** Declares the suite for one kind of ledger; `make` gives each test a ledger of its own, `database` says whether it is in one. */
export function ledgerConformance(name: string, make: MakeLedger, { database = true } = {}): void {
  describe(`the ${name} ledger`, () => {
    let current: LedgerUnderTest;
    let world: World;

    beforeEach(async () => {
      current = await make();
      world = new World(current.ledger, current.pass);
      await world.register('one', 'two');
    });

    afterEach(() => current.close());

    const here = (): World => world;
    describe('requests', () => {
      requestBehaviours(here);
    });
    describe('work', () => {
      workBehaviours(here);
    });
    describe('a pool', () => {
      poolBehaviours(here);
    });
    describe('batches', () => {
      batchBehaviours(here);
    });
    describe('runs', () => {
      runBehaviours(here);
    });
    describe('processes', () => {
      processBehaviours(here);
    });
    describe('what is overdue', () => {
      freshnessBehaviours(here);
    });
    describe('results of checks', () => {
      checkBehaviours(here);
    });
    describe('resources of processes', () => {
      resourceBehaviours(here);
    });
    describe('approvals', () => {
      approvalBehaviours(here);
    });
    describe('automation', () => {
      automationBehaviours(here);
    });
    describe('schedules', () => {
      scheduleBehaviours(here);
    });
    describe('sensors', () => {
      sensorBehaviours(here);
    });
    describe('acts', () => {
      actBehaviours(here);
    });
    describe('collection', () => {
      collectionBehaviours(here);
    });
    describe('the log of events', () => {
      eventLogBehaviours(here);
    });
    describe('hooks', () => {
      hookBehaviours(here);
    });
    describe('logs', () => {
      logBehaviours(here);
    });
    describe('lineage', () => {
      lineageBehaviours(here);
    });
    describe('the outbox', () => {
      outboxBehaviours(here, (...notice) => current.post(...notice));
    });
    describe('what is told of attempts', () => {
      attemptNoticeBehaviours(here);
    });
    if (!database) return;
    describe('summaries', () => {
      summaryBehaviours(here);
    });
    describe('values', () => {
      valueBehaviours(here);
    });
  });
}
