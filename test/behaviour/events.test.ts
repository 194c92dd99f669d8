// Listening to events through the public door, on every storage.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import { filter, firstValueFrom, map, take, toArray, type Observable } from 'rxjs';
import {
  Asset,
  DependsOn,
  ExternalAsset,
  FlowStoneEvents,
  Partitions,
  type AssetContext,
  type FlowStoneEvent,
  type FlowStoneService,
} from '../../lib/index.js';
import { startApp } from './graph.js';
import { SAMPLED_STORAGES, testStorage, type TestStorage } from './storages.js';

@Asset()
class Numbers {
  execute(): number[] {
    return [1, 2, 3];
  }
}

@Asset({ name: 'sums.total' })
@DependsOn({ numbers: Numbers })
class Total {
  execute(_context: AssetContext, { numbers }: { numbers: number[] }): number {
    return numbers.reduce((sum, number) => sum + number, 0);
  }
}

@Asset({ partitions: Partitions.dynamic('tenants') })
class Tenants {
  execute(context: AssetContext): string {
    if (context.partition.key === 'bad') throw new Error('no such tenant');
    return context.partition.key;
  }
}

@Asset({ external: true })
class Feed extends ExternalAsset<string> {}

/** Listens from its construction on, as a service of an application does. */
@Injectable()
class Listener {
  readonly heard: FlowStoneEvent[] = [];

  constructor(readonly events: FlowStoneEvents) {
    events.all().subscribe((event) => this.heard.push(event));
  }
}

