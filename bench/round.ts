// Runs the parts of a case in fresh processes and collects their figures, round by round.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchCase, Figures } from './bench.case.js';
import type { Sample } from './sample.process.js';

/** A part that has not ended by then hangs. */
const PART_TIMEOUT_MS = 15 * 60_000;

/** Every figure of every round, by name, in the order of the rounds. */
export type Runs = Readonly<Record<string, readonly number[]>>;

/** How often and how much of a case is measured. */
export interface Extent {
  readonly rounds: number;
  readonly smoke: boolean;
  /** Names of parts; undefined: all, and what is derived from them. */
  readonly only?: readonly string[] | undefined;
  /** Options for Node.js besides the case's own. */
  readonly nodeOptions: readonly string[];
}

/** Measures all rounds of a case. Rejects when a part fails. */
export async function measureRounds(name: string, bench: BenchCase, extent: Extent): Promise<Runs> {
  const runs: Record<string, number[]> = {};
  for (let round = 0; round < extent.rounds; round += 1) {
    const parts = extent.only ?? Object.keys(bench.parts);
    // Whoever runs first may find the machine in another state: the order alternates.
    const figures = await measureParts(name, bench, round % 2 === 0 ? parts : parts.toReversed(), extent);
    for (const [figure, value] of Object.entries(figures)) (runs[figure] ??= []).push(value);
  }
  return runs;
}

async function measureParts(
  name: string,
  bench: BenchCase,
  parts: readonly string[],
  { smoke, only, nodeOptions }: Extent,
): Promise<Figures> {
  const figures: Record<string, number> = {};
  for (const part of parts) {
    const sample = await measurePart(name, part, smoke, [...(bench.nodeOptions ?? []), ...nodeOptions]);
    Object.assign(figures, sample.figures, { [`${part}.memory`]: sample.memory });
  }
  return only === undefined ? { ...figures, ...bench.derive?.(figures) } : figures;
}

async function measurePart(
  name: string,
  part: string,
  smoke: boolean,
  nodeOptions: readonly string[],
): Promise<Sample> {
  const directory = await mkdtemp(join(tmpdir(), 'flowstone-bench-'));
  try {
    const sampler = fork(join(import.meta.dirname, 'sample.process.js'), [name, part, directory, String(smoke)], {
      execArgv: [...process.execArgv, ...nodeOptions],
      timeout: PART_TIMEOUT_MS,
      // So that a figure may be NaN, which misses every bar.
      serialization: 'advanced',
      // What a part prints is no result: standard output belongs to the report.
      stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    });
    let sample: Sample | undefined;
    sampler.on('message', (message) => {
      sample = message as Sample;
    });
    const [code, signal] = await once(sampler, 'exit');
    if (code !== 0 || sample === undefined)
      throw new Error(`Part "${part}" of "${name}" ended with ${signal ?? code}.`);
    return sample;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
