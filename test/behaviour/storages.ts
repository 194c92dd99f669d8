// The storages that behaviour must be the same on: memory, PostgreSQL, embedded PostgreSQL.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FlowStoneOptions } from '../../lib/index.js';
import { freshDatabase } from '../services/services.js';

/** A place for one ledger; options may be used again to start on the same data. */
export interface TestStorage {
  readonly options: FlowStoneOptions;
  remove(): Promise<void>;
}

export const DURABLE_STORAGES = ['postgres', 'embedded'] as const;
export const STORAGES = ['memory', ...DURABLE_STORAGES] as const;

const isAll = process.env['FLOWSTONE_TEST_ALL'] === '1';

/**
 * The same without embedded PostgreSQL, for what that does by the same statements in the same way. FLOWSTONE_TEST_ALL=1 has it,
 * too.
 */
export const SERVER_STORAGES: readonly (typeof DURABLE_STORAGES)[number][] = isAll ? DURABLE_STORAGES : ['postgres'];
export const SAMPLED_STORAGES: readonly (typeof STORAGES)[number][] = ['memory', ...SERVER_STORAGES];

export async function testStorage(kind: (typeof STORAGES)[number]): Promise<TestStorage> {
  const directory = await mkdtemp(join(tmpdir(), 'flowstone-'));
  const removeFiles = (): Promise<void> => rm(directory, { recursive: true, force: true });
  if (kind !== 'postgres') return { options: { storage: kind, directory }, remove: removeFiles };
  const { url, drop } = await freshDatabase();
  const remove = async (): Promise<void> => {
    await drop();
    await removeFiles();
  };
  return { options: { storage: { url }, directory }, remove };
}
