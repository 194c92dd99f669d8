// Opening and closing the embedded database: lock, data directory, engine, and the driver that TypeORM gets.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { FlowStoneError } from '../../flowstone.errors.js';
import { prepareDataDirectory, startEngine } from './embedded.directory.js';
import { embeddedDriver, type EmbeddedDriver } from './embedded.driver.js';
import { EmbeddedEngine } from './embedded.engine.js';
import { lockDirectory } from './embedded.lock.js';

/** Where the database lives, and what a new one starts from. */
export type EmbeddedDatabaseOptions = (
  { readonly directory: string; readonly memory?: false } | { readonly memory: true; readonly directory?: undefined }
) & {
  /**
   * Path of a gzipped dump to start an empty database from, by default the one that the build makes.
   * Without one PostgreSQL's initdb runs, which takes seconds and some 0.8 GB of memory.
   */
  readonly snapshot?: string;
};

/** A PostgreSQL inside this process. */
export interface EmbeddedDatabase {
  /** For TypeORM: `new DataSource({ type: 'postgres', driver, installExtensions: false, uuidExtension: 'pgcrypto' })`. */
  readonly driver: EmbeddedDriver;
  /** The data directory as a gzip-able tar archive, for {@link EmbeddedDatabaseOptions.snapshot}. */
  dump(): Promise<Uint8Array>;
  /** Ends what still runs on it, then gives the directory free. Idempotent. */
  close(): Promise<void>;
}

interface Home {
  start(): Promise<EmbeddedEngine>;
  /** Whether a stopped engine may be started again. */
  isOurs(): boolean;
  leave(): void;
}

/**
 * Opens a PostgreSQL (PGlite) in a thread of this process. SQL, errors and types are PostgreSQL's; there is one
 * session, so that statements and transactions queue. A killed process loses nothing that was committed; a power
 * failure may, since it does not fsync.
 * @throws FlowStoneError FLOWSTONE_PACKAGE_MISSING, FLOWSTONE_EMBEDDED_DIRECTORY_LOCKED, FLOWSTONE_EMBEDDED_CORRUPT,
 * FLOWSTONE_EMBEDDED_VERSION_MISMATCH; FLOWSTONE_EMBEDDED_STOPPED: the disk is full
 */
export async function openEmbeddedDatabase(options: EmbeddedDatabaseOptions): Promise<EmbeddedDatabase> {
  const postgres = await loadPg();
  const snapshot = options.snapshot ?? builtSnapshot();
  const home =
    options.directory === undefined ? homeInMemory(snapshot) : await homeInDirectory(options.directory, snapshot);
  let engine: EmbeddedEngine;
  try {
    engine = await home.start();
  } catch (error) {
    home.leave();
    throw error;
  }
  let closed = false;
  // Shared by all who ask meanwhile; one that fails (a full disk) is tried again by who asks next.
  let restarting: Promise<void> | undefined;
  const restart = async (): Promise<void> => {
    try {
      engine = await home.start();
    } finally {
      restarting = undefined;
    }
  };
  const provide = async (): Promise<EmbeddedEngine> => {
    if (engine.failure !== undefined && !closed && home.isOurs()) await (restarting ??= restart());
    return engine;
  };
  return {
    driver: embeddedDriver(postgres, provide),
    dump: () => engine.dump(),
    close: async () => {
      if (closed) return;
      closed = true;
      await restarting?.catch(() => undefined);
      await engine.close();
      home.leave();
    },
  };
}

function homeInMemory(snapshot: string | undefined): Home {
  return {
    start: () => EmbeddedEngine.start({ ...(snapshot === undefined ? {} : { loadSnapshot: snapshot }) }),
    // A new engine would come up empty, and nobody would be told.
    isOurs: () => false,
    leave: () => {},
  };
}

async function homeInDirectory(given: string, snapshot: string | undefined): Promise<Home> {
  const directory = resolve(given);
  const lock = await lockDirectory(directory);
  return {
    start: async () => startEngine({ directory: await prepareDataDirectory(directory, snapshot), lockFile: lock.file }),
    isOurs: () => lock.isHeld(),
    leave: () => lock.release(),
  };
}

/** Compiled, it lies beside this file; from source (tests), where the build put it. */
function builtSnapshot(): string | undefined {
  return ['./snapshot.tar.gz', '../../../dist/lib/ledger/embedded/snapshot.tar.gz']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path));
}

async function loadPg(): Promise<typeof pg> {
  try {
    return (await import('pg')).default;
  } catch (cause) {
    throw new FlowStoneError(
      'FLOWSTONE_PACKAGE_MISSING',
      'The embedded database needs the package pg: run `npm install pg`.',
      { context: { package: 'pg' }, cause },
    );
  }
}
