// The application that goes on where the processes of a crash test have died, and what it must find.
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { expect } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { FLOWSTONE_DATA_SOURCE, type FlowStoneOptions } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { assets, request, Total } from './crash-graph.mjs';
import { violations } from './invariants.js';
import { recordedValues } from './recorded-values.js';

/** Of processes that die: short, so that what they held is soon taken over. */
export const TIMES = {
  lease: '1s',
  heartbeat: '300ms',
  sweep: '300ms',
  drainDeadline: '100ms',
  cancelGrace: '100ms',
} as const;

/** Of processes that must not lose it, however busy the machine is: a long one. */
export const LASTING = { lease: '60s' } as const;

/** The processes run what is in dist/: brings it up to date. */
export function build(): void {
  const script = resolve(import.meta.dirname, '../../scripts/build.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--if-needed'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

/** How things stood for the survivor. */
export interface Survival {
  /** Ids of the runs it found at its start. */
  readonly found: readonly number[];
  /** Materializations that had to be taken over from a lost process. */
  readonly rescued: number;
  /** Letters of the batches that are as the dead left them, and those that were computed again. */
  readonly letters: { readonly kept: number; readonly again: number };
}

/**
 * Starts on the data of dead processes, asks as they did, and expects that the run ends well and the ledger is sound.
 * @param acknowledged the run that was acknowledged to one of them, if any
 */
export async function expectSurvival(
  options: FlowStoneOptions,
  later: boolean,
  acknowledged: number | undefined,
): Promise<Survival> {
  const { app, flowstone } = await startApp(assets, { ...options, ...LASTING });
  try {
    const found = (await flowstone.runs()).items.map(({ id }) => id);
    const run = await request(flowstone, later);
    if (acknowledged !== undefined) expect([run.id, found]).toEqual([acknowledged, [acknowledged]]);
    const { counts, status } = await run.wait();
    expect({ status, counts }).toMatchObject({ status: 'success', counts: { total: 10, success: 10 } });
    expect(await flowstone.load(Total)).toBe(12);
    expect((await flowstone.runs()).items).toHaveLength(1);
    const database: DataSource = app.get(FLOWSTONE_DATA_SOURCE);
    expect(await violations(database, recordedValues(database, join(options.directory!, 'values')))).toEqual([]);
    expect(await database.query(`SELECT partition, letter, n FROM public.letters ORDER BY partition, n`)).toEqual(
      ['a', 'b', 'c', 'd'].flatMap((letter) => [0, 1, 2].map((n) => ({ partition: letter, letter, n }))),
    );
    const [rescues] = await database.query<[{ rescued: number }]>(
      `SELECT count(*)::integer AS rescued FROM flowstone.events WHERE kind = 'materialization.rescued'`,
    );
    const [letters] = await database.query<[Survival['letters']]>(
      `SELECT count(*) FILTER (WHERE m.epoch = 1)::integer AS kept, count(*) FILTER (WHERE m.epoch > 1)::integer AS again
      FROM flowstone.materializations m JOIN flowstone.assets a ON a.id = m.asset_id WHERE a.key = 'letters'`,
    );
    return { found, rescued: rescues.rescued, letters };
  } finally {
    await app.close();
  }
}
