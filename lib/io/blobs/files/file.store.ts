// Blobs as files below one root: written so that they are there whole and durable or not at all, and never outside the
// root or through a symbolic link.
import { randomUUID } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, rmdir, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { crc32 } from 'node:zlib';
import { FlowStoneError } from '../../../flowstone.errors.js';
import { ioFailed, valueNotFound, valueResized, type ValuePlace } from '../../io-failures.js';
import type { BlobStore, OpenBlob, PendingBlob } from '../blob-store.port.js';

const PATH_DEPTH = 4;
/** How often a folder may be tidied up while a file is being made in it. */
const MOST_TRIALS = 10;
const PIECE_LENGTH = 256 * 1024;

/** A directory and what is done with the files below it. */
export class FileStore implements BlobStore {
  readonly root: string;

  constructor(root: string) {
    this.root = resolve(root);
  }

  async create(place: ValuePlace, path: string, signal: AbortSignal): Promise<PendingBlob> {
    const target = this.locate(place, path);
    const temporary = `${target}.${randomUUID()}.tmp`;
    for (let trial = 1; ; trial++) {
      try {
        const changed = await this.makeFolder(place, dirname(target));
        const handle = await open(temporary, 'wx');
        return new PendingFile({ place, temporary, target, changedFolders: changed, signal }, handle);
      } catch (error) {
        // A folder that was empty just now may have been tidied up before there was a file in it.
        if (codeOf(error) !== 'ENOENT' || trial === MOST_TRIALS) throw asFailure(place, 'store', error);
      }
    }
  }

  async open(place: ValuePlace, path: string, size: number): Promise<OpenBlob> {
    const target = this.locate(place, path);
    try {
      const kind = await this.kindOf(place, target);
      if (kind !== 'file')
        throw kind === 'nothing' ? valueNotFound(place, `there is no file ${target}`) : refused(place, target);
      return await OpenFile.of(await open(target, constants.O_RDONLY | constants.O_NOFOLLOW), place, size);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw valueNotFound(place, `there is no file ${target}`, error);
      throw asFailure(place, 'load', error);
    }
  }

  async require(place: ValuePlace, path: string, size: number): Promise<void> {
    await (await this.open(place, path, size)).close();
  }

  fileOf(place: ValuePlace, path: string): string {
    return this.locate(place, path);
  }

  async exists(place: ValuePlace, path: string): Promise<boolean> {
    const target = this.locate(place, path);
    try {
      return (await this.kindOf(place, target)) === 'file';
    } catch (error) {
      throw asFailure(place, 'load', error);
    }
  }

  async delete(place: ValuePlace, path: string): Promise<void> {
    const target = this.locate(place, path);
    try {
      if ((await this.kindOf(place, target)) !== 'nothing') await unlink(target);
      await this.tidy(dirname(target));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw asFailure(place, 'delete', error);
    }
  }

  /** Empty folders on the way are removed. */
  async *paths(namespace: string): AsyncGenerator<string> {
    for (const asset of await this.foldersIn(namespace)) {
      for (const partition of await this.foldersIn(asset)) {
        const folder = resolve(this.root, partition);
        const entries = await entriesOf(folder);
        if (entries.length === 0) await this.tidy(folder);
        for (const entry of entries) if (entry.isFile()) yield `${partition}/${entry.name}`;
      }
    }
  }

  async discard(place: ValuePlace, path: string, before: Date): Promise<boolean> {
    const file = this.locate(place, path);
    try {
      if ((await this.kindOf(place, file)) !== 'file' || (await lstat(file)).mtime >= before) return false;
      await unlink(file);
      await this.tidy(dirname(file));
      return true;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw asFailure(place, 'delete', error);
      return false;
    }
  }

  /** Removes a folder that is empty, and then its parents below the namespace's. */
  private async tidy(folder: string): Promise<void> {
    const parents = this.foldersTo(folder).slice(1);
    for (const path of parents.toReversed()) {
      const removed = await rmdir(path).then(
        () => true,
        () => false,
      );
      if (!removed) return;
    }
  }

