// The I/O manager that docs/io.md shows passes the suite it recommends.
import { describe, it } from '@jest/globals';
import { runIoConformance } from 'nestjs-flowstone/testing';
import { BucketIoManager, type Bucket } from './bucket.io-manager.js';

function bucketInMemory(): Bucket {
  const blobs = new Map<string, Uint8Array>();
  return {
    put: async (name, bytes) => void blobs.set(name, bytes.slice()),
    get: async (name) => blobs.get(name)?.slice(),
    remove: async (name) => void blobs.delete(name),
  };
}

const unreachable = async (): Promise<never> => {
  throw new Error('no route to host');
};

runIoConformance(
  { describe, it },
  {
    name: 'bucket',
    create: () => new BucketIoManager(bucketInMemory()),
    createBroken: () => new BucketIoManager({ put: unreachable, get: unreachable, remove: unreachable }),
    stores: ['bytes'],
  },
);
