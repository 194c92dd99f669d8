// Sensors through the public door: what they see is requested once, on every storage.
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Inject, Injectable, Param, Post, Req, Res, type RawBodyRequest } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import type { DataSource } from 'typeorm';
import {
  Asset,
  AssetMaterializedSensor,
  FLOWSTONE_DATA_SOURCE,
  FlowStoneModule,
  FlowStoneService,
  Partitions,
  RunEndedSensor,
  Sensor,
  signedBy,
  signedByFlowStone,
  WebhookSensor,
  type AssetContext,
  type FlowStoneEvent,
  type FlowStoneOptions,
  type SensorAnswer,
  type SensorContext,
} from '../../lib/index.js';
import { signatureOf } from '../../lib/outbox/webhook.signature.js';
import { gate, startApp } from './graph.js';
import { SAMPLED_STORAGES, testStorage, type TestStorage } from './storages.js';

let computed: string[] = [];
let seen: SensorContext<number>[] = [];
let answer: (context: SensorContext<number>) => unknown;
let onMaterialized: (event: FlowStoneEvent<'materialization.success'>) => SensorAnswer;
let ended: FlowStoneEvent<'run.ended'>[] = [];
let delivered: unknown[] = [];
let onDelivery: () => SensorAnswer;

const SECRET = 'a secret of a sender';

@Asset()
class Orders {
  execute(): number {
    computed.push('orders');
    return computed.length;
  }
}

@Asset({ partitions: Partitions.dynamic('customers') })
class Customer {
  execute({ partition }: AssetContext): string {
    computed.push(`customer ${partition.key}`);
    return partition.key;
  }
}

@Asset()
class Report {
  execute(): number {
    computed.push('report');
    return computed.length;
  }
}

@Sensor({ every: '1h', name: 'looking', description: 'looks' })
class Looking {
  async evaluate(context: SensorContext<number>): Promise<SensorAnswer<number>> {
    seen.push(context);
    return (await answer(context)) as SensorAnswer<number>;
  }
}

@Sensor()
class OnOrders extends AssetMaterializedSensor {
  readonly assets = [Orders];
  onMaterialized(event: FlowStoneEvent<'materialization.success'>): SensorAnswer {
    return onMaterialized(event);
  }
}

@Sensor()
class OnFailure extends RunEndedSensor {
  override readonly ends = ['failed', 'success'] as const;
  onRunEnded(event: FlowStoneEvent<'run.ended'>): SensorAnswer {
    ended.push(event);
  }
}

@Sensor({ name: 'inbox' })
class Inbox extends WebhookSensor {
  readonly verify = signedByFlowStone(SECRET);
  override readonly maxBytes = 200;
  onDelivery(body: unknown): SensorAnswer {
    delivered.push(body);
    return onDelivery();
  }
}

@Sensor({ name: 'foreign' })
class Foreign extends WebhookSensor {
  readonly verify = signedBy({ secret: SECRET, header: 'x-signature', prefix: 'sha256=' });
  onDelivery(body: unknown): SensorAnswer {
    delivered.push(body);
    return { runs: [{ target: Orders }] };
  }
}

let storage: TestStorage;
let app: TestingModule | undefined;
let flowstone: FlowStoneService;

