// FlowStone in the health checks of an application: over HTTP, by Express and by Fastify.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, Logger, Module, type INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { FLOWSTONE_LEDGER } from '../../lib/flowstone.lifecycle.js';
import type { OpenableLedger } from '../../lib/flowstone.storage.js';
import { FlowStoneModule, Resource } from '../../lib/index.js';
import { FlowStoneHealthIndicator, FlowStoneReadyModule } from '../../lib/terminus/index.js';

let healthy = true;
const failing = new Error('no route');

@Resource({ name: 'geo', healthEvery: 5, retry: { delay: 5, max: 5 } })
class Geo {
  checkHealth(): void {
    if (!healthy) throw failing;
  }
}

@Controller('health')
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(FlowStoneHealthIndicator) private readonly flowstone: FlowStoneHealthIndicator,
  ) {}

  @Get()
  check() {
    const { flowstone } = this;
    return this.health.check([
      () => flowstone.database(),
      () => flowstone.queue(),
      () => flowstone.workers('crew'),
      () => flowstone.resource('geo'),
    ]);
  }

  @Get('unknown')
  unknown() {
    return this.health.check([() => this.flowstone.resource('goe')]);
  }
}

let app: INestApplication;
let base: string;

async function start(
  adapter: ExpressAdapter | FastifyAdapter,
  ready: Parameters<typeof FlowStoneReadyModule.forRoot>[0] = {},
): Promise<void> {
  @Module({
    imports: [
      FlowStoneModule.forRoot({ storage: 'memory', shutdownGrace: 300 }),
      TerminusModule.forRoot({ logger: false }),
      FlowStoneReadyModule.forRoot(ready),
    ],
    controllers: [HealthController],
    providers: [Geo],
  })
  class AppModule {}
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  Logger.overrideLogger(false);
  app = module.createNestApplication(adapter as ExpressAdapter);
  await app.listen(0, '127.0.0.1');
  base = (await app.getUrl()).replace('localhost', '127.0.0.1');
}

async function get(path: string): Promise<{ status: number; body: any }> {
  const answer = await fetch(`${base}/${path}`);
  return { status: answer.status, body: await answer.json() };
}

async function until(path: string, status: number): Promise<any> {
  for (;;) {
    const answer = await get(path);
    if (answer.status === status) return answer.body;
  }
}

afterEach(async () => {
  healthy = true;
  await app.close();
});

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('health checks on %s', (_name, adapter) => {
  it('show the database, the queue, workers and resources', async () => {
    await start(adapter());
    expect(await until('health', 200)).toMatchObject({
      status: 'ok',
      details: {
        database: { status: 'up' },
        queue: { status: 'up', transport: 'in-process' },
        crew: { status: 'up', live: 1 },
        geo: { status: 'up', state: 'healthy' },
      },
    });
    healthy = false;
    expect(await until('health', 503)).toMatchObject({
      details: { geo: { status: 'down', state: 'unhealthy', message: 'no route' } },
    });
    expect(await get('ready')).toMatchObject({
      status: 200,
      body: { details: { open: { status: 'up' }, database: { status: 'up' } } },
    });
    expect((await get('health/unknown')).status).toBe(500);
    await expect(app.get(FlowStoneHealthIndicator).resource('goe')).rejects.toMatchObject({
      code: 'FLOWSTONE_RESOURCE_UNKNOWN',
      message: expect.stringContaining('did you mean "geo"?'),
    });
  });

  it('refuse readiness while the application closes, and while its database is down', async () => {
    await start(adapter(), { path: 'probes/ready' });
    expect((await get('probes/ready')).status).toBe(200);
    const { ledger } = app.get<OpenableLedger>(FLOWSTONE_LEDGER);
    const now = ledger.now;
    ledger.now = async () => {
      throw new Error('connection refused');
    };
    expect(await get('probes/ready')).toMatchObject({
      status: 503,
      body: { details: { database: { status: 'down', message: 'connection refused' } } },
    });
    ledger.now = now;
    expect((await get('probes/ready')).status).toBe(200);
    const closed = app.close();
    const { details } = await until('probes/ready', 503);
    expect(details.open).toEqual({ status: 'down', message: 'closing' });
    await closed;
  });

  it('may make readiness depend on resources', async () => {
    await start(adapter(), { resources: ['geo'], queue: true });
    await until('ready', 200);
    healthy = false;
    expect((await until('ready', 503)).details).toMatchObject({ geo: { status: 'down' }, queue: { status: 'up' } });
  });
});

describe('the options of the ready module', () => {
  it.each([
    [{ pat: 'ready' }, 'has no option pat (did you mean "path"?)'],
    [{ path: 1 }, 'takes a text as path'],
    [{ queue: 'yes' }, 'takes true or false as queue'],
    [{ resources: 'geo' }, 'takes a list of names as resources'],
  ])('are looked at: %j', async (options, problem) => {
    expect(() => FlowStoneReadyModule.forRoot(options as object)).toThrow(problem);
    await start(new ExpressAdapter());
  });
});
