// The sender of the outbox, over the ledger in memory.
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FlowStoneError } from '../../../lib/flowstone.errors.js';
import { MemoryOutbox } from '../../../lib/ledger/memory/memory-outbox.js';
import type { OutboxLedger } from '../../../lib/ledger/outbox.port.js';
import { OutboxSender, type OutboxNews } from '../../../lib/outbox/outbox.sender.js';
import type { Delivery, NoticeReceiver } from '../../../lib/outbox/receiver.port.js';

let now: number;
let ledger: MemoryOutbox;
let told: string[];
let senders: OutboxSender[];

beforeEach(() => {
  now = Date.UTC(2026, 0, 1);
  told = [];
  senders = [];
  ledger = new MemoryOutbox(
    () => now,
    () => undefined,
  );
});
afterEach(() => Promise.all(senders.map((sender) => sender.close(0))));

const news: OutboxNews = {
  failed: ({ name }, error, delay) => told.push(`${name} failed: ${(error as Error).message}, again in ${delay}`),
  givenUp: ({ name }, { id }) => told.push(`${name} gave ${id} up`),
  sent: ({ name }) => told.push(`${name} took one`),
  outage: () => told.push('outage'),
  broken: (error) => told.push(`broken: ${String(error)}`),
  dropped: (notices) => told.push(`dropped ${notices.length}`),
};

function senderTo(receivers: readonly NoticeReceiver[], over: OutboxLedger = ledger, keepFor = 3_600_000) {
  const parts = { ledger: () => over, installation: () => 'here', random: () => 1, receivers, keepFor, news };
  const sender = new OutboxSender(parts);
  senders.push(sender);
  return sender;
}

/** Keeps what it is sent; throws what `broken` says. */
class Receiver implements NoticeReceiver {
  readonly taken: Delivery[] = [];
  attempts = 0;
  broken: Error | undefined;
  constructor(
    readonly name: string,
    readonly topic = 'news',
  ) {}
  async send(delivery: Delivery): Promise<void> {
    this.attempts++;
    if (this.broken !== undefined) throw this.broken;
    this.taken.push(delivery);
  }
  get numbers(): unknown[] {
    return this.taken.map(({ payload }) => payload['n']);
  }
}

async function until(met: () => boolean): Promise<void> {
  for (let left = 4000; !met(); left -= 2) {
    if (left < 0) throw new Error(`it never came to that; told: ${told.join('; ')}`);
    await pause(2);
  }
}