describe.each(SAMPLED_STORAGES)('events with storage %s', (kind) => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeEach(async () => {
    storage = await testStorage(kind);
    ({ app, flowstone } = await startApp([Numbers, Total, Tenants, Feed, Listener], storage.options));
  });

  afterEach(async () => {
    await app.close();
    await storage.remove();
  });

  const first = <T>(events: Observable<T>) => firstValueFrom(events);

  it('come to whoever listened before the application started, from the first on, in the order of what happened', async () => {
    const { heard } = app.get(Listener);
    const ended = first(flowstone.events.of('run.ended'));
    const run = await flowstone.materialize(Total, { requestedBy: 'mia' });
    await run.wait();
    expect(await ended).toMatchObject({ run: run.id, detail: { status: 'success' } });
    expect(heard.map(({ kind: told, asset }) => (asset === null ? told : `${told} ${asset}`))).toEqual([
      'run.requested',
      'run.planned',
      'materialization.success numbers',
      'materialization.success sums.total',
      'run.ended',
    ]);
    expect(heard[0]).toMatchObject({ run: run.id, actor: 'mia', at: expect.any(Date) });
    expect(new Set(heard.map(({ id }) => id)).size).toBe(5);
  });

  it('are told by kind, asset, partition and run, of which each is typed', async () => {
    await flowstone.addPartitions('tenants', ['good', 'bad']);
    const failed = first(flowstone.events.of('materialization.failed', { asset: Tenants }));
    const good = first(
      flowstone.events.of(['materialization.success', 'materialization.failed'], {
        asset: 'tenants',
        partition: 'good',
      }),
    );
    const total = first(flowstone.events.of('materialization.success', { asset: Total }));
    await flowstone.events.listening();
    const run = await flowstone.materialize(Tenants, { partitions: 'all' });
    const ended = first(flowstone.events.of('run.ended', { run: run.id }));
    await flowstone.materialize(Total);
    const status: 'success' | 'failed' | 'cancelled' = (await ended).detail.status;
    expect(status).toBe('failed');
    const event: FlowStoneEvent<'materialization.failed'> = await failed;
    const partition: string = event.partition;
    expect([partition, event.run, event.detail]).toEqual(['bad', run.id, null]);
    expect(await good).toMatchObject({ kind: 'materialization.success', partition: 'good' });
    expect(await total).toMatchObject({ asset: 'sums.total', partition: '' });
  });

  it('are told of what people do', async () => {
    await flowstone.materialize(Numbers).then((run) => run.wait());
    const told = firstValueFrom(
      flowstone.events
        .of(['asset.invalidated', 'asset.version_reported', 'partitions.added', 'partitions.removed', 'asset.deleted'])
        .pipe(take(5), toArray()),
    );
    await flowstone.events.listening();
    await flowstone.invalidate(Numbers, { by: 'mia', reason: 'wrong' });
    await flowstone.reportVersion(Feed, { dataVersion: '7' }, { by: 'mia' });
    await flowstone.addPartitions('tenants', ['x'], { by: 'mia' });
    await flowstone.removePartitions('tenants', ['x'], { by: 'mia' });
    await flowstone.delete(Numbers, { by: 'mia' });
    expect((await told).map(({ kind: what, actor, detail }) => [what, actor, detail])).toEqual([
      ['asset.invalidated', 'mia', { reason: 'wrong' }],
      ['asset.version_reported', 'mia', { dataVersion: '7' }],
      ['partitions.added', 'mia', { name: 'tenants', keys: ['x'] }],
      ['partitions.removed', 'mia', { name: 'tenants', keys: ['x'] }],
      ['asset.deleted', 'mia', { reason: null }],
    ]);
  });

  it('begin with the subscription, and end with it or with the application', async () => {
    await flowstone.materialize(Numbers).then((run) => run.wait());
    // What was committed is heard by now by those who listened.
    await flowstone.events.listening();
    const heard: FlowStoneEvent[] = [];
    let isOver = false;
    const subscription = flowstone.events.of('run.ended').subscribe((event) => heard.push(event));
    flowstone.events.all().subscribe({ complete: () => (isOver = true) });
    await flowstone.events.listening();
    const second = await flowstone.materialize(Numbers, { force: true });
    await first(flowstone.events.of('run.ended', { run: second.id }));
    expect(heard.map(({ run }) => run)).toEqual([second.id]);
    subscription.unsubscribe();
    const third = await flowstone.materialize(Numbers, { force: true });
    await first(flowstone.events.of('run.ended', { run: third.id }));
    expect(heard).toHaveLength(1);
    await app.close();
    expect(isOver).toBe(true);
    // Afterwards nothing comes, and nobody waits for it.
    expect(await firstValueFrom(app.get(Listener).events.all(), { defaultValue: 'over' })).toBe('over');
    await app.get(Listener).events.listening();
  });

  it('reach everybody else where a subscriber throws, rejects or has an operator that does', async () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const events = flowstone.events.of('materialization.success');
    const heard: string[] = [];
    let calls = 0;
    events.subscribe(() => {
      calls++;
      throw new Error('thrown');
    });
    events.subscribe(async () => {
      throw new Error('rejected');
    });
    events
      .pipe(
        filter(() => true),
        map((): string => {
          throw new Error('in an operator');
        }),
      )
      .subscribe((text) => heard.push(text));
    events.pipe(map(({ asset }) => asset)).subscribe((asset) => heard.push(asset));
    await flowstone.events.listening();
    await flowstone.materialize(Total);
    await firstValueFrom(flowstone.events.of('run.ended'));
    expect(heard).toEqual(['numbers', 'sums.total']);
    expect(calls).toBe(2);
    const messages = error.mock.calls.map(([message]) => String(message)).filter((text) => text.includes('subscriber'));
    error.mockRestore();
    expect(messages.filter((text) => text.includes('thrown'))).toHaveLength(2);
    expect(messages.filter((text) => text.includes('rejected'))).toHaveLength(2);
    expect(messages.filter((text) => text.includes('in an operator'))).toHaveLength(1);
  });

  it('can be read on from a cursor, each once, also after a start where the ledger lasts', async () => {
    const { events } = flowstone;
    const start = await events.cursor();
    const run = await flowstone.materialize(Total);
    await run.wait();
    const all: string[] = [];
    let cursor = start;
    for (let more = true; more;) {
      const page = await events.since(cursor, { limit: 1 });
      all.push(...page.events.map(({ kind: what }) => what));
      ({ cursor, more } = page);
    }
    expect(all).toEqual([
      ...['run.requested', 'run.planned', 'materialization.success', 'materialization.success', 'run.ended'],
    ]);
    expect(await events.since(cursor)).toEqual({ events: [], cursor, more: false });
    const { events: ends } = await events.since(start, { kinds: ['run.ended'] });
    expect(ends).toMatchObject([{ kind: 'run.ended', run: run.id, detail: { status: 'success' } }]);
    for (const bad of ['nonsense', undefined as never]) {
      await expect(events.since(bad)).rejects.toMatchObject({ code: 'FLOWSTONE_EVENT_CURSOR_LOST' });
    }
    await expect(events.since(start, { kinds: ['run.end' as 'run.ended'] })).rejects.toThrow('"run.ended"');
    await expect(events.since(start, { limits: 1 } as never)).rejects.toThrow('"limit"');
    await app.close();
    await expect(events.cursor()).rejects.toMatchObject({ code: 'FLOWSTONE_NOT_STARTED' });
    ({ app, flowstone } = await startApp([Numbers, Total, Tenants, Feed, Listener], storage.options));
    const again = flowstone.events.since(start, { kinds: ['run.ended'] });
    if (kind === 'memory') await expect(again).rejects.toMatchObject({ code: 'FLOWSTONE_EVENT_CURSOR_LOST' });
    else expect((await again).events).toEqual(ends);
  });

  it('refuse kinds that there are not, and filters that are none', () => {
    expect(() => flowstone.events.of('run.endet' as never)).toThrow(
      expect.objectContaining({ code: 'FLOWSTONE_REQUEST_INVALID', message: expect.stringContaining('"run.ended"') }),
    );
    expect(() => flowstone.events.of([])).toThrow(expect.objectContaining({ code: 'FLOWSTONE_REQUEST_INVALID' }));
    expect(() => flowstone.events.of('run.ended', { asset: 7 } as never)).toThrow('asset class');
    expect(() => flowstone.events.of('run.ended', { aset: 'a' } as never)).toThrow('"asset"');
  });
});
