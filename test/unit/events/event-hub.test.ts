// The hub of events on a ledger that counts what it is asked.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { firstValueFrom, take, toArray } from 'rxjs';
import { EventBus } from '../../../lib/events/event.bus.js';
import type { FlowStoneEvent } from '../../../lib/events/event.js';
import { EventHub } from '../../../lib/events/event.hub.js';
import { FlowStoneEvents } from '../../../lib/events/flowstone.events.js';
import { cursorLost } from '../../../lib/ledger/event-cursors.js';
import type { EventLogLedger, EventNews } from '../../../lib/ledger/event-log.port.js';
import { FlowStoneError } from '../../../lib/flowstone.errors.js';
import { MemoryLedger } from '../../../lib/ledger/memory/memory-ledger.js';
import { RunSignals } from '../../../lib/runs/run.signals.js';
import { LedgerOutage } from '../../../lib/runs/ledger.outage.js';

const ACT = { actor: null, reason: null };
const NEVER = 3_600_000;

const asked: string[] = [];
const logged: string[] = [];
let ledger: MemoryLedger;
let bus: EventBus;
let events: FlowStoneEvents;
let failures: Error[];
let signals: RunSignals;
let heard: (what: string) => void;

const news: EventNews = {
  listen: (hear) => {
    asked.push('listen');
    heard = hear;
    return { close: async () => void asked.push('listen no more') };
  },
  mark: async (process, listens) => void asked.push(`mark ${process} ${listens}`),
  tell: async (what = '') => void asked.push(what === '' ? 'tell' : what),
};

function hubOn(poll = NEVER): EventHub {
  const answer = async <T>(what: string, give: () => Promise<T>): Promise<T> => {
    asked.push(what);
    const failure = failures.shift();
    if (failure) throw failure;
    return give();
  };
  const eventLog: EventLogLedger = {
    news,
    cursor: () => answer('cursor', () => ledger.eventLog.cursor()),
    since: (...request) => answer('since', () => ledger.eventLog.since(...request)),
  };
  const log = (text: string): void => void logged.push(text);
  const silent = { log, warn: log, error: log, debug: log, verbose: log };
  return new EventHub({
    ledger: {
      ...{ eventLog, hooks: ledger.hooks, logs: ledger.logs },
      materialization: (id) => ledger.materialization(id),
    },
    bus,
    hooks: [],
    notify: [],
    worker: true,
    posted: () => undefined,
    signals,
    process: () => 'me',
    pollInterval: poll,
    log: { outage: new LedgerOutage(silent), stumbled: (what) => log(what) },
  });
}

const add = (key: string) => ledger.addPartitions('days', [key], ACT);
const next = (count: number) => firstValueFrom(events.of('partitions.added').pipe(take(count), toArray()));
const keysOf = (told: Awaited<ReturnType<typeof next>>) => told.flatMap(({ detail }) => detail.keys);

beforeEach(() => {
  asked.length = 0;
  logged.length = 0;
  failures = [];
  signals = new RunSignals();
  ledger = new MemoryLedger();
  bus = new EventBus();
  events = new FlowStoneEvents(bus, (error) => logged.push(String(error)));
});

describe('a hub to which nobody listens', () => {
  it('asks the ledger nothing, and tells nobody', async () => {
    const hub = hubOn();
    await hub.start();
    hub.renewed(false);
    hub.wake();
    await events.listening();
    await hub.close();
    expect(asked).toEqual([]);
  });

  it('tells others while they listen', async () => {
    const hub = hubOn();
    await hub.start();
    hub.renewed(true);
    hub.wake();
    hub.wake();
    await hub.close();
    expect(asked).toEqual(['tell']);
  });
});

