// The ledger in memory, with a clock of the test's.
import { MemoryLedger } from '../../lib/ledger/memory/memory-ledger.js';
import type { LedgerUnderTest } from './ledger.fixture.js';
import { ledgerConformance } from './ledger.suite.js';

async function memoryLedger(): Promise<LedgerUnderTest> {
  let now = Date.UTC(2026, 0, 1);
  const ledger = new MemoryLedger(() => now);
  await ledger.open();
  return {
    ledger,
    pass: async (milliseconds) => void (now += milliseconds),
    post: async (topic, payload) => ledger.outbox.post(topic, payload),
    close: () => ledger.close(),
  };
}

ledgerConformance('memory', memoryLedger, { database: false });
