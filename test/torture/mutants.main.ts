// The mutants' command: `npm run torture:mutants -- [NAME ...] [--seed S]`, all without names. A table goes to stdout;
// exit code 1: a mutant survives.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { MUTANTS } from './mutants.js';
import { tryMutant } from './trial.js';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seed: { type: 'string' } } });
const unknown = positionals.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
if (unknown.length > 0) {
  throw new Error(`No such mutant: ${unknown.join(', ')}. There are ${MUTANTS.map(({ name }) => name).join(', ')}.`);
}
const chosen = positionals.length === 0 ? MUTANTS : MUTANTS.filter(({ name }) => positionals.includes(name));
const seed = values.seed === undefined ? randomInt(2 ** 30) : Number(values.seed);
const width = Math.max(...chosen.map(({ name }) => name.length));
let survivors = 0;
for (const mutant of chosen) {
  const { caughtBy } = await tryMutant(mutant, seed, (what) => void process.stderr.write(`${what}\n`));
  if (caughtBy === undefined) survivors++;
  const fate = caughtBy === undefined ? `SURVIVES without ${mutant.without}` : `caught: ${caughtBy}`;
  process.stdout.write(`${mutant.name.padEnd(width)}  ${fate}\n`);
}
process.stdout.write(`${chosen.length - survivors} of ${chosen.length} mutants caught (seed ${seed})\n`);
process.exitCode = survivors === 0 ? 0 : 1;