describe('the sender of the outbox', () => {
  it('sends what was written before it started, and what is written later as soon as it is told', async () => {
    ledger.post('news', { n: 1 });
    const receiver = new Receiver('a');
    const sender = senderTo([receiver]);
    sender.start();
    await until(() => receiver.taken.length === 1);
    ledger.post('news', { n: 2 });
    sender.look();
    await until(() => receiver.taken.length === 2);
    expect(receiver.taken).toEqual([
      { id: 'here-1', payload: { n: 1 }, attempt: 1, createdAt: new Date(now) },
      { id: 'here-2', payload: { n: 2 }, attempt: 1, createdAt: new Date(now) },
    ]);
    await sender.close(1000);
    expect(await ledger.claimDue(['news'], 10, 1)).toEqual({ notices: [], next: null });
  });

  it('sends many, some at a time', async () => {
    for (let n = 0; n < 100; n++) ledger.post('news', { n });
    let most = 0;
    let at = 0;
    const receiver = new Receiver('a');
    const sender = senderTo([
      {
        name: 'slow',
        topic: 'news',
        send: async (delivery) => {
          most = Math.max(most, ++at);
          await pause(1);
          at--;
          await receiver.send(delivery);
        },
      },
    ]);
    sender.start();
    await until(() => receiver.taken.length === 100);
    expect(most).toBe(8);
    expect(new Set(receiver.numbers).size).toBe(100);
  });

  it('sends each topic to its own receivers, and leaves the others alone', async () => {
    const [a, b] = [new Receiver('a'), new Receiver('b', 'letters')];
    for (const topic of ['letters', 'news', 'of nobody']) ledger.post(topic, { n: topic });
    senderTo([a, b]).start();
    await until(() => a.taken.length + b.taken.length === 2);
    expect([a.numbers, b.numbers]).toEqual([['news'], ['letters']]);
    expect((await ledger.claimDue(['of nobody'], 1, 1)).notices).toHaveLength(1);
  });

  it('does not repeat one receiver for the sake of another, whose turns become rarer', async () => {
    const [well, ill] = [new Receiver('well'), new Receiver('ill')];
    ill.broken = new Error('it is away');
    ledger.post('news', { n: 1 });
    const sender = senderTo([well, ill]);
    sender.start();
    for (const [attempt, delay] of [1000, 2000, 4000].entries()) {
      await until(() => told.includes(`ill failed: it is away, again in ${delay}`));
      await pause(5);
      now += delay - 1;
      sender.look();
      await pause(5);
      expect(ill.attempts).toBe(attempt + 1);
      now += 1;
      sender.look();
    }
    await until(() => ill.attempts === 4);
    await pause(5);
    ill.broken = undefined;
    now += 300_000;
    sender.look();
    await until(() => ill.taken.length === 1);
    expect(well.taken).toHaveLength(1);
    expect(ill.taken[0]).toMatchObject({ id: 'here-1', attempt: 5 });
    await sender.close(100);
    expect(await ledger.claimDue(['news'], 10, 1)).toEqual({ notices: [], next: null });
  });

  it('waits for five minutes at most between two attempts', async () => {
    const ill = new Receiver('ill');
    ill.broken = new Error('away');
    ledger.post('news', {});
    const sender = senderTo([ill], ledger, 1e9);
    sender.start();
    for (let attempt = 1; attempt <= 12; attempt++) {
      await until(() => ill.attempts === attempt);
      await pause(5);
      now += 300_000;
      sender.look();
    }
    expect(told.at(-1)).toContain('again in 300000');
  });

  it('gives a notice up that the receiver says it will never take', async () => {
    const receiver = new Receiver('a');
    receiver.broken = new FlowStoneError('FLOWSTONE_REQUEST_INVALID', 'gone');
    ledger.post('news', {});
    const sender = senderTo([receiver]);
    sender.start();
    await until(() => told.includes('a gave here-1 up'));
    await sender.close(100);
    expect(await ledger.claimDue(['news'], 10, 1)).toEqual({ notices: [], next: null });
  });

  it('goes on after outages of the ledger, and sends once more what it could not mark as sent', async () => {
    const outage = (): never => {
      throw new FlowStoneError('FLOWSTONE_LEDGER_UNAVAILABLE', 'away');
    };
    let outages = 2;
    const flaky: OutboxLedger = {
      claimDue: (...request) => (outages-- > 0 ? outage() : ledger.claimDue(...request)),
      sent: (id) => (outages-- > -2 ? outage() : ledger.sent(id)),
      deliveredTo: (...one) => ledger.deliveredTo(...one),
      failed: (...one) => ledger.failed(...one),
      drop: (...which) => ledger.drop(...which),
    };
    ledger.post('news', { n: 1 });
    const receiver = new Receiver('a');
    senderTo([receiver], flaky).start();
    await until(() => outages < -2);
    expect(receiver.numbers).toEqual([1]);
    expect(told.filter((line) => line === 'outage').length).toBeGreaterThanOrEqual(3);
    expect(await ledger.claimDue(['news'], 10, 1)).toEqual({ notices: [], next: null });
  });

  it('shares what is due with the senders of other processes', async () => {
    for (let n = 0; n < 60; n++) ledger.post('news', { n });
    const receivers = ['one', 'two', 'three'].map((name) => new Receiver(name));
    for (const receiver of receivers) senderTo([receiver]).start();
    await until(() => receivers.flatMap(({ taken }) => taken).length === 60);
    expect(new Set(receivers.flatMap(({ numbers }) => numbers)).size).toBe(60);
  });

  it('sends what is due before it closes', async () => {
    const receiver = new Receiver('a');
    const sender = senderTo([receiver]);
    sender.start();
    await pause(5);
    for (let n = 0; n < 50; n++) ledger.post('news', { n });
    await sender.close(10_000);
    expect(receiver.taken).toHaveLength(50);
  });

  it('leaves to others what hangs when it closes, at once', async () => {
    const signals: AbortSignal[] = [];
    const hanging = {
      name: 'hanging',
      topic: 'news',
      send: (_delivery: Delivery, signal: AbortSignal) => {
        signals.push(signal);
        return new Promise<void>(() => undefined);
      },
    };
    for (let n = 0; n < 20; n++) ledger.post('news', { n });
    const sender = senderTo([hanging]);
    sender.start();
    await until(() => signals.length === 8);
    await sender.close(30);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    expect(told).toEqual([]);
    expect((await ledger.claimDue(['news'], 30, 1)).notices).toHaveLength(20);
  });

  it('drops what is too old, whoever it was for', async () => {
    for (let n = 0; n < 501; n++) ledger.post('of nobody', { n });
    now += 1001;
    senderTo([], ledger, 1000).start();
    await until(() => told.length === 2);
    expect(told).toEqual(['dropped 500', 'dropped 1']);
  });
});
