import { describe, expect, it } from '@jest/globals';
import { rowsInBatches, rowsOf } from '../../../lib/io/rows.js';

function counted() {
  const calls = { opened: 0, closed: 0 };
  const rows = rowsInBatches(async function* () {
    calls.opened++;
    try {
      yield [1, 2];
      yield [];
      yield [3];
    } finally {
      calls.closed++;
    }
  });
  return { rows, calls };
}

describe('Rows', () => {
  it('are read anew by each iteration', async () => {
    const { rows, calls } = counted();
    const seen: number[] = [];
    for await (const row of rows) seen.push(row);
    expect(await rows.toArray()).toEqual(seen);
    expect(seen).toEqual([1, 2, 3]);
    expect(calls).toEqual({ opened: 2, closed: 2 });
  });

  it('close what they opened when a loop is left early', async () => {
    const { rows, calls } = counted();
    for await (const row of rows) if (row === 1) break;
    expect(calls).toEqual({ opened: 1, closed: 1 });
  });

  it('come in order to a consumer that asks for several at once', async () => {
    const iterator = counted().rows[Symbol.asyncIterator]();
    const results = await Promise.all(Array.from({ length: 5 }, () => iterator.next()));
    expect(results.map(({ value }) => value as unknown)).toEqual([1, 2, 3, undefined, undefined]);
    expect(await iterator.next()).toEqual({ value: undefined, done: true });
  });

  it('pass on what goes wrong while they are read', async () => {
    const rows = rowsInBatches<number>(async function* () {
      yield [1];
      throw new Error('broken');
    });
    await expect(rows.toArray()).rejects.toThrow('broken');
    const iterator = rows[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ value: 1, done: false });
    await expect(iterator.next()).rejects.toThrow('broken');
    expect(await iterator.next()).toEqual({ value: undefined, done: true });
  });

  it('can be made of an array', async () => {
    expect(await rowsOf(['a', 'b']).toArray()).toEqual(['a', 'b']);
  });
});
