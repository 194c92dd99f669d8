import { describe, expect, it } from '@jest/globals';
import { MemoryIoManager } from '../../../lib/io/managers/memory.io-manager.js';

const address = { namespace: 'default', asset: 'report', partition: '2001-03-04', options: {} };

describe('the memory manager', () => {
  it('does not find what an earlier life of it kept', async () => {
    const { signal } = new AbortController();
    const before = new MemoryIoManager();
    const { location } = await before.store({ ...address, materialization: 1, epoch: 1, signal }, { a: 1 });
    const after = new MemoryIoManager();
    await after.store({ ...address, materialization: 1, epoch: 1, signal }, { a: 1 });
    await expect(after.load({ ...address, location })).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VALUE_NOT_FOUND',
      message: 'the value of report[2001-03-04] was not found: value was in memory. Materialize it again.',
    });
    expect(await after.exists({ ...address, location })).toBe(false);
    expect(after.lost(location)).toBe('value was in memory');
    expect(before.lost(location)).toBeUndefined();
  });
});
