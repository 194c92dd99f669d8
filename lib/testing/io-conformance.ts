// The suite every I/O manager has to pass, built in or yours. It brings no test framework: give it the `describe` and
// `it` of the one you use. The checks stand beside it, by what they are about.
import type { IoManager, StoreContext, StoredValue, UnwrittenValue, ValueAddress } from '../io/io-manager.port.js';
import { checkAbsence, checkFailures } from './io-conformance/absence.checks.js';
import { checkAddresses } from './io-conformance/address.checks.js';
import { withBench, type Bench, type Options, type StoredKind } from './io-conformance/bench.js';
import { checkReplacement } from './io-conformance/replacement.checks.js';
import { checkRows } from './io-conformance/rows.checks.js';
import { checkBytes, checkDocuments } from './io-conformance/values.checks.js';

/** Of a test framework, what the suite uses. */
export interface ConformanceFramework {
  readonly describe: (name: string, body: () => void) => void;
  readonly it: (name: string, body: () => Promise<void>) => void;
}

/** The manager under test. */
export interface IoConformanceSubject {
  /** Names the suite. */
  readonly name: string;
  /** A manager for one test; the suite opens and closes it. Storage may be shared: no address is used twice. */
  readonly create: () => IoManager | Promise<IoManager>;
  /** A manager whose storage cannot be reached, to tell failing from not finding. Left out: not tested. */
  readonly createBroken?: () => IoManager | Promise<IoManager>;
  /** The asset's options for the manager; those of each asset, where two cannot have the same. */
  readonly options?: Options | ((place: Pick<ValueAddress, 'namespace' | 'asset' | 'partition'>) => Options);
  /**
   * Commits a value that is written only with its record, in a transaction as that would: writes it, unless that throws, or
   * its `document`. What is stored then.
   */
  readonly commit?: (context: StoreContext, value: StoredValue | UnwrittenValue) => Promise<StoredValue>;
  /** What it stores, default all: `documents` (anything JSON-like), `bytes`, `rows` (from async iterables). */
  readonly stores?: readonly StoredKind[];
  /** That values are in the memory of the process is what the manager is for: it need not be bounded. */
  readonly inMemory?: boolean;
}

/** Declares the suite. A test takes some seconds at most where storage is near. */
export function runIoConformance(framework: ConformanceFramework, subject: IoConformanceSubject): void {
  const { stores = ['documents', 'bytes', 'rows'], createBroken, inMemory = false } = subject;
  framework.describe(`I/O manager ${subject.name}`, () => {
    const test = (name: string, body: (bench: Bench) => Promise<void>) =>
      framework.it(name, () => withBench(subject, stores, body));
    if (stores.includes('documents')) checkDocuments(test);
    if (stores.includes('bytes')) checkBytes(test);
    if (stores.includes('rows')) checkRows(test, { bounded: !inMemory });
    checkAddresses(test);
    checkAbsence(test);
    checkReplacement(test);
    if (createBroken !== undefined) checkFailures(test, createBroken);
  });
}
