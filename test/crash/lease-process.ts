// Starts worker processes of the lease tests (lease.process.mjs), and reads what they wrote of their work.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FlowStoneOptions } from '../../lib/index.js';
import type { JournalLine } from './lease-graph.mjs';

/** A running worker process. */
export class LeaseProcess {
  #output = '';
  readonly #ended: Promise<unknown>;

  private constructor(private readonly child: ChildProcess) {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (bytes: Buffer) => (this.#output += bytes.toString()));
    }
    this.#ended = once(child, 'close');
  }

  /**
   * Resolves when it works. Its executions are written to the file `journal`.
   * @param declares a module beside this file whose export `assets`, or one of its `versions`, the process declares
   */
  static async start(
    options: FlowStoneOptions,
    journal: string,
    declares: { module: string; version?: string } = { module: './lease-graph.mjs' },
  ): Promise<LeaseProcess> {
    const program = join(import.meta.dirname, 'lease.process.mjs');
    // It lives for seconds, in which optimizing its code takes longer than running it.
    const child = spawn(process.execPath, ['--no-opt', program, JSON.stringify({ ...declares, options })], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, FLOWSTONE_TEST_JOURNAL: journal, NODE_OPTIONS: '' },
    });
    const started = new LeaseProcess(child);
    const failed = started.#ended.then(() => {
      throw new Error(`The worker ended before it worked:\n${started.output}`);
    });
    await Promise.race([once(child, 'message'), failed]);
    failed.catch(() => undefined);
    return started;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** What it logged. */
  get output(): string {
    return this.#output;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends it: orderly, or if it was killed, waits for that. */
  async end(): Promise<void> {
    if (this.child.connected) this.child.send('end');
    await this.#ended;
  }
}

export function journalOf(file: string): JournalLine[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as JournalLine]));
}

/** Ends the acts `hold`. */
export function release(file: string): void {
  writeFileSync(`${file}.released`, '');
}

/** Resolves with the journal once it fulfils the condition. */
export async function journalWith(
  file: string,
  met: (lines: readonly JournalLine[]) => boolean,
): Promise<JournalLine[]> {
  for (;;) {
    const lines = journalOf(file);
    if (met(lines)) return lines;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
