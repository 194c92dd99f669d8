// What executions leave behind on their own account, beside the ledger: a line for each that began, and in each value
// who made it from what. The judge compares the ledger with it.
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AssetContext } from '../../lib/index.js';

/** The values of the torture's assets: which attempt made it, and which materializations it read. */
export interface Witness {
  readonly id: number;
  readonly epoch: number;
  readonly seen: readonly number[];
}

/** The rows of streamed values carry the same. */
export interface WitnessRow {
  readonly id: number;
  readonly epoch: number;
  readonly seen: string;
  readonly row: number;
}

/** Id of the materialization an attempt is at. */
export function materializationOf({ idempotencyKey }: Pick<AssetContext, 'idempotencyKey'>): number {
  return Number(idempotencyKey.slice(idempotencyKey.lastIndexOf(':') + 1));
}

/** Writes that an attempt has begun to execute. Synchronous: it is there though the process is killed next. */
export function testify(directory: string, context: Pick<AssetContext, 'idempotencyKey' | 'epoch'>): void {
  const attempt = `${materializationOf(context)}:${context.epoch}`;
  appendFileSync(join(directory, `${process.pid}.executions`), `${attempt} at ${new Date().toISOString()}\n`);
}

/** When each attempt (`id:epoch`) began to execute, and in which process: once, as it should be. */
export function executions(directory: string): ReadonlyMap<string, readonly string[]> {
  const begun = new Map<string, string[]>();
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.executions'))) {
    for (const line of readFileSync(join(directory, file), 'utf8').split('\n')) {
      const [attempt = '', , at = ''] = line.split(' ');
      if (attempt === '') continue;
      const times = begun.get(attempt) ?? [];
      begun.set(attempt, times);
      times.push(`at ${at} by ${file.replace('.executions', '')}`);
    }
  }
  return begun;
}
