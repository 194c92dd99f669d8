// Shows verdicts: a table for the terminal, and RESULTS.md with the machine they were measured on.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { freshDatabase } from '../test/services/services.js';
import { redisVersion } from './bull.peer.js';
import { peerVersions } from './peers.js';
import type { Runs } from './round.js';
import type { CaseVerdict } from './verdict.js';

const PACKAGES = ['@nestjs/core', 'typeorm', 'pg', '@electric-sql/pglite', 'bull'];

/** Rows of one case: a line per bar, then every figure of every round. */
export function terminalTable(title: string, verdict: CaseVerdict): string {
  const rows = verdict.measures.map(({ measure, ours, peer, unit, ratio, bar, ok }) => [
    ok ? 'ok' : 'MISSED',
    measure,
    `${rounded(ours)} ${unit}`,
    peer === null ? '' : `peer ${rounded(peer)} ${unit}`,
    ratio === null ? '' : `ratio ${rounded(ratio)}`,
    `bar ${bar}`,
  ]);
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`);
  return [`[${verdict.case}] ${title}`, ...lines.map((line) => line.trimEnd()), figureLines(verdict.runs)].join('\n');
}

/** A line per figure with its value in every round. */
export function figureLines(runs: Runs): string {
  return Object.entries(runs)
    .map(([figure, values]) => `    ${figure}: ${values.map(rounded).join(', ')}\n`)
    .join('');
}

/** The text of RESULTS.md. */
export async function resultsPage(verdicts: readonly CaseVerdict[]): Promise<string> {
  const rows = verdicts.flatMap((verdict) =>
    verdict.measures.map(
      ({ measure, ours, peer, unit, ratio, bar, ok }) =>
        `| ${verdict.case} | ${measure} | ${rounded(ours)} ${unit} | ${peer === null ? '' : `${rounded(peer)} ${unit}`} | ${
          ratio === null ? '' : rounded(ratio)
        } | ${bar} | ${ok ? 'yes' : '**no**'} |`,
    ),
  );
  return [
    '# Bench results',
    '',
    'Written by `npm run bench`; medians. What each case measures: [README.md](README.md) and `cases/`.',
    '',
    `- Date: ${new Date().toISOString().slice(0, 10)}, commit ${commit()}`,
    ...(await machine()).map((line) => `- ${line}`),
    '',
    '| case | measure | ours | peer | ratio | bar | reached |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

async function machine(): Promise<string[]> {
  const [processor] = cpus();
  const versions = [...PACKAGES.map((name) => `${name} ${packageVersion(name)}`), ...peerVersions()].join(', ');
  return [
    `Machine: ${cpus().length} x ${processor?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release().split('-')[0]}`,
    `Node.js ${process.version}, PostgreSQL ${await postgresVersion()}, Redis ${await redisVersion()}, ${versions}`,
  ];
}

async function postgresVersion(): Promise<string> {
  const database = await freshDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  await client.end();
  await database.drop();
  return rows[0]?.server_version.split(' ')[0] ?? 'unknown';
}

function packageVersion(name: string): string {
  const file: { version: string } = JSON.parse(readFileSync(join('node_modules', name, 'package.json'), 'utf8'));
  return file.version;
}

function commit(): string {
  return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
}

function rounded(value: number): string {
  const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  return Number(value.toFixed(digits)).toLocaleString('en-US', { maximumFractionDigits: digits });
}
