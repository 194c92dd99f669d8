// Schedules through the public door, on every storage.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import {
  Asset,
  Partitions,
  Schedule,
  type AssetContext,
  type FlowStoneService,
  type ScheduleTick,
} from '../../lib/index.js';
import { gate, startApp } from './graph.js';
import { SAMPLED_STORAGES, testStorage, type TestStorage } from './storages.js';

let computed: string[] = [];
let asked: ScheduleTick[] = [];
let held: { opened: Promise<void>; open(): void } | undefined;
let answer: (tick: ScheduleTick) => string | string[] | Promise<string>;

/** Every second. */
const EVERY_SECOND = '* * * * * *';
/** Not while a test runs. */
const YEARLY = '0 6 1 1 *';

@Schedule({ cron: EVERY_SECOND })
@Asset()
class Clocked {
  execute(): number {
    computed.push('clocked');
    return computed.length;
  }
}

@Schedule({ cron: EVERY_SECOND, overlap: 'queue' })
@Asset()
class Slow {
  async execute({ signal }: AssetContext): Promise<void> {
    computed.push('slow');
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    await Promise.race([held?.opened, aborted]);
  }
}

@Schedule({ cron: YEARLY, timeZone: 'Europe/Berlin', partition: (tick) => (asked.push(tick), answer(tick)) })
@Asset({ partitions: Partitions.static(['a', 'b', 'c']) })
class Chosen {
  execute({ partition }: AssetContext): string {
    computed.push(`chosen ${partition.key}`);
    return partition.key;
  }
}

@Asset({ partitions: Partitions.daily({ start: '2001-01-01', end: '2001-02-01' }) })
class Daily {
  execute({ partition }: AssetContext): string {
    computed.push(`daily ${partition.key}`);
    return partition.key;
  }
}

@Schedule({ name: 'nightly', cron: YEARLY, targets: [Daily, 'clocked'], tags: { kind: 'nightly' } })
@Schedule({ name: 'weekly', cron: '0 0 * * 1', targets: 'daily', partitions: 'missing' })
@Injectable()
class Plans {}

let storage: TestStorage;
let app: TestingModule | undefined;
let flowstone: FlowStoneService;

