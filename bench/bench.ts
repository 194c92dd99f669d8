// The bench command: `npm run bench -- [NAME ...] [--json] [--rounds N] [--smoke]`. Cases stand in cases/.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { caseNames, loadCase } from './catalogue.js';
import { resultsPage, terminalTable } from './report.js';
import { measureRounds } from './round.js';
import { judge, type CaseVerdict } from './verdict.js';

const DEFAULT_ROUNDS = 3;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    // One round, to see that the cases still run: bars are shown but do not count.
    smoke: { type: 'boolean', default: false },
  },
});

async function runCase(name: string): Promise<CaseVerdict> {
  const bench = await loadCase(name);
  const rounds = values.smoke ? 1 : Number(values.rounds ?? bench.rounds ?? DEFAULT_ROUNDS);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds takes a whole number from 1, not "${values.rounds}".`);
  const verdict = judge(name, bench, await measureRounds(name, bench, rounds));
  process.stdout.write(`${terminalTable(bench.title, verdict)}\n`);
  if (values.json) process.stdout.write(`${JSON.stringify(verdict)}\n`);
  return verdict;
}

const verdicts: CaseVerdict[] = [];
for (const name of positionals.length > 0 ? positionals : await caseNames()) verdicts.push(await runCase(name));
if (positionals.length === 0 && !values.smoke)
  await writeFile(join('bench', 'RESULTS.md'), await resultsPage(verdicts));
if (!values.smoke && verdicts.some((verdict) => !verdict.ok)) process.exitCode = 1;
