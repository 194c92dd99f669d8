// The I/O manager that docs/io.md shows passes the suite it recommends.
import { describe, it } from '@jest/globals';
import { runIoConformance } from 'nestjs-flowstone/testing';
import { BucketIoManager, type Bucket } from './bucket.io-manager.js';

function bucketInMemory(): Bucket {
  const blobs = new Map<string, string>();
  return {
    put: async (name, text) => void blobs.set(name, text),
    get: async (name) => blobs.get(name),
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
    inMemory: true,
  },
);