async function start(...providers: Parameters<typeof startApp>[0][number][]): Promise<void> {
  ({ app, flowstone } = await startApp(providers, storage.options));
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe.each(SAMPLED_STORAGES)('schedules, on %s', (kind) => {
  beforeEach(async () => {
    storage = await testStorage(kind);
    computed = [];
    asked = [];
    held = undefined;
    answer = () => 'b';
  });
  afterEach(async () => {
    held?.open();
    await app?.close();
    app = undefined;
    await storage.remove();
  });

  it('compute at each tick, whatever the state', async () => {
    await start(Clocked);
    await until(() => computed.length >= 3);
    await flowstone.schedules.pause('clocked');
    const { items } = await flowstone.schedules.ticks('clocked');
    const times = items.map(({ tick }) => tick.getTime()).toReversed();
    expect(times.every((time) => time % 1000 === 0)).toBe(true);
    expect(times).toEqual(times.map((_, n) => times[0]! + n * 1000));
    expect(items.every(({ status, run, by }) => status === 'fired' && run !== null && by === null)).toBe(true);
    const { items: runs } = await flowstone.runs({}, { limit: 100 });
    expect(runs.map(({ id }) => id)).toEqual(items.map(({ run }) => run));
    expect(runs[0]).toMatchObject({ requestedBy: 'schedule clocked' });
  });

  it('fire nothing while they are paused, and nothing of that when they are resumed', async () => {
    await start(Clocked);
    expect(await flowstone.schedules.pause('clocked', { by: 'ada', reason: 'holidays' })).toBe(true);
    expect(await flowstone.schedules.pause('clocked')).toBe(false);
    expect(await flowstone.schedules.get('clocked')).toMatchObject({
      paused: { by: 'ada', reason: 'holidays' },
      nextTick: null,
    });
    const before = (await flowstone.schedules.ticks('clocked')).items.length;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await flowstone.schedules.ticks('clocked')).items).toHaveLength(before);
    const resumed = Date.now();
    expect(await flowstone.schedules.resume('clocked', { by: 'ada' })).toBe(true);
    await until(async () => (await flowstone.schedules.ticks('clocked')).items.length > before);
    const [tick] = (await flowstone.schedules.ticks('clocked')).items;
    expect(tick!.tick.getTime()).toBeGreaterThan(resumed - 100);
  });

  it('let ticks wait while the run before has not ended, if they are to', async () => {
    held = gate();
    await start(Slow);
    await until(async () => (await flowstone.schedules.ticks('slow')).items.length >= 3);
    expect(computed).toEqual(['slow']);
    const { items } = await flowstone.schedules.ticks('slow');
    expect(items.at(-1)).toMatchObject({ status: 'fired' });
    expect(items.slice(0, -1).every(({ status }) => status === 'queued')).toBe(true);
    expect(await flowstone.schedules.get('slow')).toMatchObject({ queued: items.at(-2)!.tick });
    held.open();
    await until(() => computed.length >= 3);
  });

  it('ask a function which partition a tick is for', async () => {
    await start(Chosen);
    const run = await flowstone.schedules.runNow('chosen', { by: 'ada', reason: 'to see' });
    await flowstone.run(run).wait();
    expect(computed).toEqual(['chosen b']);
    expect(asked).toMatchObject([{ schedule: 'chosen', timeZone: 'Europe/Berlin', at: expect.any(Date) }]);
    answer = async () => 'c';
    await flowstone.run(await flowstone.schedules.runNow('chosen')).wait();
    answer = () => ['a', 'b'];
    await flowstone.run(await flowstone.schedules.runNow('chosen')).wait();
    expect(computed.slice(1).sort()).toEqual(['chosen a', 'chosen b', 'chosen c']);
    answer = () => [];
    await expect(flowstone.schedules.runNow('chosen')).rejects.toMatchObject({ code: 'FLOWSTONE_REQUEST_INVALID' });
    answer = () => 'd';
    await expect(flowstone.schedules.runNow('chosen')).rejects.toMatchObject({ code: 'FLOWSTONE_PARTITION_UNKNOWN' });
    const { items } = await flowstone.schedules.ticks('chosen');
    expect(items.at(-1)).toMatchObject({ by: 'ada', reason: 'to see', run });
    expect(items).toHaveLength(3);
  });

  it('compute of assets by time the window that ended last, of several targets in one run', async () => {
    await start(Plans, Daily, Clocked);
    await flowstone.schedules.pause('clocked');
    computed = [];
    const run = await flowstone.schedules.runNow('nightly');
    await flowstone.run(run).wait();
    expect(computed.sort()).toEqual(['clocked', 'daily 2001-01-31']);
    expect(await flowstone.run(run).view()).toMatchObject({ tags: { kind: 'nightly' } });
    computed = [];
    await flowstone.run(await flowstone.schedules.runNow('weekly')).wait();
    expect(computed).toHaveLength(30);
  });

  it('are listed with their next ticks', async () => {
    await start(Plans, Daily, Clocked);
    const listed = await flowstone.schedules.list();
    expect(listed.map(({ name, declared, live, targets }) => ({ name, declared, live, targets }))).toEqual([
      { name: 'clocked', declared: true, live: true, targets: ['clocked'] },
      { name: 'nightly', declared: true, live: true, targets: ['daily', 'clocked'] },
      { name: 'weekly', declared: true, live: true, targets: ['daily'] },
    ]);
    const after = new Date('2024-12-31T12:00:00Z');
    expect((await flowstone.schedules.next('nightly', { count: 2, after })).map((tick) => tick.toISOString())).toEqual([
      '2025-01-01T06:00:00.000Z',
      '2026-01-01T06:00:00.000Z',
    ]);
    await expect(flowstone.schedules.next('nightli')).rejects.toMatchObject({
      code: 'FLOWSTONE_SCHEDULE_UNKNOWN',
      message: expect.stringContaining('did you mean "nightly"?'),
    });
    await expect(flowstone.schedules.next('nightly', { count: 0 })).rejects.toMatchObject({
      code: 'FLOWSTONE_REQUEST_INVALID',
    });
  });

  it('are created, changed and deleted, and go on after a restart', async () => {
    await start(Daily);
    const { schedules } = flowstone;
    await schedules.create('extra', { cron: YEARLY, targets: 'daily', partitions: ['2001-01-03'] }, { by: 'ada' });
    await expect(schedules.create('extra', { cron: YEARLY, targets: 'daily' })).rejects.toMatchObject({
      code: 'FLOWSTONE_SCHEDULE_EXISTS',
    });
    await expect(schedules.create('other', { cron: 'often', targets: 'dailly' })).rejects.toMatchObject({
      code: 'FLOWSTONE_SCHEDULE_INVALID',
    });
    await expect(schedules.create('other', { cron: YEARLY, targets: 'dailly' })).rejects.toMatchObject({
      code: 'FLOWSTONE_SCHEDULE_INVALID',
    });
    await flowstone.run(await schedules.runNow('extra')).wait();
    expect(computed).toEqual(['daily 2001-01-03']);
    await schedules.update('extra', { partitions: ['2001-01-04'], cron: EVERY_SECOND });
    expect(await schedules.get('extra')).toMatchObject({ cron: EVERY_SECOND, targets: ['daily'], declared: false });
    await until(() => computed.includes('daily 2001-01-04'));
    if (kind === 'memory') return;
    await app!.close();
    computed = [];
    await start(Daily);
    await until(() => computed.includes('daily 2001-01-04'));
    await flowstone.schedules.delete('extra', { by: 'ada', reason: 'done' });
    await expect(flowstone.schedules.get('extra')).rejects.toMatchObject({ code: 'FLOWSTONE_SCHEDULE_UNKNOWN' });
  });

  it('that code declares are not changed or deleted by a call', async () => {
    await start(Clocked);
    const declared = { code: 'FLOWSTONE_SCHEDULE_DECLARED' };
    await expect(flowstone.schedules.update('clocked', { cron: YEARLY })).rejects.toMatchObject(declared);
    await expect(flowstone.schedules.delete('clocked')).rejects.toMatchObject(declared);
  });

  it('declared wrongly are named at boot, all at once', async () => {
    @Schedule({ cron: 'daily', timeZone: 'Mars', overlap: 'never' as never })
    @Injectable()
    class Wrong {}
    @Schedule({ cron: YEARLY, name: 'clocked', targets: ['tag:'] })
    @Injectable()
    class Twice {}
    @Schedule({ cron: YEARLY })
    @Asset({ name: 'keyed', partitions: Partitions.static(['a']) })
    class Keyed {
      execute(): void {}
    }
    const started = start(Wrong, Twice, Keyed, Clocked);
    await expect(started).rejects.toMatchObject({ code: 'FLOWSTONE_DECLARATION_INVALID' });
    const { message } = (await started.catch((error: Error) => error)) as Error;
    expect(message).toContain("cron 'daily' cannot be used");
    expect(message).toContain("timeZone 'Mars' is no IANA time zone");
    expect(message).toContain("overlap is 'never'; give it 'skip', 'queue' or 'allow'");
    expect(message).toContain("'tag:' selects nothing");
    expect(message).toContain('keyed is partitioned, and not by time alone');
    expect(message).toMatch(/Twice has one of that name as well|Clocked has one of that name as well/);
  });
});
