// Hooks and notifiers through the public door: what they are told, whatever fails, stops or is added later.
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Scope } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import { firstValueFrom } from 'rxjs';
import {
  Asset,
  Checkpoint,
  DependsOn,
  OnApprovalRequested,
  OnEvent,
  OnMaterializationFailed,
  OnMaterialized,
  OnRunEnded,
  OnRunFailed,
  OnRunSucceeded,
  Partitions,
  verifyWebhook,
  webhookNotifier,
  type AssetContext,
  type EventOf,
  type FlowStoneEvent,
  type FlowStoneOptions,
  type HookDelivery,
} from '../../lib/index.js';
import { startApp } from './graph.js';
import { DURABLE_STORAGES, SAMPLED_STORAGES, testStorage, type TestStorage } from './storages.js';

@Asset({ partitions: Partitions.static(['good', 'bad']) })
class Parts {
  execute(context: AssetContext): string {
    if (context.partition.key === 'bad') throw new Error('it is bad');
    return context.partition.key;
  }
}

@Asset()
class Other {
  execute(): number {
    return 1;
  }
}

@Checkpoint({ message: 'Good?' })
@DependsOn({ other: Other })
class Asked {
  onApprove(_context: AssetContext, { other }: { other: number }): number {
    return other;
  }
}

interface Told {
  readonly hook: string;
  readonly event: FlowStoneEvent;
  readonly delivery: HookDelivery;
}

const told: Told[] = [];
/** How often each hook fails before it takes an event. */
const failing = new Map<string, number>();

async function take(hook: string, event: FlowStoneEvent, delivery: HookDelivery): Promise<void> {
  const left = failing.get(hook) ?? 0;
  failing.set(hook, left - 1);
  if (left > 0) throw new Error(`${hook} cannot now`);
  told.push({ hook, event, delivery });
}

@Injectable()
class Listener {
  @OnMaterialized(Parts)
  parts(event: EventOf<'materialization.success'>, delivery: HookDelivery): Promise<void> {
    return take(`parts ${event.partition}`, event, delivery);
  }

  @OnMaterializationFailed()
  failed(event: EventOf<'materialization.failed'>, delivery: HookDelivery): Promise<void> {
    return take(`failed ${event.partition}`, event, delivery);
  }

  @OnRunFailed()
  runFailed(event: EventOf<'run.failed'>, delivery: HookDelivery): Promise<void> {
    return take(`run failed ${event.run}`, event, delivery);
  }

  @OnRunSucceeded({ name: 'my.successes' })
  runSucceeded(event: FlowStoneEvent<'run.ended'>, delivery: HookDelivery): Promise<void> {
    return take(`run succeeded ${event.run}`, event, delivery);
  }

  @OnApprovalRequested(Asked)
  asked(event: EventOf<'approval.requested'>, delivery: HookDelivery): Promise<void> {
    return take(`asked ${event.detail.approval}`, event, delivery);
  }
}

let storage: TestStorage | undefined;
const apps: TestingModule[] = [];

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  await storage?.remove();
  told.length = 0;
  failing.clear();
});

async function start(
  providers: Parameters<typeof startApp>[0],
  options: FlowStoneOptions,
): ReturnType<typeof startApp> {
  const started = await startApp([Parts, Other, Asked, ...providers], options);
  apps.push(started.app);
  return started;
}

async function stop(app: TestingModule): Promise<void> {
  apps.splice(apps.indexOf(app), 1);
  await app.close();
}

const until = async (reached: () => boolean) => {
  while (!reached()) await pause(10);
};
const hooks = () => told.map(({ hook }) => hook).sort();