describe('a hub to which somebody listens', () => {
  it('gives what it hears of, and lets go of everything when nobody listens any more', async () => {
    const hub = hubOn();
    await hub.start();
    const two = next(2);
    await events.listening();
    await add('1');
    hub.wake();
    await add('2');
    heard('');
    expect(keysOf(await two)).toEqual(['1', '2']);
    hub.renewed(false);
    await hub.close();
    expect(asked.filter((what) => what !== 'since')).toEqual([
      'listen',
      'mark me true',
      'cursor',
      'listen no more',
      'mark me false',
    ]);
  });

  it('reads again what it read before somebody else wanted more', async () => {
    const hub = hubOn();
    await hub.start();
    events.of('run.ended').subscribe();
    await events.listening();
    const wanted = next(1);
    await add('1');
    hub.wake();
    expect(keysOf(await wanted)).toEqual(['1']);
    await hub.close();
  });

  it('goes on after an outage with what happened meanwhile', async () => {
    const hub = hubOn();
    await hub.start();
    const wanted = next(2);
    await events.listening();
    failures = [new FlowStoneError('FLOWSTONE_LEDGER_UNAVAILABLE', 'it is away')];
    await add('1');
    hub.wake();
    await add('2');
    expect(keysOf(await wanted)).toEqual(['1', '2']);
    await hub.close();
    expect(logged.join()).toContain('it is away');
  });

  it('says so where its place in the log is lost, and goes on at the end', async () => {
    const hub = hubOn();
    await hub.start();
    const wanted = next(1);
    await events.listening();
    failures = [cursorLost('set back')];
    await add('missed');
    hub.wake();
    await events.listening();
    await add('1');
    hub.wake();
    expect(keysOf(await wanted)).toEqual(['1']);
    expect(logged).toEqual(['Events may have been missed']);
    await hub.close();
  });

  it('is not ended by a bug of the ledger', async () => {
    const hub = hubOn(1);
    await hub.start();
    const wanted = next(1);
    await events.listening();
    failures = [new TypeError('a bug')];
    await add('1');
    expect(keysOf(await wanted)).toEqual(['1']);
    expect(logged).toEqual(['Events could not be read and are read again']);
    await hub.close();
  });

  it('gives the last before it closes', async () => {
    const hub = hubOn();
    await hub.start();
    const wanted = next(1);
    await events.listening();
    await add('last');
    await hub.close();
    expect(keysOf(await wanted)).toEqual(['last']);
  });
});

describe('progress between processes', () => {
  const execution = { run: 3, epoch: 1, id: 7, asset: 'a', partition: '', done: 1, total: 9 };
  const { run: _run, epoch: _epoch, ...progress } = execution;
  const told = (by: string, ...executions: unknown[]) => heard(JSON.stringify({ by, executions }));

  it('is told while others listen, the newest of what still executes', async () => {
    const hub = hubOn();
    await hub.start();
    hub.progressed(execution);
    hub.renewed(true);
    signals.report(3, progress);
    for (let done = 2; done < 50; done++) hub.progressed({ ...execution, done });
    hub.progressed({ ...execution, id: 8 });
    while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(asked.map((what) => JSON.parse(what) as unknown)).toEqual([
      { by: expect.any(String), executions: [{ ...execution, done: 49 }] },
    ]);
    await hub.close();
  });

  it('is heard of runs that are watched, until the log says that it is over, and nothing late', async () => {
    const hub = hubOn();
    await hub.start();
    const unwatch = hub.watch(3);
    await events.listening();
    told('other', execution, { ...execution, run: 4 }, { ...execution, id: 'x' }, null);
    heard('nonsense');
    heard('{}');
    expect(signals.executing(3)).toEqual([progress]);
    expect(signals.executing(4)).toEqual([]);
    bus.deliver([eventOf('materialization.retrying')]);
    told('other', execution);
    expect(signals.executing(3)).toEqual([]);
    told('other', { ...execution, epoch: 2, done: 2 });
    expect(signals.executing(3)).toEqual([{ ...progress, done: 2 }]);
    bus.deliver([eventOf('materialization.success')]);
    told('other', { ...execution, epoch: 2, done: 3 });
    expect(signals.executing(3)).toEqual([]);
    unwatch();
    told('other', execution);
    expect(signals.executing(3)).toEqual([]);
    await hub.close();
  });
});

function eventOf(kind: 'materialization.retrying' | 'materialization.success'): FlowStoneEvent {
  return {
    ...{ id: 1, at: new Date(), kind, run: 3, materialization: 7, asset: 'a', partition: '', actor: null },
    detail: null,
  };
}
