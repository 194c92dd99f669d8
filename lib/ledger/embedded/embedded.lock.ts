// The lock on an embedded database's directory: one process at a time, by files `lock.<n>` of which the highest counts.
// The operating system offers Node no lock that ends with its process, so whether a holder lives is found out here.
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { FlowStoneError } from '../../flowstone.errors.js';

/** How long a holder that cannot be seen from here (another machine or container) may show no sign of life. */
const SILENCE_MS = 30_000;

/** Who holds a directory, as written in its lock file. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** Of the kernel's start; null where the system has none. */
  readonly boot: string | null;
  /** Of the process's start, in the kernel's clock ticks; null where the system has none. Tells a reused pid. */
  readonly started: string | null;
  readonly since: string;
  /** Given up in an orderly way: whoever comes next may have it. */
  readonly released: boolean;
}

/** A directory that is ours until `release`, or until this process ends. */
export interface DirectoryLock {
  /** Its modification time is to be renewed at least every {@link SILENCE_MS} / 3. */
  readonly file: string;
  /** Whether nobody has taken it over meanwhile. */
  isHeld(): boolean;
  release(): void;
}

/**
 * Takes the directory (created if missing), also from a holder that is dead. Never two at once, however many try.
 * @param silence milliseconds to watch a holder on another machine before it counts as dead
 * @throws FlowStoneError FLOWSTONE_EMBEDDED_DIRECTORY_LOCKED, naming the holder, if it lives
 */
export async function lockDirectory(directory: string, silence: number = SILENCE_MS): Promise<DirectoryLock> {
  mkdirSync(directory, { recursive: true });
  for (;;) {
    const generation = newestGeneration(directory);
    const file = lockFile(directory, generation);
    const holder = generation === 0 ? undefined : readHolder(file);
    if (holder !== undefined && !holder.released && (await lives(holder, file, silence))) {
      throw refusal(directory, file, holder);
    }
    // Gone meanwhile: somebody else has moved on, look again. Unreadable (undefined) but there: taken over.
    if (generation !== 0 && newestGeneration(directory) !== generation) continue;
    const taken = take(directory, generation + 1);
    if (taken !== undefined) return taken;
  }
}

/**
 * Generations only grow, and the newest file is never deleted, only marked as released. So of all who try to follow
 * generation n one creates n + 1; and one who comes so late that n + 1 is deleted again sees a newer one behind it.
 */
function take(directory: string, generation: number): DirectoryLock | undefined {
  const file = lockFile(directory, generation);
  const draft = join(directory, `lock-draft-${randomUUID()}`);
  const mine: LockHolder = { ...thisProcess(), since: new Date().toISOString(), released: false };
  writeFileSync(draft, JSON.stringify(mine));
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  } finally {
    unlinkSync(draft);
  }
  if (newestGeneration(directory) !== generation) {
    unlinkSync(file);
    return undefined;
  }
  for (const older of generations(directory)) if (older < generation) remove(lockFile(directory, older));
  const isHeld = (): boolean => newestGeneration(directory) === generation;
  return {
    file,
    isHeld,
    release: () => {
      if (!isHeld()) return;
      writeFileSync(draft, JSON.stringify({ ...mine, released: true }));
      renameSync(draft, file);
    },
  };
}

async function lives(holder: LockHolder, file: string, silence: number): Promise<boolean> {
  const here = thisProcess();
  if (holder.host === here.host) {
    // Another start of this machine: nothing of the one before it runs any more.
    if (holder.boot !== null && here.boot !== null && holder.boot !== here.boot) return false;
    if (!pidLives(holder.pid)) return false;
    const started = processStart(holder.pid);
    return holder.started === null || started === null || holder.started === started;
  }
  return showsLife(file, silence);
}

/** Watches for a change rather than comparing ages, since clocks of machines differ. */
async function showsLife(file: string, silence: number): Promise<boolean> {
  const before = modified(file);
  const end = performance.now() + silence;
  while (performance.now() < end) {
    await wait(Math.min(1_000, silence / 10));
    if (modified(file) !== before) return true;
  }
  return false;
}

function thisProcess(): Pick<LockHolder, 'pid' | 'host' | 'boot' | 'started'> {
  return {
    pid: process.pid,
    host: hostname(),
    boot: readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? null,
    started: processStart(process.pid),
  };
}

function pidLives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, but belongs to somebody else.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Field 22 of /proc/<pid>/stat, counted behind the command's closing parenthesis: the command may hold anything. */
function processStart(pid: number): string | null {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

const LOCK_NAME = /^lock\.(\d+)$/;

function lockFile(directory: string, generation: number): string {
  return join(directory, `lock.${generation}`);
}

function generations(directory: string): number[] {
  return readdirSync(directory).flatMap((name) => Number(LOCK_NAME.exec(name)?.[1] ?? []));
}

function newestGeneration(directory: string): number {
  return Math.max(0, ...generations(directory));
}

function readHolder(file: string): LockHolder | undefined {
  const text = readIfThere(file);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as LockHolder);
  } catch {
    return undefined;
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function modified(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function remove(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    // Another one who took over cleans up as well.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function refusal(directory: string, file: string, holder: LockHolder): FlowStoneError {
  const who =
    holder.pid === process.pid && holder.host === hostname()
      ? 'this very process (open it once and share it)'
      : `process ${holder.pid} on ${holder.host}`;
  return new FlowStoneError(
    'FLOWSTONE_EMBEDDED_DIRECTORY_LOCKED',
    `The directory ${directory} is in use by ${who} since ${holder.since}; an embedded database serves one process ` +
      'at a time. Stop that process, give this one another directory, or use a PostgreSQL server for several. ' +
      `If you are certain that it is gone, delete ${file}.`,
    { context: { directory, file, holder } },
  );
}
