// The built-in I/O managers of this step against the published suite.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it, jest } from '@jest/globals';
import { FileStore } from '../../lib/io/blobs/files/file.store.js';
import { FilesystemIoManager } from '../../lib/io/managers/filesystem.io-manager.js';
import { MemoryIoManager } from '../../lib/io/managers/memory.io-manager.js';
import { ParquetIoManager } from '../../lib/io/managers/parquet.io-manager.js';
import { runIoConformance } from '../../lib/testing/io-conformance.js';

// The largest values take seconds, and a multiple of that where the machine is busy.
jest.setTimeout(120_000);

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'flowstone-io-'));
  await writeFile(join(root, 'no-folder'), '');
});
afterAll(async () => rm(root, { recursive: true }));

runIoConformance({ describe, it }, { name: 'memory', create: () => new MemoryIoManager(), inMemory: true });

const createBroken = () => new FilesystemIoManager({ root: join(root, 'no-folder') });
const create = () => new FilesystemIoManager({ root: join(root, 'values') });
runIoConformance({ describe, it }, { name: 'filesystem', create, createBroken });
runIoConformance(
  { describe, it },
  { name: 'filesystem, as JSON lines', create, options: { format: 'jsonl' }, stores: ['rows'] },
);
runIoConformance(
  { describe, it },
  { name: 'filesystem, as bytes', create, options: { format: 'bytes' }, stores: ['bytes'] },
);
runIoConformance({ describe, it }, { name: 'filesystem, by gzip', create, options: { compression: 'gzip' } });
runIoConformance(
  { describe, it },
  {
    name: 'parquet',
    create: () => new ParquetIoManager({ store: new FileStore(join(root, 'parquet')) }),
    createBroken: () => new ParquetIoManager({ store: new FileStore(join(root, 'no-folder')) }),
    options: { schema: { id: 'double', at: 'timestamp', text: 'string', ratio: 'double', big: 'int64' } },
    stores: ['rows'],
  },
);
runIoConformance(
  { describe, it },
  { name: 'filesystem, as Parquet', create, options: { format: 'parquet', schema: 'infer' }, stores: ['rows'] },
);