describe.each(SAMPLED_STORAGES)('hooks on %s', (kind) => {
  it('hear of what they name, each once, and of nothing else', async () => {
    storage = await testStorage(kind);
    const { flowstone } = await start([Listener], storage.options);
    const failed = await flowstone.materialize(Parts, { partitions: 'all' });
    await failed.wait().catch(() => undefined);
    const succeeded = await flowstone.materialize(Other);
    await succeeded.wait();
    const asking = await flowstone.materialize(Asked);
    await asking.wait({ until: 'settled' });
    const { items } = await flowstone.approvals.list();
    const expected = [
      `asked ${items[0]!.id}`,
      'failed bad',
      'parts good',
      `run failed ${failed.id}`,
      `run succeeded ${succeeded.id}`,
    ];
    await until(() => told.length >= expected.length);
    expect(hooks()).toEqual(expected.sort());
    const { event, delivery } = told.find(({ hook }) => hook === 'parts good')!;
    expect(event).toMatchObject({
      kind: 'materialization.success',
      asset: 'parts',
      run: failed.id,
      at: expect.any(Date),
    });
    expect(delivery).toMatchObject({ attempt: 1, signal: expect.any(AbortSignal) });
    expect(new Set(told.map(({ delivery: { id } }) => id)).size).toBe(told.length);
  });

  it('are called again where they fail, with the same delivery', async () => {
    storage = await testStorage(kind);
    failing.set('parts good', 1);
    const { flowstone } = await start([Listener], storage.options);
    await flowstone.materialize(Parts, { partition: 'good' }).then((run) => run.wait());
    await until(() => hooks().includes('parts good'));
    expect(told.find(({ hook }) => hook === 'parts good')!.delivery.attempt).toBe(2);
  });

  it('are given up after so many attempts, which is told', async () => {
    @Injectable()
    class Broken {
      calls = 0;

      @OnRunEnded({ name: 'broken', attempts: 2 })
      ended(): void {
        this.calls++;
        throw new Error('broken for good');
      }

      @OnEvent('hook.failed', { attempts: 1, name: 'also broken' })
      alsoBroken(): void {
        throw new Error('so is this');
      }
    }
    storage = await testStorage(kind);
    const { app, flowstone } = await start([Broken], storage.options);
    const failure = firstValueFrom(flowstone.events.of('hook.failed'));
    await flowstone.events.listening();
    const run = await flowstone.materialize(Other);
    await run.wait();
    expect(await failure).toMatchObject({
      run: run.id,
      detail: { hook: 'broken', kind: 'run.ended', attempts: 2, error: 'broken for good' },
    });
    expect(app.get(Broken).calls).toBe(2);
    // Nothing goes round for ever: the next thing that is told is of the next run.
    const next = firstValueFrom(flowstone.events.of('hook.failed'));
    await flowstone.materialize(Other, { force: true });
    expect(await next).toMatchObject({ detail: { hook: 'broken' } });
  });
});

describe.each(DURABLE_STORAGES)('hooks on %s, over starts', (kind) => {
  it('hear later of what happened while nobody who has them worked; new ones begin with their first start', async () => {
    storage = await testStorage(kind);
    const first = await start([Listener], storage.options);
    await stop(first.app);
    const without = await start([], storage.options);
    await without.flowstone.materialize(Parts, { partition: 'good' }).then((run) => run.wait());
    await stop(without.app);
    expect(told).toEqual([]);

    @Injectable()
    class New {
      @OnMaterialized()
      any(event: FlowStoneEvent<'materialization.success'>, delivery: HookDelivery): Promise<void> {
        return take(`new ${event.asset}`, event, delivery);
      }
    }
    const { flowstone } = await start([Listener, New], storage.options);
    await until(() => hooks().includes('parts good'));
    await flowstone.materialize(Other).then((run) => run.wait());
    await until(() => hooks().includes('new other'));
    expect(hooks().filter((hook) => hook.startsWith('new'))).toEqual(['new other']);
    expect(hooks().filter((hook) => hook === 'parts good')).toHaveLength(1);
  });

  it('finish before the application closes what they were told last', async () => {
    storage = await testStorage(kind);
    const { app, flowstone } = await start([Listener], storage.options);
    await flowstone.materialize(Parts, { partition: 'good' }).then((run) => run.wait());
    await stop(app);
    expect(hooks()).toContain('parts good');
  });
});

