// Events as lines of JSON at the end of a file, on the disk before they count as sent.
import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FlowStoneError } from '../flowstone.errors.js';
import type { JsonObject } from '../ledger/records.js';
import type { EventTransport } from './attempt.events.js';

const NEWLINE = 10;

export class FileTransport implements EventTransport {
  /** What is written before. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly file: string) {}

  /** Opened anew each time, so that it may be moved away and a new one begins. */
  async send(_id: string, events: readonly JsonObject[]): Promise<void> {
    if (events.length === 0) return;
    const lines = events.map((event) => `${JSON.stringify(event)}\n`).join('');
    const written = this.#last.then(() => this.#append(lines));
    this.#last = written.catch(() => undefined);
    await written.catch((cause: unknown) => {
      throw new FlowStoneError(
        'FLOWSTONE_OPENLINEAGE_FAILED',
        `OpenLineage events could not be written to ${this.file}: ${(cause as Error).message}`,
        { context: { file: this.file }, cause },
      );
    });
  }

  close(): void {}

  async #append(lines: string): Promise<void> {
    await mkdir(dirname(this.file), { recursive: true });
    const { O_APPEND, O_CREAT, O_RDWR } = constants;
    const handle = await open(this.file, O_APPEND | O_CREAT | O_RDWR);
    try {
      const { size } = await handle.stat();
      const { buffer } = size > 0 ? await handle.read(Buffer.alloc(1), 0, 1, size - 1) : { buffer: [NEWLINE] };
      // A line that was cut off when its writer died stays by itself.
      await handle.appendFile(buffer[0] === NEWLINE ? lines : `\n${lines}`);
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }
}
