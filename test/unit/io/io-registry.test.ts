import { describe, expect, it } from '@jest/globals';
import type { IoManager } from '../../../lib/io/io-manager.port.js';
import { IoRegistry } from '../../../lib/io/io.registry.js';
import { MemoryIoManager } from '../../../lib/io/managers/memory.io-manager.js';

class Recording extends MemoryIoManager implements IoManager {
  constructor(
    private readonly name: string,
    private readonly log: string[],
    private readonly fails?: 'open' | 'close',
  ) {
    super();
  }

  async open(): Promise<void> {
    if (this.fails === 'open') throw new Error(`${this.name} does not open`);
    this.log.push(`open ${this.name}`);
  }

  override async close(): Promise<void> {
    this.log.push(`close ${this.name}`);
    if (this.fails === 'close') throw new Error(`${this.name} does not close`);
  }
}

describe('IoRegistry', () => {
  it('finds managers by name and says what is near to an unknown one', () => {
    const memory = new MemoryIoManager();
    const registry = new IoRegistry([['memory', memory]]);
    expect(registry.require('memory')).toBe(memory);
    expect(registry.names).toEqual(['memory']);
    expect(() => registry.require('memroy')).toThrow(
      expect.objectContaining({
        code: 'FLOWSTONE_IO_MANAGER_UNKNOWN',
        message: 'there is no I/O manager "memroy" (did you mean "memory"?). Configured: memory.',
      }),
    );
  });

  it('asks the manager what is wrong with options', () => {
    const registry = new IoRegistry([['memory', new MemoryIoManager()]]);
    expect(registry.optionProblems('memory', {})).toEqual([]);
    expect(registry.optionProblems('memory', { format: 'json' })).toEqual([
      'unknown option "format": the memory manager has none',
    ]);
  });

  it('opens in order and closes all in reverse, whatever fails', async () => {
    const log: string[] = [];
    const managers = [new Recording('a', log), new Recording('b', log, 'close'), new Recording('c', log)];
    const registry = new IoRegistry(managers.map((manager, index) => [`m${index}`, manager]));
    await registry.open();
    await expect(registry.close()).rejects.toThrow('b does not close');
    expect(log).toEqual(['open a', 'open b', 'open c', 'close c', 'close b', 'close a']);
    await registry.close();
    expect(log).toHaveLength(6);
  });

  it('closes only what was opened when one does not open', async () => {
    const log: string[] = [];
    const registry = new IoRegistry([
      ['a', new Recording('a', log)],
      ['b', new Recording('b', log, 'open')],
    ]);
    await expect(registry.open()).rejects.toThrow('b does not open');
    await registry.close();
    expect(log).toEqual(['open a', 'close a']);
  });
});
