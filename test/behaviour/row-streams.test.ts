// Assets that give a stream of Node for rows: one that fails before anybody asks for rows, and one of which nobody does.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  Asset,
  Partitions,
  type BatchContext,
  type BatchItem,
  type BatchResults,
  type FlowStoneService,
  type IoManager,
} from '../../lib/index.js';
import { gate, startApp } from './graph.js';

function failing(): Readable {
  const stream = new Readable({ objectMode: true, read: () => undefined });
  stream.destroy(new Error('no such file'));
  return stream;
}

let streams: Readable[] = [];
const begun = gate();
const cancelled = gate();

@Asset({ io: 'filesystem' })
class Sync {
  execute(): Readable {
    return failing();
  }
}
@Asset({ io: 'filesystem' })
class Later {
  async execute(): Promise<Readable> {
    await turn();
    return failing();
  }
}
@Asset({ io: 'filesystem', partitions: Partitions.static(['a', 'b']), batch: { size: 2 } })
class Batched {
  async *executeMany(_: BatchContext, items: readonly BatchItem[]): BatchResults<Readable | object[]> {
    for (const { partition } of items) yield [partition.key, partition.key === 'a' ? failing() : [{ n: 1 }]];
  }
}
@Asset({ io: 'filesystem' })
class Late {
  async execute(): Promise<Readable> {
    begun.open();
    await cancelled.opened;
    const stream = new Readable({ objectMode: true, read: () => undefined });
    streams.push(stream);
    return stream;
  }
}
@Asset({ io: 'full' })
class Refused {
  execute(): Readable {
    const stream = Readable.from([{ n: 1 }]);
    streams.push(stream);
    return stream;
  }
}

const full: IoManager = {
  versions: 'kept',
  store: async () => {
    throw new Error('there is no room');
  },
  load: async () => undefined,
  delete: async () => undefined,
};

describe('a stream of Node as rows', () => {
  let directory: string;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flowstone-'));
    const options = { storage: 'memory', directory, managers: { full }, cancelGrace: 0 } as const;
    ({ app, flowstone } = await startApp([Sync, Later, Batched, Late, Refused], options));
  });
  afterAll(async () => {
    await app.close();
    await rm(directory, { recursive: true });
  });

  const failuresOf = async (asset: typeof Sync | typeof Later) => {
    await (await flowstone.materialize(asset)).wait().catch(() => undefined);
    return (await flowstone.history(asset)).items.map(({ error }) => error?.message);
  };

  it.each([Sync, Later])('that fails before it is read fails its asset, and not the process (%p)', async (asset) => {
    expect(await failuresOf(asset)).toEqual([expect.stringContaining('no such file')]);
  });

  it('that fails in a batch fails its partition alone', async () => {
    await (await flowstone.materialize(Batched, { partitions: 'all' })).wait().catch(() => undefined);
    const errorOf = async (partition: string) => (await flowstone.history(Batched, { partition })).items[0]!.error;
    expect(await errorOf('a')).toMatchObject({ message: expect.stringContaining('no such file') });
    expect(await errorOf('b')).toBeNull();
  });

  it('is closed when it comes after its run was cancelled', async () => {
    streams = [];
    const run = await flowstone.materialize(Late);
    await begun.opened;
    await run.cancel();
    await run.wait().catch(() => undefined);
    cancelled.open();
    while (!streams[0]?.closed) await turn();
    expect(streams).toHaveLength(1);
  });

  it('is closed when its value is not stored', async () => {
    streams = [];
    expect(await failuresOf(Refused)).toEqual([expect.stringContaining('there is no room')]);
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([true]);
  });
});
