// Tools that tests run beside PostgreSQL and Redis: an S3 server, and two readers of Parquet files that are not ours.
// Found on PATH, else in a folder with a newer Debian.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { inDebianFolder, requireDebianFolder } from './debian-folder.mjs';

const execute = promisify(execFile);

/** One folder for all tools: a machine installs once. moto_server starts with flask-cors only, and its package does not ask for it. */
const PACKAGES = ['python3-moto', 'python3-flask-cors', 'python3-pyarrow', 'duckdb'];

/**
 * @typedef {object} Tool
 * @property {string} title for people
 * @property {readonly [string, ...string[]]} probe a command that succeeds where the tool is on PATH
 * @property {readonly string[]} remedies what a person can do instead
 *
 * @typedef {object} Place where a tool was found
 * @property {string} root the folder that the tool sees as `/`; empty: it sees the machine's own
 * @property {(program: string, args: readonly string[]) => Invocation} invoke
 *
 * @typedef {object} Invocation
 * @property {string} command
 * @property {string[]} args
 * @property {NodeJS.ProcessEnv} [env]
 */

/** @type {Tool} */
export const MOTO = {
  title: 'an S3 server',
  probe: ['moto_server', '--version'],
  remedies: [
    'start it with "docker compose up -d s3" and set the variables that compose.yaml names;',
    `install it, e.g. "pip install 'moto[server]'", and see that moto_server is on PATH;`,
    'set S3_ENDPOINT to the URL of a server, and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION as it wants them.',
  ],
};

/** @type {Tool} */
export const DUCKDB = {
  title: 'the duckdb command',
  probe: ['duckdb', '--version'],
  remedies: ['install it from https://duckdb.org and see that duckdb is on PATH.'],
};

/** @type {Tool} */
export const PYARROW = {
  title: 'Python with pyarrow',
  probe: ['python3', '-c', 'import pyarrow.parquet'],
  remedies: ['install it, e.g. "pip install pyarrow", such that python3 on PATH finds it.'],
};

/**
 * Where `tool` is: on PATH, or in the Debian folder, which root on Debian and its like makes. Throws an error that says
 * what a person can do instead.
 * @param {Tool} tool
 * @returns {Promise<Place>}
 */
export async function requireTool({ title, probe, remedies }) {
  const [program, ...args] = probe;
  const found = await execute(program, args).then(
    () => true,
    () => false,
  );
  if (found) return { root: '', invoke: (command, rest) => ({ command, args: [...rest] }) };
  try {
    const folder = await requireDebianFolder(PACKAGES);
    return { root: folder, invoke: (command, rest) => inDebianFolder(folder, command, rest) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      [
        `The tests need ${title}: "${probe.join(' ')}" does not succeed, and ${reason}.`,
        'Do one of these and run the tests again:',
        ...remedies.map((remedy) => `  - ${remedy}`),
      ].join('\n'),
      { cause: error },
    );
  }
}