async function start(
  providers: Parameters<typeof startApp>[0],
  options: Partial<FlowStoneOptions> = {},
): Promise<void> {
  ({ app, flowstone } = await startApp(providers, { ...storage.options, ...options }));
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

const runsOf = async () => (await flowstone.runs({}, { limit: 100 })).items;
const statuses = async (name: string) =>
  (await flowstone.sensors.evaluations(name)).items.map(({ status }) => status).toReversed();

beforeEach(() => {
  computed = [];
  seen = [];
  ended = [];
  delivered = [];
  answer = () => undefined;
  onMaterialized = () => undefined;
  onDelivery = () => ({ runs: [{ target: Orders, runKey: 'same' }] });
});

describe.each(SAMPLED_STORAGES)('sensors, on %s', (kind) => {
  beforeEach(async () => {
    storage = await testStorage(kind);
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    await storage.remove();
  });

  it('are evaluated, and what they answer is run', async () => {
    answer = ({ cursor = 0, firstTime }) =>
      firstTime ? { cursor: 1, runs: [{ target: Orders }], again: true } : { cursor: cursor + 1, skip: 'nothing new' };
    await start([Orders, Looking]);
    await until(() => computed.length === 1 && seen.length === 2);
    await until(async () => (await statuses('looking')).length === 2);
    expect(seen.map(({ cursor, cause }) => [cursor, cause])).toEqual([
      [undefined, 'due'],
      [1, 'due'],
    ]);
    expect(seen[1]!.lastEvaluatedAt).toBeInstanceOf(Date);
    expect(await flowstone.sensors.get('looking')).toMatchObject({
      ...{ description: 'looks', every: 3_600_000, live: true, cursor: 2, failures: 0, paused: null },
      nextAt: expect.any(Date),
    });
    expect((await flowstone.sensors.evaluations('looking')).items).toMatchObject([
      { status: 'skipped', reason: 'nothing new', runs: [] },
      { status: 'requested', runs: [{ outcome: 'requested' }] },
    ]);
    const [run] = await runsOf();
    expect(run).toMatchObject({ requestedBy: 'sensor looking' });
  });

  it('add partitions, and request them at once', async () => {
    answer = () => ({
      partitions: [{ scheme: 'customers', add: ['x', 'y'] }],
      runs: [
        { target: Customer, partition: 'x', runKey: 'x' },
        { target: Customer, partition: 'x', runKey: 'x' },
      ],
      cursor: 1,
    });
    await start([Customer, Looking]);
    await until(() => computed.length === 1);
    expect((await flowstone.partitions(Customer)).size).toBe(2);
    expect((await flowstone.sensors.evaluations('looking')).items).toMatchObject([
      {
        runs: [{ outcome: 'requested' }, { outcome: 'repeated' }],
        partitions: [{ scheme: 'customers', added: ['x', 'y'] }],
      },
    ]);
    expect(computed).toEqual(['customer x']);
  });

  it('see each materialization once, soon after its commit', async () => {
    onMaterialized = ({ materialization }) => ({ runs: [{ target: Report, runKey: `of ${materialization}` }] });
    await start([Orders, Report, OnOrders]);
    await until(async () => (await statuses('on_orders')).length === 1);
    await (await flowstone.materialize(Orders)).wait();
    await until(() => computed.includes('report'));
    await (await flowstone.materialize(Orders, { force: true })).wait();
    await until(() => computed.filter((name) => name === 'report').length === 2);
    // Unless it is just being evaluated: then again.
    const again = () => flowstone.sensors.evaluateNow('on_orders').catch(() => undefined);
    await until(async () => (await again()) !== undefined);
    expect(await runsOf()).toHaveLength(4);
  });

  it('take a delivery once, and answer its repetitions the same', async () => {
    await start([Orders, Inbox]);
    const body = JSON.stringify({ id: 'one', order: 5 });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const headers = {
      'flowstone-delivery': 'one',
      'flowstone-timestamp': timestamp,
      'flowstone-signature': signatureOf(SECRET, timestamp, body),
    };
    const answers = await Promise.all([1, 2, 3].map(() => flowstone.sensors.receive('inbox', { headers, body })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answers.filter(({ body: { repeated } }) => repeated)).toHaveLength(2);
    const { repeated: _, ...first } = answers[0]!.body;
    expect(answers[1]!.body).toMatchObject(first);
    expect(delivered[0]).toEqual({ id: 'one', order: 5 });
    await until(() => computed.length === 1);
    expect((await runsOf()).map(({ id }) => id)).toEqual(first.runs);
    const forged = { ...headers, 'flowstone-signature': signatureOf('another secret', timestamp, body) };
    expect(await flowstone.sensors.receive('inbox', { headers: forged, body })).toMatchObject({ status: 401 });
  });
});

@Controller('hooks')
class Hooks {
  constructor(@Inject(FlowStoneService) private readonly service: FlowStoneService) {}

  @Post(':name')
  async hook(
    @Param('name') name: string,
    @Req() { headers, rawBody }: RawBodyRequest<IncomingMessage>,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const { status, body } = await this.service.sensors.receive(name, { headers, body: rawBody! });
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }
}

describe('a sensor', () => {
  it('that is called is reached through a controller, by the raw body', async () => {
    const module = await Test.createTestingModule({
      imports: [FlowStoneModule.forRoot({ storage: 'memory' })],
      providers: [Orders, Foreign],
      controllers: [Hooks],
    }).compile();
    const served = module.createNestApplication({ rawBody: true, logger: false });
    try {
      await served.listen(0, '127.0.0.1');
      const { port } = (served.getHttpServer() as Server).address() as AddressInfo;
      // Not as JSON would be written again.
      const body = '{ "order":  5 }';
      const signature = createHmac('sha256', SECRET).update(body).digest('hex');
      const post = async (signed: string) => {
        const headers = { 'content-type': 'application/json', 'x-signature': `sha256=${signed}` };
        const response = await fetch(`http://127.0.0.1:${port}/hooks/foreign`, { method: 'POST', headers, body });
        return { status: response.status, body: (await response.json()) as object };
      };
      const first = await post(signature);
      expect(first).toMatchObject({ status: 200, body: { runs: [expect.any(Number)] } });
      expect(await post(signature)).toEqual({ status: 200, body: { ...first.body, repeated: true } });
      expect(await post('0'.repeat(64))).toEqual({ status: 401, body: { error: 'not genuine' } });
      expect(delivered).toEqual([{ order: 5 }]);
    } finally {
      await served.close();
    }
  });

  it('whose evaluation outlives its lease is evaluated by another process, and the first records nothing', async () => {
    storage = await testStorage('postgres');
    const slow = gate();
    answer = ({ cursor = 0 }) => {
      const result = { runs: [{ target: Orders, tags: { from: String(cursor) } }], cursor: cursor + 1 };
      return seen.length === 1 ? slow.opened.then(() => result) : result;
    };
    await start([Orders, Looking], { triggers: false });
    const other = await startApp([Orders, Looking], { ...storage.options, triggers: false });
    try {
      const lost = flowstone.sensors.evaluateNow('looking');
      await until(() => seen.length === 1);
      const database: DataSource = other.app.get(FLOWSTONE_DATA_SOURCE);
      await expect(other.flowstone.sensors.evaluateNow('looking')).rejects.toMatchObject({
        code: 'FLOWSTONE_SENSOR_BUSY',
      });
      await database.query(`UPDATE flowstone.sensors SET held_until = now() - interval '1 second'`);
      expect(await other.flowstone.sensors.evaluateNow('looking')).toMatchObject({ status: 'requested' });
      slow.open();
      await expect(lost).rejects.toMatchObject({ code: 'FLOWSTONE_SENSOR_BUSY' });
      expect(await flowstone.sensors.get('looking')).toMatchObject({ cursor: 1 });
      expect((await runsOf()).map(({ tags }) => tags)).toEqual([{ from: '0' }]);
      await expect(flowstone.sensors.delete('looking')).rejects.toMatchObject({ code: 'FLOWSTONE_SENSOR_DECLARED' });
    } finally {
      await other.app.close();
      await app?.close();
      app = undefined;
      await storage.remove();
    }
  });

  it('that is called takes deliveries in a process that only serves, and leaves its runs to others', async () => {
    storage = await testStorage('postgres');
    try {
      await start([Orders, Foreign, Looking], { role: 'api' });
      const headers = { 'x-signature': `sha256=${createHmac('sha256', SECRET).update('{}').digest('hex')}` };
      expect(await flowstone.sensors.receive('foreign', { headers, body: '{}' })).toMatchObject({ status: 200 });
      expect(await runsOf()).toHaveLength(1);
      // What is evaluated by time is for processes that work.
      expect((await flowstone.sensors.list()).map(({ name }) => name)).toEqual(['foreign']);
      expect([computed, seen]).toEqual([[], []]);
    } finally {
      await app?.close();
      app = undefined;
      await storage.remove();
    }
  });
});

describe('a sensor', () => {
  beforeEach(async () => {
    storage = await testStorage('memory');
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  it('that throws keeps its cursor and is evaluated again later', async () => {
    answer = () => {
      throw new Error('the shop is closed');
    };
    await start([Orders, Looking]);
    await until(async () => (await flowstone.sensors.get('looking')).failures === 1);
    const { nextAt, lastError, cursor } = await flowstone.sensors.get('looking');
    expect({ lastError, cursor }).toEqual({ lastError: 'the shop is closed', cursor: null });
    expect(nextAt!.getTime() - Date.now()).toBeLessThan(10_001);
    await expect(flowstone.sensors.evaluateNow('looking')).resolves.toMatchObject({ status: 'failed' });
    expect((await flowstone.sensors.get('looking')).nextAt!.getTime()).toBeGreaterThan(nextAt!.getTime());
    answer = () => ({ cursor: 5 });
    await flowstone.sensors.evaluateNow('looking', { by: 'ada' });
    expect(await flowstone.sensors.get('looking')).toMatchObject({ failures: 0, lastError: null, cursor: 5 });
    expect((await flowstone.sensors.evaluations('looking')).items[0]).toMatchObject({ status: 'skipped', by: 'ada' });
  });

  it.each<[string, unknown, RegExp, string?]>([
    ['a text', 'no', /'no', which is no/],
    ['another option', { runz: [] }, /runz/],
    ['a run without a target', { runs: [{ runKey: 'a' }] }, /without a target/],
    ['a target that is none', { runs: [{ target: 'ordres' }] }, /ordres/, 'FLOWSTONE_SELECTION_UNKNOWN'],
    [
      'a partition that is none',
      { runs: [{ target: Customer, partition: 'x' }] },
      /partition/i,
      'FLOWSTONE_PARTITION_UNKNOWN',
    ],
    [
      'a scheme that is none',
      { partitions: [{ scheme: 'custom', add: ['x'] }] },
      /custom/,
      'FLOWSTONE_REQUEST_INVALID',
    ],
    ['partitions that are none', { partitions: [{ scheme: 'customers' }] }, /add/],
    ['a cursor that is no JSON', { cursor: new Date(0) }, /cursor/],
    ['a cursor that cannot be kept', { cursor: 'a\0b' }, /NUL/],
    ['too many runs', { runs: Array.from({ length: 1001 }, () => ({ target: Orders })) }, /at most 1000/],
  ])(
    'that answers %s has failed, and nothing of it is recorded',
    async (_what, given, message, code = 'FLOWSTONE_SENSOR_RESULT_INVALID') => {
      answer = () => ({ cursor: 1, runs: [{ target: Orders }], ...(typeof given === 'object' ? given : {}) });
      if (typeof given !== 'object') answer = () => given;
      await start([Orders, Customer, Looking]);
      await until(async () => (await flowstone.sensors.get('looking')).failures === 1);
      expect((await flowstone.sensors.get('looking')).lastError).toMatch(message);
      expect((await flowstone.sensors.get('looking')).cursor).toBeNull();
      expect(await runsOf()).toEqual([]);
      await expect(flowstone.sensors.dryRun('looking')).rejects.toMatchObject({
        code,
      });
    },
  );

  it('that takes too long is given up', async () => {
    @Sensor({ every: '1h', timeout: '50ms' })
    class Slow {
      async evaluate({ signal }: SensorContext): Promise<SensorAnswer> {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return { runs: [{ target: Orders }] };
      }
    }
    await start([Orders, Slow]);
    await until(async () => (await flowstone.sensors.get('slow')).failures === 1);
    expect((await flowstone.sensors.get('slow')).lastError).toMatch(/did not answer within 0.05 s/);
    await expect(flowstone.sensors.dryRun('slow')).rejects.toMatchObject({ code: 'FLOWSTONE_SENSOR_TIMEOUT' });
    expect(await runsOf()).toEqual([]);
  });

  it('that is paused is not evaluated, and goes on from its cursor', async () => {
    answer = ({ cursor = 0 }) => ({ cursor: cursor + 1 });
    await start([Orders, Looking]);
    await until(async () => (await flowstone.sensors.get('looking')).cursor === 1);
    expect(await flowstone.sensors.pause('looking', { by: 'ada', reason: 'noise' })).toBe(true);
    expect(await flowstone.sensors.pause('looking')).toBe(false);
    expect(await flowstone.sensors.get('looking')).toMatchObject({
      nextAt: null,
      paused: { by: 'ada', reason: 'noise' },
    });
    await flowstone.sensors.setCursor('looking', 10);
    expect(await flowstone.sensors.dryRun('looking')).toMatchObject({ cursor: 11, runs: [], skip: null });
    expect(await flowstone.sensors.resume('looking')).toBe(true);
    await until(async () => (await flowstone.sensors.get('looking')).cursor === 11);
    await flowstone.sensors.resetCursor('looking');
    await until(() => seen.at(-1)!.firstTime);
  });

  it('is asked by one at a time', async () => {
    const held = gate();
    answer = () => held.opened;
    await start([Orders, Looking]);
    await until(() => seen.length === 1);
    await expect(flowstone.sensors.evaluateNow('looking')).rejects.toMatchObject({ code: 'FLOWSTONE_SENSOR_BUSY' });
    // It is void by then.
    await flowstone.sensors.setCursor('looking', 7);
    held.open();
    await until(() => seen.length === 2);
    expect(seen[1]!.cursor).toBe(7);
  });

  it('says by a dry run what it would request, and requests nothing', async () => {
    answer = () => ({
      partitions: [{ scheme: 'customers', add: ['x'] }],
      runs: [{ target: Customer, partition: 'x', runKey: 'x' }],
      cursor: 3,
    });
    await start([Customer, Looking], { triggers: false });
    expect(await flowstone.sensors.dryRun('looking')).toEqual({
      runs: [
        {
          request: expect.objectContaining({ targets: [{ asset: 'customer', partitions: { keys: ['x'] } }] }),
          runKey: 'x',
        },
      ],
      partitions: [{ scheme: 'customers', add: ['x'] }],
      ...{ cursor: 3, skip: null, again: false },
    });
    expect((await flowstone.partitions(Customer)).size).toBe(0);
    expect(await runsOf()).toEqual([]);
    expect(await statuses('looking')).toEqual([]);
  });

  it('of runs hears of each that ended, by how', async () => {
    await start([Orders, OnFailure]);
    await until(async () => (await statuses('on_failure')).length === 1);
    const run = await flowstone.materialize(Orders);
    await until(() => ended.length === 1);
    expect(ended).toMatchObject([{ kind: 'run.ended', run: run.id, detail: { status: 'success' } }]);
  });

  it('of events whose place in the log is lost is paused, and says so', async () => {
    await start([Orders, OnOrders]);
    await until(async () => (await statuses('on_orders')).length === 1);
    await flowstone.sensors.setCursor('on_orders', { log: 'nowhere' });
    await until(async () => (await flowstone.sensors.get('on_orders')).paused !== null);
    expect((await flowstone.sensors.get('on_orders')).paused).toMatchObject({
      by: null,
      reason: expect.stringMatching(/cursor/),
    });
    await flowstone.sensors.resetCursor('on_orders');
    await flowstone.sensors.resume('on_orders');
    await until(async () => (await statuses('on_orders')).length === 3);
    expect(await flowstone.sensors.get('on_orders')).toMatchObject({ failures: 0, paused: null });
  });

  it('that is called refuses what is too large or not signed, and takes nothing while it is paused', async () => {
    await start([Orders, Inbox, Foreign]);
    const sign = (body: string) => `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;
    const send = (body: string, signature = sign(body)) =>
      flowstone.sensors.receive('foreign', { headers: { 'x-signature': signature }, body });
    expect(await flowstone.sensors.receive('inbox', { headers: {}, body: 'x'.repeat(201) })).toMatchObject({
      status: 413,
    });
    expect(await flowstone.sensors.receive('inbox', { headers: {}, body: '{}' })).toMatchObject({ status: 401 });
    expect(await send('{}', sign('{ }'))).toMatchObject({ status: 401 });
    await flowstone.sensors.pause('foreign');
    expect(await send('{"n":1}')).toMatchObject({ status: 503 });
    await flowstone.sensors.resume('foreign');
    const first = await send('{"n":1}');
    expect(first).toMatchObject({ status: 200, body: { runs: [expect.any(Number)] } });
    expect(await send('{"n":1}')).toEqual({ ...first, body: { ...first.body, repeated: true } });
    expect(await send('no json')).toMatchObject({ status: 200 });
    expect(delivered).toEqual([{ n: 1 }, 'no json']);
    await expect(flowstone.sensors.receive('foreign', { headers: {}, body: {} as never })).rejects.toMatchObject({
      code: 'FLOWSTONE_REQUEST_INVALID',
    });
  });

  it('that is called and fails takes nothing, so that its sender tries again', async () => {
    await start([Orders, Inbox]);
    const body = JSON.stringify({ id: 'one' });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const headers = new Headers({
      'flowstone-delivery': 'one',
      'flowstone-timestamp': timestamp,
      'flowstone-signature': signatureOf(SECRET, timestamp, body),
    });
    onDelivery = () => ({ runs: [{ target: 'no such asset' }] });
    expect(await flowstone.sensors.receive('inbox', { headers, body })).toMatchObject({ status: 500 });
    onDelivery = () => ({ runs: [{ target: Orders }] });
    expect(await flowstone.sensors.receive('inbox', { headers, body })).toMatchObject({ status: 200 });
  });

  it('that is unknown is said to be, with the one that was meant', async () => {
    await start([Orders, Looking]);
    await expect(flowstone.sensors.get('loking')).rejects.toMatchObject({
      code: 'FLOWSTONE_SENSOR_UNKNOWN',
      message: expect.stringContaining('looking'),
    });
    await expect(flowstone.sensors.setCursor('looking', undefined as never)).rejects.toMatchObject({
      code: 'FLOWSTONE_REQUEST_INVALID',
    });
    await expect(flowstone.sensors.receive('looking', { headers: {}, body: '' })).rejects.toMatchObject({
      code: 'FLOWSTONE_REQUEST_INVALID',
    });
  });

  it('that is declared wrongly is refused at boot, each mistake named', async () => {
    @Sensor({ name: 'first' })
    class Never {
      evaluate(): void {}
    }
    @Sensor({ every: '10ms', timeout: 'soon' as never, evry: 1 } as never)
    class Wrong {
      evaluate(): void {}
    }
    @Sensor({ every: '1s' })
    @Injectable()
    class Silent {}
    @Sensor({ every: '1s', name: 'first' })
    class Second {
      evaluate(): void {}
    }
    @Sensor()
    class Nothing extends AssetMaterializedSensor {
      readonly assets = [];
      onMaterialized(): void {}
    }
    const booted = start([Orders, Never, Wrong, Silent, Looking, Second, Nothing]);
    const error = (await booted.catch((thrown: unknown) => thrown)) as Error;
    expect(error).toMatchObject({ code: 'FLOWSTONE_DECLARATION_INVALID' });
    for (const part of [
      'every',
      'timeout',
      'evry',
      'has no evaluate()',
      'is not said to be evaluated',
      'names no assets',
    ])
      expect(error.message).toContain(part);
  });
});
