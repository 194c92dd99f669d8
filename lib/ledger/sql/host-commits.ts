// Hearing that a transaction of the host's has committed, in which something was requested: from TypeORM, whose query
// runner commits it. What is committed otherwise (by a plain COMMIT) is found by polling.
import type { DataSource, EntityManager, EntitySubscriberInterface, QueryRunner } from 'typeorm';

/** By the query runner of a transaction: what is to be told of its commit. */
const awaited = new WeakMap<QueryRunner, Set<() => void>>();
const subscribed = new WeakSet<DataSource>();

const SUBSCRIBER: EntitySubscriberInterface = {
  afterTransactionCommit({ queryRunner }) {
    // The end of a savepoint is told as well.
    if (queryRunner.isTransactionActive) return;
    const told = awaited.get(queryRunner);
    awaited.delete(queryRunner);
    for (const tell of told ?? []) tell();
  },
  afterTransactionRollback({ queryRunner }) {
    if (!queryRunner.isTransactionActive) awaited.delete(queryRunner);
  },
};

/** Calls `tell` once the open transaction of `manager` has committed; never where it is rolled back. */
export function afterCommit({ queryRunner, dataSource }: EntityManager, tell: () => void): void {
  if (!queryRunner) return;
  if (!subscribed.has(dataSource)) dataSource.subscribers.push(SUBSCRIBER);
  subscribed.add(dataSource);
  const told = awaited.get(queryRunner) ?? new Set();
  awaited.set(queryRunner, told.add(tell));
}
