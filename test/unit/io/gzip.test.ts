// Compressed formats: what fails on the way is told as what it is, and not before nothing is written any more.
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { gzipped } from '../../../lib/io/formats/gzip.js';
import { JSON_LINES_FORMAT } from '../../../lib/io/formats/json-lines.format.js';

const format = gzipped(JSON_LINES_FORMAT);
const { signal } = new AbortController();

/** Of a megabyte that cannot be made smaller. */
async function* rows(last?: () => unknown) {
  for (let row = 0; row < 2000; row++) yield { text: randomBytes(400).toString('base64') };
  await last?.();
}

describe('writing compressed', () => {
  it('passes on what the sink says, however far the rows are', async () => {
    for (const good of [0, 1, 3]) {
      const full = new Error('no space left');
      let writes = 0;
      const write = async (): Promise<void> => {
        await pause(10);
        if (writes++ === good) throw full;
      };
      await expect(format.write(rows(), { write }, {}, signal)).rejects.toBe(full);
    }
  });

  it('rejects only once nothing is on its way to the sink', async () => {
    let writing = 0;
    const write = async (): Promise<void> => {
      writing++;
      await pause(10);
      writing--;
    };
    const thrown = new Error('no more');
    const failing = rows(async () => {
      while (writing === 0) await pause(1);
      throw thrown;
    });
    await expect(format.write(failing, { write }, {}, signal)).rejects.toBe(thrown);
    expect(writing).toBe(0);
  });
});
