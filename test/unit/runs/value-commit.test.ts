// The commit of a value with its record: what is tried again, and when that ends.
import { describe, expect, it } from '@jest/globals';
import { unavailable } from '../../../lib/ledger/sql/failures.js';
import type { LedgerValues, ValueSql } from '../../../lib/ledger/value-database.port.js';
import type { Beat, Claim, Outcome } from '../../../lib/ledger/work.js';
import { isOutage } from '../../../lib/runs/patience.js';
import { commitValue } from '../../../lib/runs/value.commit.js';

const claim = { id: 1, epoch: 1, asset: 'a', partition: '' } as unknown as Claim;
const stored = { location: null, size: 0, hash: null, rows: null, io: 'postgres' };
const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

/** A ledger that loses its connection before and amid so many writings, and how often each was begun. */
async function committing({ before = 0, amid = 0 }) {
  const begun = { settled: 0, written: 0 };
  const values: Pick<LedgerValues, 'settle'> = {
    async settle(_, write) {
      if (begun.settled++ < before) throw unavailable(reset, false);
      try {
        await write({} as ValueSql);
      } catch (error) {
        throw error === reset ? unavailable(reset, false) : error;
      }
      return {} as Beat;
    },
  };
  const write = async () => {
    if (begun.written++ < amid) throw reset;
    return stored;
  };
  const patiently = async <T>(operation: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await operation();
      } catch (error) {
        if (!isOutage(error)) throw error;
      }
    }
  };
  const value = { write, release: async () => undefined };
  const outcome = { kind: 'success', id: 1, epoch: 1 } as Outcome;
  const ended = commitValue(values as LedgerValues, patiently, claim, value, () => outcome, {
    throwIfAborted: () => {},
  });
  return {
    begun,
    error: await ended.then(
      () => undefined,
      (thrown: unknown) => thrown,
    ),
  };
}

describe('the commit of a value with its record', () => {
  it('is tried again for as long as the ledger cannot be reached', async () => {
    expect(await committing({ before: 50, amid: 9 })).toEqual({
      begun: { settled: 60, written: 10 },
      error: undefined,
    });
  });

  it('ends where the connection is lost amid the value again and again', async () => {
    const { begun, error } = await committing({ before: 3, amid: Infinity });
    expect(begun).toEqual({ settled: 13, written: 10 });
    expect(error).toMatchObject({
      code: 'FLOWSTONE_IO_FAILED',
      message: expect.stringContaining('ECONNRESET'),
      context: { asset: 'a', partition: null },
    });
  });
});
