// Whether anyone notices a mutant: the torture, longer each time until it does, or the test that is named for it.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { makeMutant, type Mutant } from './mutant.js';
import { torture } from './torture.js';

/** Seconds of torture, one after the other until the mutant is caught. */
const PATIENCE = [12, 25, 60];

export interface Trial {
  readonly mutant: Mutant;
  /** By what: violations, or failed tests. Undefined: it survives. */
  readonly caughtBy: string | undefined;
}

/** @param seed of the first torture */
export async function tryMutant(mutant: Mutant, seed: number, tell: (what: string) => void): Promise<Trial> {
  await using project = await makeMutant(mutant);
  if (mutant.test !== undefined) return { mutant, caughtBy: await failedTests(project.root, mutant.test) };
  for (const [round, seconds] of PATIENCE.entries()) {
    tell(`mutant ${mutant.name}: ${seconds} s with seed ${seed + round}`);
    const { violations, ok } = await torture({
      ...{ seconds, seed: seed + round, workers: 4, build: project.build, keep: false },
      tell: (what) => (/^\w+: /.test(what) ? tell(`  ${what}`) : undefined),
    });
    const caughtBy = Object.entries(violations).map(([invariant, count]) => `${invariant} ${count}`);
    if (!ok) return { mutant, caughtBy: caughtBy.join(', ') };
  }
  return { mutant, caughtBy: undefined };
}

async function failedTests(root: string, test: string): Promise<string | undefined> {
  const child = spawn(process.execPath, ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', test], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [, failed] = /^\d+ passed, (\d+) failed$/m.exec(out) ?? [];
  // A suite that cannot even start catches nothing.
  if (failed === undefined || /Test suite failed to run/.test(err)) throw new Error(`${test} did not run:\n${err}`);
  return failed === '0' ? undefined : `${failed} failed in ${test}`;
}
