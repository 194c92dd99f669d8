// The lock on an embedded database's directory: who gets it, and who is taken for dead.
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { lockDirectory, type LockHolder } from '../../../lib/ledger/embedded/embedded.lock.js';
import { OpenProcess } from './open-process.js';
import { temporaryDirectory } from './temporary-directory.js';

/** The lock file as this process would write it, then changed. */
async function leaveLock(directory: string, change: Partial<LockHolder>): Promise<string> {
  const lock = await lockDirectory(directory);
  const holder = JSON.parse(readFileSync(lock.file, 'utf8')) as LockHolder;
  writeFileSync(lock.file, JSON.stringify({ ...holder, ...change }));
  return lock.file;
}

describe('the lock on a directory', () => {
  it('is refused to a second one, with the holder and what to do', async () => {
    const directory = temporaryDirectory();
    const holder = new OpenProcess(directory, 'hold');
    expect(await holder.next()).toBe('open');
    await expect(lockDirectory(directory)).rejects.toMatchObject({
      code: 'FLOWSTONE_EMBEDDED_DIRECTORY_LOCKED',
      message: expect.stringContaining(`process ${holder.pid} on ${hostname()}`),
    });
    await holder.kill();
  });

  it('is refused to the same process as well', async () => {
    const directory = temporaryDirectory();
    await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toThrow('this very process');
  });

  it('is free once it was released', async () => {
    const directory = temporaryDirectory();
    (await lockDirectory(directory)).release();
    expect((await lockDirectory(directory)).isHeld()).toBe(true);
  });

  it('is free at once when its holder was killed', async () => {
    const directory = temporaryDirectory();
    const holder = new OpenProcess(directory, 'hold');
    await holder.next();
    await holder.kill();
    expect((await lockDirectory(directory)).isHeld()).toBe(true);
  });

  it('is free when another process has the pid of its holder', async () => {
    const directory = temporaryDirectory();
    await leaveLock(directory, { started: '1' });
    expect((await lockDirectory(directory)).isHeld()).toBe(true);
  });

  it('is free when the machine was started anew', async () => {
    const directory = temporaryDirectory();
    await leaveLock(directory, { boot: 'another start' });
    expect((await lockDirectory(directory)).isHeld()).toBe(true);
  });

  it('is free when its file is damaged', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'lock.7'), '');
    const lock = await lockDirectory(directory);
    expect(lock.file).toBe(join(directory, 'lock.8'));
    expect(existsSync(join(directory, 'lock.7'))).toBe(false);
  });

  it('is free when its holder on another machine shows no life', async () => {
    const directory = temporaryDirectory();
    await leaveLock(directory, { host: 'elsewhere' });
    expect((await lockDirectory(directory, 100)).isHeld()).toBe(true);
  });

  it('is refused while its holder on another machine shows life', async () => {
    const directory = temporaryDirectory();
    const file = await leaveLock(directory, { host: 'elsewhere' });
    let tick = 1;
    const life = setInterval(() => utimesSync(file, tick, tick++), 20);
    try {
      await expect(lockDirectory(directory, 10_000)).rejects.toMatchObject({
        code: 'FLOWSTONE_EMBEDDED_DIRECTORY_LOCKED',
        context: { file, holder: { host: 'elsewhere' } },
      });
    } finally {
      clearInterval(life);
    }
  });

  it('is known to be lost by one from whom it was taken', async () => {
    const directory = temporaryDirectory();
    const first = await lockDirectory(directory);
    writeFileSync(first.file, JSON.stringify({ released: true }));
    const second = await lockDirectory(directory);
    first.release();
    expect([first.isHeld(), second.isHeld()]).toEqual([false, true]);
  });

  it('is got by one of many who find it left behind', async () => {
    const directory = temporaryDirectory();
    await leaveLock(directory, { started: '1' });
    const starters = Array.from({ length: 5 }, () => new OpenProcess(directory, 'hold'));
    const said = await Promise.all(starters.map((starter) => starter.next()));
    await Promise.all(starters.map((starter) => starter.kill()));
    expect(said.sort()).toEqual([...Array<string>(4).fill('FLOWSTONE_EMBEDDED_DIRECTORY_LOCKED'), 'open']);
  });
});
