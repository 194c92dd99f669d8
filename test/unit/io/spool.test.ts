import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { Spool } from '../../../lib/io/spool.js';

const MEGABYTE = 1024 * 1024;

async function contentOf(spool: Spool, size: number): Promise<string[]> {
  const batches: string[] = [];
  for (const batch of spool.batches(size)) {
    const pieces: Buffer[] = [];
    for await (const piece of batch) pieces.push(piece);
    batches.push(pieces.map((piece) => `${piece[0]}:${piece.length}`).join(' '));
  }
  return batches;
}

describe('a spool', () => {
  it('gives pieces back as they were written, in batches, any number of times', async () => {
    const spool = new Spool();
    for (let piece = 1; piece <= 5; piece++) await spool.write(Buffer.alloc(10 * piece, piece));
    expect(spool.size).toBe(150);
    expect(await contentOf(spool, 60)).toEqual(['1:10 2:20 3:30', '4:40', '5:50']);
    expect(await contentOf(spool, 1)).toHaveLength(5);
    await spool.release();
  });

  it('puts what is large into a file that has no name, and goes on in memory', async () => {
    const spool = new Spool();
    for (let piece = 0; piece < 20; piece++) await spool.write(Buffer.alloc(MEGABYTE, piece));
    const named = (await readdir(tmpdir())).filter((name) => name.startsWith(`flowstone-spool-${process.pid}-`));
    expect(named).toEqual([]);
    const expected = Array.from({ length: 20 }, (_, piece) => `${piece}:${MEGABYTE}`);
    for (let time = 0; time < 2; time++)
      expect((await contentOf(spool, 7 * MEGABYTE)).join(' ').split(' ')).toEqual(expected);
    await spool.release();
    await spool.release();
  });

  it('has no batch while nothing is written', async () => {
    expect(await contentOf(new Spool(), 10)).toEqual([]);
  });
});
