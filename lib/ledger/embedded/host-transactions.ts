// Knowing that code runs inside a transaction of the host's on the one connection of the embedded database, where
// whatever waits for a connection of its own would wait for itself.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataSource, EntityManager } from 'typeorm';

type Work = (manager: EntityManager) => Promise<unknown>;
type Transaction = (...isolationAndWork: unknown[]) => Promise<unknown>;

/** A transaction that the code runs in, and the one around it. */
interface Mark {
  readonly manager: EntityManager;
  readonly outer: Mark | undefined;
  open: boolean;
}

// One for all data sources: each instance that was ever entered makes every promise of the process slower, for good.
const marks = new AsyncLocalStorage<Mark>();

/**
 * Marks the async context of `dataSource.transaction(fn)` for as long as the transaction is open. Transactions of
 * query runners made by hand are not seen. Returns whether the caller is inside.
 */
export function markTransactions({ manager }: DataSource): () => boolean {
  const transaction = manager.transaction.bind(manager) as Transaction;
  // What DataSource.transaction() calls as well.
  manager.transaction = async (...args: unknown[]) => {
    const mark: Mark = { manager, outer: marks.getStore(), open: true };
    // The work comes first or second, depending on whether an isolation level is given.
    const marked =
      (work: Work): Work =>
      (inner) =>
        marks.run(mark, () => work(inner));
    try {
      return await transaction(...args.map((given) => (typeof given === 'function' ? marked(given as Work) : given)));
    } finally {
      mark.open = false;
    }
  };
  return () => {
    for (let mark = marks.getStore(); mark; mark = mark.outer) if (mark.open && mark.manager === manager) return true;
    return false;
  };
}