  private async foldersIn(path: string): Promise<string[]> {
    const entries = await entriesOf(resolve(this.root, path));
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${path}/${name}`);
  }

  // Paths come out of the ledger too, so that they are checked wherever they are used.
  private locate(place: ValuePlace, path: string): string {
    const target = resolve(this.root, path);
    const names = path.split('/');
    const strange = names.length !== PATH_DEPTH || names.some((name) => /^\.{0,2}$|[\\\0]/.test(name));
    if (strange || !target.startsWith(this.root + sep)) throw refused(place, path);
    return target;
  }

  /** What is at `target`, after every folder on the way was found to be a folder. */
  private async kindOf(place: ValuePlace, target: string): Promise<'file' | 'nothing' | 'other'> {
    for (const folder of this.foldersTo(dirname(target))) {
      const kind = await kindAt(folder);
      if (kind === 'nothing') return 'nothing';
      if (kind !== 'folder') throw refused(place, folder);
    }
    const kind = await kindAt(target);
    return kind === 'folder' ? 'other' : kind;
  }

  /** Makes a folder and those above it; the folders whose entries changed have to be synced. */
  private async makeFolder(place: ValuePlace, target: string): Promise<string[]> {
    const changed: string[] = [];
    for (const folder of this.foldersTo(target)) {
      let kind = await kindAt(folder);
      if (kind === 'nothing') {
        changed.push(...changedBy(await mkdir(folder, { recursive: true }), folder));
        kind = await kindAt(folder);
      }
      if (kind !== 'folder') throw refused(place, folder);
    }
    return changed;
  }

  private foldersTo(target: string): string[] {
    const names = target.slice(this.root.length + 1).split(sep);
    return names.map((_, index) => resolve(this.root, ...names.slice(0, index + 1)));
  }
}

/** A file being read. */
class OpenFile implements OpenBlob {
  private constructor(
    private readonly handle: FileHandle,
    private readonly size: number,
  ) {}

  /** Closes the handle of a file that is not of this size. */
  static async of(handle: FileHandle, place: ValuePlace, size: number): Promise<OpenFile> {
    try {
      const found = (await handle.stat()).size;
      if (found !== size) throw valueResized(place, found, size);
      return new OpenFile(handle, size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async read(start: number, end: number): Promise<Buffer> {
    const length = Math.max(0, Math.min(end, this.size) - start);
    const buffer = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length;) {
      const { bytesRead } = await this.handle.read(buffer, filled, length - filled, start + filled);
      if (bytesRead === 0) return buffer.subarray(0, filled);
      filled += bytesRead;
    }
    return buffer;
  }

  async *pieces(): AsyncGenerator<Buffer> {
    for (;;) {
      const { bytesRead, buffer } = await this.handle.read(Buffer.allocUnsafe(PIECE_LENGTH), 0, PIECE_LENGTH);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

interface PendingFileParts {
  readonly place: ValuePlace;
  readonly temporary: string;
  readonly target: string;
  /** Whose entries changed. */
  readonly changedFolders: readonly string[];
  readonly signal: AbortSignal;
}

/** A file being written under a temporary name. */
class PendingFile implements PendingBlob {
  private written = 0;
  private sum = 0;

  constructor(
    private readonly parts: PendingFileParts,
    private readonly handle: FileHandle,
  ) {}

  get size(): number {
    return this.written;
  }

  get checksum(): number {
    return this.sum;
  }

  async write(bytes: Uint8Array): Promise<void> {
    // Node's crc32 starts anew when it is given no bytes.
    this.parts.signal.throwIfAborted();
    if (bytes.length === 0) return;
    await this.attempt(() => this.handle.appendFile(bytes));
    this.written += bytes.length;
    this.sum = crc32(bytes, this.sum);
  }

  /** Gives the file its name; once this resolves, both its content and its name outlive a power cut. */
  async commit(): Promise<void> {
    const { temporary, target, changedFolders, signal } = this.parts;
    await this.attempt(async () => {
      await this.handle.sync();
      const { size } = await this.handle.stat();
      if (size !== this.written) throw new Error(`${this.written} bytes were written, the file has ${size}`);
      await this.handle.close();
    });
    signal.throwIfAborted();
    await this.attempt(async () => {
      await rename(temporary, target);
      await Promise.all([dirname(target), ...changedFolders].map(syncFolder));
    });
  }

  async discard(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    await rm(this.parts.temporary, { force: true }).catch(() => undefined);
  }

  private async attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      throw asFailure(this.parts.place, 'store', error);
    }
  }
}

/** Of a folder; of a symbolic link to one, as of nothing, none. */
async function entriesOf(path: string): Promise<Dirent[]> {
  if ((await kindAt(path)) !== 'folder') return [];
  return readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
}

async function kindAt(path: string): Promise<'file' | 'folder' | 'nothing' | 'other'> {
  try {
    const stats = await lstat(path);
    return stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'nothing';
    throw error;
  }
}

// The parents of what mkdir made, from its first folder (none: somebody else made all) to its last.
function changedBy(first: string | undefined, last: string): string[] {
  if (first === undefined) return [];
  const parents = [dirname(last)];
  while (parents.at(-1)!.length >= first.length) parents.push(dirname(parents.at(-1)!));
  return parents;
}

async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder; its file systems journal names themselves.
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function refused(place: ValuePlace, path: string): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_IO_PATH_REFUSED',
    `${path} for a value of ${place.asset} leads out of the root, through a symbolic link or to no plain file. Remove what is there.`,
    { context: { asset: place.asset, partition: place.partition ?? null, path } },
  );
}

function asFailure(place: ValuePlace, verb: string, error: unknown): FlowStoneError {
  return error instanceof FlowStoneError ? error : ioFailed(place, verb, error);
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
