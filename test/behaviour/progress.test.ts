// How far a run is, through the public door: as an observable, over processes, and as a stream for users of the application.
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Inject, Param, Sse, UnauthorizedException } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { filter, firstValueFrom, lastValueFrom, toArray, type Observable } from 'rxjs';
import {
  Asset,
  FlowStoneError,
  FlowStoneModule,
  FlowStoneService,
  Partitions,
  type AssetContext,
  type FlowStoneOptions,
  type ProgressMessage,
} from '../../lib/index.js';
import { gate, startApp } from './graph.js';
import { STORAGES, testStorage, type TestStorage } from './storages.js';

const SECRET = 'a secret that nobody else knows, for tests';
const world = { hold: Promise.resolve() };

@Asset({ partitions: Partitions.static(['a', 'b']) })
class Parts {
  async execute({ progress, partition }: AssetContext): Promise<string> {
    progress(1, 3);
    await world.hold;
    return partition.key;
  }
}

@Controller('progress')
class ProgressController {
  constructor(@Inject(FlowStoneService) private readonly flowstone: FlowStoneService) {}

  @Sse(':token')
  stream(@Param('token') token: string): Observable<ProgressMessage> {
    try {
      return this.flowstone.progressStream(token);
    } catch (error) {
      if (error instanceof FlowStoneError) throw new UnauthorizedException(error.message);
      throw error;
    }
  }
}

let storage: TestStorage | undefined;
const apps: (TestingModule | INestApplication)[] = [];

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  await storage?.remove();
  world.hold = Promise.resolve();
});

async function start(options: FlowStoneOptions): Promise<FlowStoneService> {
  const { app, flowstone } = await startApp([Parts], { signalSecret: SECRET, ...options });
  apps.push(app);
  return flowstone;
}

describe.each(STORAGES)('the progress of a run on %s', (kind) => {
  it('is told from where it is to its end, which is told once', async () => {
    storage = await testStorage(kind);
    const flowstone = await start(storage.options);
    const { opened, open } = gate();
    world.hold = opened;
    const run = await flowstone.materialize(Parts, { partitions: 'all' });
    const all = lastValueFrom(flowstone.progress(run.id).pipe(toArray()));
    const both = await firstValueFrom(
      flowstone.progress(run.id).pipe(filter(({ executing }) => executing.length === 2)),
    );
    expect(both.executing[0]).toMatchObject({ asset: 'parts', done: 1, total: 3 });
    open();
    const moments = await all;
    expect(moments.filter(({ status }) => status === 'success')).toHaveLength(1);
    expect(moments.at(-1)).toMatchObject({
      id: run.id,
      status: 'success',
      counts: { total: 2, success: 2 },
      executing: [],
    });
    // Later, only the end is left to be told.
    const [end, ...more] = await lastValueFrom(flowstone.progress(run.id).pipe(toArray()));
    expect([end!.status, more]).toEqual(['success', []]);
    await expect(lastValueFrom(flowstone.progress(run.id + 1000))).rejects.toMatchObject({
      code: 'FLOWSTONE_RUN_NOT_FOUND',
    });
  });
});

describe('the progress of a run', () => {
  it('is seen in a process that does not execute it', async () => {
    storage = await testStorage('postgres');
    const options = { ...storage.options, io: 'postgres', heartbeat: '50ms' } as const;
    const worker = await start(options);
    const api = await start({ ...options, role: 'api' });
    const { opened, open } = gate();
    world.hold = opened;
    const run = await worker.materialize(Parts, { partitions: 'all' });
    const executing = firstValueFrom(api.progress(run.id).pipe(filter((moment) => moment.executing.length === 2)));
    const end = lastValueFrom(api.progress(run.id));
    // Also what was told before anybody listened.
    expect((await executing).executing.map(({ partition }) => partition).sort()).toEqual(['a', 'b']);
    open();
    expect(await end).toMatchObject({ status: 'success', executing: [] });
  });

  it('is a stream of server-sent events for whoever has a token of it', async () => {
    const module = await Test.createTestingModule({
      imports: [FlowStoneModule.forRoot({ storage: 'memory', signalSecret: SECRET })],
      providers: [Parts],
      controllers: [ProgressController],
    }).compile();
    const app = module.createNestApplication({ logger: false });
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    const flowstone = app.get(FlowStoneService);
    const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
    const { opened, open } = gate();
    world.hold = opened;
    const run = await flowstone.materialize(Parts, { partitions: 'all' });
    const url = (token: string): string => `http://127.0.0.1:${port}/progress/${token}`;
    const response = await fetch(url(flowstone.progressToken(run.id, { ttl: '1m' })));
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    open();
    const text = await response.text();
    const data = [...text.matchAll(/event: (\w+)\n(?:id: .*\n)?data: (.*)\n/g)].map(([, type, json]) => [
      type,
      JSON.parse(json!) as { status: string },
    ]);
    expect(data.at(-1)).toEqual(['end', expect.objectContaining({ run: run.id, status: 'success', executing: [] })]);
    expect(data.filter(([type]) => type === 'end')).toHaveLength(1);
    expect((await fetch(url('fp1-1-1-x'))).status).toBe(401);
    expect(() => flowstone.progressToken(run.id, { ttl: '2d' })).toThrow('at most 1d');
  });
});
