// The bench command: what it takes stands in README.md, the cases in cases/.
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { BenchCase } from './bench.case.js';
import { caseNames, loadCase } from './catalogue.js';
import { figureLines, resultsPage, terminalTable } from './report.js';
import { measureRounds, type Runs } from './round.js';
import { judge, type CaseVerdict } from './verdict.js';

const DEFAULT_ROUNDS = 3;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    // One round, to see that the cases still run: bars are shown but do not count.
    smoke: { type: 'boolean', default: false },
    // These parts only: their figures are shown, nothing is judged.
    only: { type: 'string' },
    'cpu-profile': { type: 'string' },
  },
});
const only = values.only?.split(',');
const whole = positionals.length === 0 && !values.smoke && only === undefined;

function measure(name: string, bench: BenchCase): Promise<Runs> {
  const rounds = values.smoke ? 1 : Number(values.rounds ?? bench.rounds ?? DEFAULT_ROUNDS);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds takes a whole number from 1, not "${values.rounds}".`);
  const profiles = values['cpu-profile'];
  const nodeOptions = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profiles)}`];
  return measureRounds(name, bench, { rounds, smoke: values.smoke, only, nodeOptions });
}

async function runCase(name: string, bench: BenchCase): Promise<CaseVerdict> {
  const verdict = judge(name, bench, await measure(name, bench));
  process.stdout.write(`${terminalTable(bench.title, verdict)}\n`);
  if (values.json) process.stdout.write(`${JSON.stringify(verdict)}\n`);
  return verdict;
}

const verdicts: CaseVerdict[] = [];
for (const name of positionals.length > 0 ? positionals : await caseNames()) {
  const bench = await loadCase(name);
  if (only === undefined) verdicts.push(await runCase(name, bench));
  else process.stdout.write(`[${name}] ${only.join(', ')}\n${figureLines(await measure(name, bench))}\n`);
}
if (whole) await writeFile(join('bench', 'RESULTS.md'), await resultsPage(verdicts));
if (!values.smoke && verdicts.some((verdict) => !verdict.ok)) process.exitCode = 1;
