// Starts open.process.mjs and hears what it says, so that tests can kill it at a point they know.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

export class OpenProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  constructor(directory: string, work: 'write' | 'hold') {
    const program = join(import.meta.dirname, 'open.process.mjs');
    this.#child = spawn(process.execPath, [program, directory, work], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#ended = once(this.#child, 'exit');
    const lines: Interface = createInterface({ input: this.#child.stdout! });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** The next line it says: `open`, a number, or the code of the error that kept it from opening. */
  async next(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('It ended without a word.');
    return value;
  }

  /** SIGKILL; returns what it had still said. */
  async kill(): Promise<string[]> {
    this.#child.kill('SIGKILL');
    await this.#ended;
    const rest: string[] = [];
    for (let line = await this.#lines.next(); !line.done; line = await this.#lines.next()) rest.push(line.value);
    return rest;
  }
}
