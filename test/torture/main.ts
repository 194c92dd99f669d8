// The torture command: `npm run torture -- [--seconds N] [--seed S] [--workers N] [--mutant NAME] [--keep]
// [--json]`. Progress goes to stderr; with --json the last line of stdout is the result. Exit code 1: an invariant was violated.
import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeMutant } from './mutant.js';
import { MUTANTS } from './mutants.js';
import { torture } from './torture.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    mutant: { type: 'string' },
    workers: { type: 'string', default: '5' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

const began = performance.now();
const mutant = MUTANTS.find(({ name }) => name === values.mutant);
if (values.mutant !== undefined && !mutant) {
  throw new Error(`No such mutant: ${values.mutant}. There are ${MUTANTS.map(({ name }) => name).join(', ')}.`);
}
await using project = mutant && (await makeMutant(mutant));
const result = await torture({
  seconds: wholeNumber('seconds', values.seconds),
  seed: values.seed === undefined ? randomInt(2 ** 31) : wholeNumber('seed', values.seed),
  workers: wholeNumber('workers', values.workers),
  build: project?.build ?? resolve(import.meta.dirname, '../..'),
  keep: values.keep,
  tell: (what) => void process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1)}s ${what}\n`),
});
process.stdout.write(`${values.json ? JSON.stringify(result) : JSON.stringify(result, undefined, 2)}\n`);
process.exitCode = result.ok ? 0 : 1;

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Error(`--${name} takes a whole number, not "${text}".`);
}
