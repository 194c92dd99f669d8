// Pools whose connections may be lost at any moment.
import type { Pool } from 'pg';

const steadied = new WeakSet<Pool>();

/**
 * From now on a new connection of the pool may be lost in the moment between pool and borrower, when neither listens yet:
 * a server that shuts down right after it let us in would end the process. Who borrows it hears of it at its first query.
 */
export function steady(pool: Pool): void {
  if (steadied.has(pool)) return;
  steadied.add(pool);
  pool.on('connect', (client) => client.on('error', () => undefined));
}