describe('hooks of several processes', () => {
  it('are called once over all of them, and not by those without a worker', async () => {
    storage = await testStorage('postgres');
    const options = { ...storage.options, io: 'postgres' };
    const workers = [await start([Listener], options), await start([Listener], options)];
    const api = await start([Listener], { ...options, role: 'api' });
    const runs = 6;
    const ids: number[] = [];
    for (let n = 0; n < runs; n++) {
      const run = await api.flowstone.materialize(Other, { force: true });
      await run.wait();
      ids.push(run.id);
    }
    await until(() => told.length >= runs);
    for (const { app } of workers) await stop(app);
    expect(hooks()).toEqual(ids.map((id) => `run succeeded ${id}`).sort());
  });
});

describe('a hook that is declared wrongly', () => {
  it('is refused at boot, together with all others', async () => {
    @Injectable()
    class Wrong {
      @OnEvent('run.endet' as 'run.ended')
      misspelt(): void {}

      @OnEvent([])
      nothing(): void {}

      @OnMaterialized(7 as never)
      number(): void {}

      @OnRunEnded({ attempts: 0 })
      never(): void {}

      @OnRunEnded({ nam: 'x' } as never)
      option(): void {}

      @OnRunEnded({ name: 'same' })
      same(): void {}

      @OnRunEnded({ name: 'same' })
      again(): void {}
    }
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      @OnRunEnded()
      ended(): void {}
    }
    await expect(start([Wrong, PerRequest], { storage: 'memory' })).rejects.toMatchObject({
      code: 'FLOWSTONE_DECLARATION_INVALID',
      message: expect.stringMatching(
        /misspelt.*"run\.ended"[^]*nothing[^]*number[^]*never\(\)[^]*"name"[^]*made for each request[^]*two hooks of the name 'same'/,
      ),
    });
  });
});

describe('a webhook of events', () => {
  it('gets those that it names, signed, and again where it did not take one', async () => {
    const secret = 'a secret of more than 16 characters';
    const requests: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = [];
    const server = createServer((request, response) => {
      const answer = async (): Promise<void> => {
        requests.push({ headers: request.headers, body: await text(request) });
        response.writeHead(requests.length === 1 ? 503 : 204).end();
      };
      void answer();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`;
      const notifier = webhookNotifier({ url, secret, events: ['run.failed'], allow: ['127.0.0.1'] });
      const { flowstone } = await start([], { storage: 'memory', notify: [notifier] });
      await flowstone.materialize(Other).then((run) => run.wait());
      const run = await flowstone.materialize(Parts, { partition: 'bad' });
      await run.wait().catch(() => undefined);
      await until(() => requests.length === 2);
      const [first, second] = requests;
      expect(second!.body).toBe(first!.body);
      expect(verifyWebhook({ secret, ...second! })).toMatchObject({ genuine: true });
      expect(JSON.parse(second!.body)).toMatchObject({
        topic: 'event',
        event: { kind: 'run.ended', run: run.id, detail: { status: 'failed' }, at: expect.any(String) },
      });
    } finally {
      server.close();
    }
  });

  it('is refused with wrong options', async () => {
    const secret = 'a secret of more than 16 characters';
    const url = 'https://example.com';
    expect(() => webhookNotifier({ url: 'ftp://x', secret, events: ['run.failed'] })).toThrow('webhookNotifier()');
    const right = webhookNotifier({ url, secret, events: ['run.failed'] });
    for (const [notify, problem] of [
      [[webhookNotifier({ url, secret, events: ['run.fail' as 'run.failed'] })], 'did you mean "run.failed"'],
      [[right, right], "two 'webhook'"],
      [[{ name: 'x' }], 'notify()'],
      [[{ ...right, assets: [7] }], "assets of 'webhook'"],
      ['x', 'a list of notifiers'],
    ] as const) {
      await expect(start([], { storage: 'memory', notify: notify as never })).rejects.toThrow(problem);
    }
  });
});
