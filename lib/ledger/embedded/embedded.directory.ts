// The data directory of the embedded database: found whole, or made whole beside its place and then renamed into it.
// What is in it is PostgreSQL's; who may use it is embedded.lock.ts's.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, normalize, sep } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { FlowStoneError } from '../../flowstone.errors.js';
import { EmbeddedEngine, EngineError, type EngineSettings } from './embedded.engine.js';

const DATA = 'postgres';
const UNFINISHED = 'postgres.unfinished';
const DISK_FULL = /No space left on device|Disk quota exceeded/;
const BLOCK = 512;
const FILES_AT_ONCE = 32;

/**
 * Makes sure that there is a whole data directory in `directory`, which must be locked, and returns its path.
 * A process killed in here leaves only `postgres.unfinished`, which the next one removes.
 */
export async function prepareDataDirectory(directory: string, snapshot: string | undefined): Promise<string> {
  const data = join(directory, DATA);
  const unfinished = join(directory, UNFINISHED);
  await rm(unfinished, { recursive: true, force: true });
  if (existsSync(data)) {
    // PGlite would make a new database over the remains.
    if (!existsSync(join(data, 'PG_VERSION'))) throw corrupt(data, 'it has no file PG_VERSION');
    // PostgreSQL's own lock, which says nothing here (each PGlite has the same pid): killed between its creation and its
    // writing, it is empty, and PostgreSQL would refuse that for good.
    await rm(join(data, 'postmaster.pid'), { force: true });
    return data;
  }
  if (snapshot === undefined) {
    await (await EmbeddedEngine.start({ directory: unfinished })).close();
  } else {
    await unpack(await promisify(gunzip)(await readFile(snapshot)), unfinished);
  }
  await rename(unfinished, data);
  return data;
}

/** Starts PGlite on a data directory, and says what is the matter with it where that fails. */
export async function startEngine(settings: EngineSettings & { readonly directory: string }): Promise<EmbeddedEngine> {
  try {
    return await EmbeddedEngine.start(settings);
  } catch (error) {
    throw error instanceof EngineError ? failureToStart(settings.directory, error) : error;
  }
}

/**
 * What PostgreSQL says it cannot start for. A full disk is no damage: what was committed is there, and whoever was told to
 * put a backup in its place would lose it.
 */
export function failureToStart(directory: string, error: EngineError): FlowStoneError {
  const said = [...error.stderr, error.message].join('\n');
  const versions = /initialized by PostgreSQL version (\S+),[^]*?version (\d+)/.exec(said);
  if (versions !== null) return otherVersion(directory, versions[1] ?? '', versions[2] ?? '', error);
  const reason = /(?:FATAL|PANIC): +(.*)/.exec(said)?.[1] ?? error.message;
  return DISK_FULL.test(said) ? diskFull(directory, reason, error) : corrupt(directory, reason, error);
}

/** Only what dumpDataDir writes: files and directories with short names. */
async function unpack(tar: Buffer, target: string): Promise<void> {
  await mkdir(target, { recursive: true, mode: 0o700 });
  let writing: Promise<void>[] = [];
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0;) {
    const name = text(tar, at, 100);
    const size = parseInt(text(tar, at + 124, 12), 8) || 0;
    const isDirectory = text(tar, at + 156, 1) === '5';
    const path = join(target, normalize(name));
    if (!path.startsWith(target + sep)) throw new Error(`The snapshot holds the path ${name}`);
    if (isDirectory) await mkdir(path, { recursive: true, mode: 0o700 });
    else writing.push(writeFile(path, tar.subarray(at + BLOCK, at + BLOCK + size), { mode: 0o600 }));
    if (writing.length === FILES_AT_ONCE) {
      await Promise.all(writing);
      writing = [];
    }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  await Promise.all(writing);
}

function text(tar: Buffer, at: number, length: number): string {
  return tar
    .toString('latin1', at, at + length)
    .replace(/\0[^]*$/, '')
    .trim();
}

function corrupt(data: string, reason: string, cause?: EngineError): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_EMBEDDED_CORRUPT',
    `The embedded database in ${data} cannot be opened: ${reason}. Put a backup of ${dirname(data)} in its place, ` +
      'or move it away to start with an empty one.',
    { context: { directory: data, output: cause?.stderr ?? [] }, cause },
  );
}

function diskFull(data: string, reason: string, cause: EngineError): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_EMBEDDED_STOPPED',
    `The disk of the embedded database in ${data} is full: ${reason}. What was committed is kept; make room, and the next ` +
      'statement opens it again.',
    { context: { directory: data, output: cause.stderr }, cause },
  );
}

function otherVersion(data: string, found: string, needed: string, cause: Error): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_EMBEDDED_VERSION_MISMATCH',
    `The embedded database in ${data} is one of PostgreSQL ${found}, the installed @electric-sql/pglite is ` +
      `PostgreSQL ${needed}. Install the version of @electric-sql/pglite that made it and copy the data with pg_dump, ` +
      'or move the directory away to start with an empty one.',
    { context: { directory: data, found, needed }, cause },
  );
}
