// The commit of an attempt whose value is written with its record, in a transaction of its own. All others go with the beat.
import { FlowStoneError } from '../flowstone.errors.js';
import { ioFailed } from '../io/io-failures.js';
import type { LedgerValues } from '../ledger/value-database.port.js';
import type { Beat, Outcome } from '../ledger/work.js';
import type { AttemptHost } from './attempt.host.js';
import { crashPoint } from './crash-points.js';

/** So often may the connection be lost amid the writing of a value. After that it is most likely the value which ends it. */
const MOST_LOSSES = 10;

/**
 * See AttemptHost.commit.
 * @param patiently does what it is given, again while the ledger cannot be reached
 */
export async function commitValue(
  values: LedgerValues,
  patiently: <T>(operation: () => Promise<T>) => Promise<T>,
  ...[claim, value, outcomeOf, abort]: Parameters<AttemptHost['commit']>
): Promise<{ readonly outcome: Outcome; readonly beat: Beat }> {
  // What the value's manager says is no outage of the ledger, even where trying again may help: the attempt ends with it.
  let said: unknown;
  let losses = 0;
  const { asset, partition } = claim;
  let outcome: Outcome | undefined;
  const answer = await patiently(async () => {
    crashPoint('before-commit');
    try {
      return await values.settle(claim, async (sql) => {
        // It may have waited for long, and may be repeated.
        abort.throwIfAborted();
        const stored = await value.write(sql).catch((error: unknown) => {
          throw (said = error);
        });
        abort.throwIfAborted();
        outcome = outcomeOf(stored);
        crashPoint('amid-commit');
        return outcome;
      });
    } catch (error) {
      if (error instanceof FlowStoneError && error === said) return { failure: error };
      const lost = said !== undefined && (error as Error).cause === said;
      if (lost && ++losses === MOST_LOSSES)
        return { failure: ioFailed({ asset, partition: partition || undefined }, 'store', said) };
      throw error;
    }
  });
  if ('failure' in answer) throw answer.failure;
  crashPoint('after-commit');
  return { outcome: outcome!, beat: answer };
}
