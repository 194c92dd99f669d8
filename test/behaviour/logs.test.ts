// What assets log, through the public door: kept, read and followed, on every storage.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import {
  Asset,
  Partitions,
  type AssetContext,
  type BatchContext,
  type BatchItem,
  type BatchResults,
  type FlowStoneService,
  type LogLine,
} from '../../lib/index.js';
import { gate, startApp } from './graph.js';
import { SAMPLED_STORAGES, testStorage, type TestStorage } from './storages.js';

const world: { hold: Promise<void>; attempts: number } = { hold: Promise.resolve(), attempts: 0 };

@Asset()
class Chatty {
  async execute({ log, logger }: AssetContext): Promise<number> {
    log('begins', { rows: 3, big: 7n, error: new Error('inner') });
    log.debug('in detail');
    log.warn('careful');
    await world.hold;
    logger.log('said to the logger');
    logger.warn('with details', { a: 1 });
    logger.debug('not kept');
    log.error('nearly', { nothing: undefined });
    return 1;
  }
}

@Asset({ retry: { attempts: 2, delay: '10ms' } })
class Failing {
  execute({ log, attempt }: AssetContext): number {
    log(`attempt ${attempt}`);
    throw new Error('it fails');
  }
}

@Asset()
class Endless {
  execute({ log }: AssetContext): number {
    for (let line = 0; line < 1500; line++) log(`line ${line}`);
    return 1;
  }
}

@Asset()
class Wide {
  execute({ log }: AssetContext): number {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    log('a'.repeat(20_000));
    log('circular', circular);
    log('long', { text: 'b'.repeat(20_000) });
    log('odd \0 \ud800', { odd: '\0' });
    return 1;
  }
}

@Asset()
class Silent {
  execute(): number {
    return 1;
  }
}

@Asset({ partitions: Partitions.static(['a', 'b']), batch: { size: 2 } })
class Batched {
  async *executeMany({ log }: BatchContext, items: readonly BatchItem[]): BatchResults<string> {
    for (const { partition } of items) {
      log(partition.key, 'in the batch', { key: partition.key });
      yield [partition.key, partition.key];
    }
    log('nobody', 'of no item');
  }
}

describe.each(SAMPLED_STORAGES)('logs with storage %s', (kind) => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeEach(async () => {
    storage = await testStorage(kind);
    ({ app, flowstone } = await startApp([Chatty, Failing, Endless, Wide, Silent, Batched], storage.options));
  });

  afterEach(async () => {
    world.hold = Promise.resolve();
    await app.close();
    await storage.remove();
  });

  const computed = async (asset: Parameters<FlowStoneService['materialize']>[0], partitions?: 'all') => {
    const run = await flowstone.materialize(asset, partitions ? { partitions } : {});
    await run.wait().catch(() => undefined);
    return (await flowstone.materializations(run.id)).items;
  };
  const messages = (lines: readonly LogLine[]) => lines.map(({ message }) => message);

  it('are there when the run has ended, with levels, fields and times', async () => {
    const { id, startedAt } = (await computed(Chatty))[0]!;
    const lines = await flowstone.logs(id);
    expect(lines.map(({ number, level, message, fields }) => [number, level, message, fields])).toEqual([
      [1, 'log', 'begins', { rows: 3, big: '7', error: expect.stringContaining('inner') }],
      [2, 'debug', 'in detail', null],
      [3, 'warn', 'careful', null],
      [4, 'log', 'said to the logger', null],
      [5, 'warn', 'with details', { details: [{ a: 1 }] }],
      [6, 'error', 'nearly', {}],
    ]);
    expect(lines[0]).toMatchObject({ attempt: 1, epoch: 1, at: expect.any(Date) });
    expect(Math.abs(lines[0]!.at.getTime() - startedAt!.getTime())).toBeLessThan(60_000);
    expect(messages(await flowstone.logs(id, { limit: 2 }))).toEqual(['begins', 'in detail']);
    expect(messages(await flowstone.logs(id, { after: lines[1]!, limit: 2 }))).toEqual([
      'careful',
      'said to the logger',
    ]);
    expect(await flowstone.logs(id, { after: lines.at(-1)! })).toEqual([]);
  });

  it('are kept of attempts that failed, each with its own', async () => {
    const { id, status } = (await computed(Failing))[0]!;
    expect(status).toBe('failed');
    expect((await flowstone.logs(id)).map(({ attempt, message }) => [attempt, message])).toEqual([
      [1, 'attempt 1'],
      [2, 'attempt 2'],
    ]);
  });

  it('have an end, which says what is not kept', async () => {
    const { id } = (await computed(Endless))[0]!;
    const lines = await flowstone.logs(id, { limit: 10_000 });
    expect(lines).toHaveLength(1001);
    expect(lines.at(-2)!.message).toBe('line 999');
    expect(lines.at(-1)).toMatchObject({ level: 'warn', fields: { cut: 500 } });
  });

  it('take whatever is logged, cut where it is long', async () => {
    const { id, status } = (await computed(Wide))[0]!;
    expect(status).toBe('success');
    const [long, circular, fields, odd] = await flowstone.logs(id);
    expect(long!.message).toMatch(/^a{8000}\.\.\. \(12000 more characters\)$/);
    expect(circular!.fields).toEqual({ unreadable: expect.stringContaining('Circular') });
    expect(fields!.fields).toEqual({ cut: expect.stringMatching(/more characters\)$/) });
    expect(odd!.message).toContain('odd');
  });

  it('are of each item in a batch', async () => {
    for (const { id, partition } of await computed(Batched, 'all')) {
      expect((await flowstone.logs(id)).map(({ message, fields }) => [message, fields])).toEqual([
        ['in the batch', { key: partition }],
      ]);
    }
  });

  it('are followed while they are written, to the end', async () => {
    const { opened, open } = gate();
    world.hold = opened;
    const run = await flowstone.materialize(Chatty);
    const begun = firstValueFrom(flowstone.events.of('run.planned', { run: run.id }));
    await Promise.race([begun, run.wait({ until: 'settled', timeout: '50ms' }).catch(() => undefined)]);
    let [first] = (await flowstone.materializations(run.id)).items;
    while (!first) [first] = (await flowstone.materializations(run.id)).items;
    const { id } = first;
    const all = lastValueFrom(flowstone.followLogs(id).pipe(toArray()));
    expect(await firstValueFrom(flowstone.followLogs(id))).toMatchObject({ message: 'begins' });
    open();
    const lines = await all;
    expect(messages(lines)).toEqual(['begins', 'in detail', 'careful', 'said to the logger', 'with details', 'nearly']);
    const rest = await lastValueFrom(flowstone.followLogs(id, { after: lines[3]! }).pipe(toArray()));
    expect(messages(rest)).toEqual(['with details', 'nearly']);
  });

  it('are empty of what logs nothing, and end there', async () => {
    const { id } = (await computed(Silent))[0]!;
    expect(await flowstone.logs(id)).toEqual([]);
    expect(await lastValueFrom(flowstone.followLogs(id).pipe(toArray()))).toEqual([]);
    expect(await flowstone.logs(id + 1000)).toEqual([]);
    await expect(lastValueFrom(flowstone.followLogs(id + 1000))).rejects.toMatchObject({
      code: 'FLOWSTONE_REQUEST_INVALID',
    });
    await expect(flowstone.logs(id, { after: 7 } as never)).rejects.toThrow('{ epoch, number }');
    expect(() => flowstone.followLogs(id, { limit: 7 } as never)).toThrow('limit');
  });
});
