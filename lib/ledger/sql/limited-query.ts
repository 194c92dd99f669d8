// A statement that waits for locks no longer than a while, by one round trip and without a transaction around it.
import { Query, type Connection, type PoolClient, type QueryArrayConfig, type QueryArrayResult } from 'pg';

/** How long whoever reads or writes tables that others may lock waits for them, before somebody else has a turn. */
export const LOCK_LIMIT = '2s';

// The server takes locks before a statement begins, so that it cannot say this itself; two statements up to one Sync are
// one transaction. No rows: nobody asks for them.
const LIMIT = `SELECT FROM (SELECT set_config('lock_timeout', '${LOCK_LIMIT}', true) AS set OFFSET 0) limited WHERE set IS NULL`;

/** The rows of a statement, each an array. Where a lock is not to be had in time, it fails with 55P03. */
export function limitedRows(client: PoolClient, config: QueryArrayConfig): Promise<unknown[][]> {
  // Also without parameters: a simple query is not of one transaction with what was sent before.
  const extended = { ...config, queryMode: 'extended' };
  return new Promise((resolve, reject) => {
    // Of one statement the driver gives a result, of two a list.
    const query = new Query(extended, (error, results) => {
      if (error) reject(error);
      else resolve((results as unknown as QueryArrayResult<unknown[]>[]).at(-1)!.rows);
    });
    const submit = query.submit.bind(query);
    query.submit = (connection: Connection) => {
      connection.stream.cork();
      connection.parse({ name: '', text: LIMIT, types: [] }, true);
      connection.bind({}, true);
      connection.execute({}, true);
      const refusal: unknown = submit(connection);
      connection.stream.uncork();
      return refusal;
    };
    client.query(query);
  });
}
