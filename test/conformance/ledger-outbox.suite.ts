// How every ledger keeps what is to leave the system.
import { expect, it } from '@jest/globals';
import type { LedgerUnderTest, World } from './ledger.fixture.js';

const LEASE = 60_000;

export function outboxBehaviours(here: () => World, post: LedgerUnderTest['post']): void {
  const outbox = () => here().ledger.outbox;
  const claim = (limit = 10, ...topics: string[]) =>
    outbox().claimDue(topics.length > 0 ? topics : ['news'], limit, LEASE);
  const payloads = async (...request: Parameters<typeof claim>) =>
    (await claim(...request)).notices.map(({ payload }) => payload);

  it('has nothing due at first', async () => {
    expect(await claim()).toEqual({ notices: [], next: null });
  });

  it('gives what was posted once, the longest due first, with all that is known of it', async () => {
    for (const n of [1, 2, 3]) await post('news', { n });
    const { notices } = await claim(2);
    expect(notices.map(({ payload }) => payload)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(notices[0]).toMatchObject({ topic: 'news', attempt: 1, delivered: [], createdAt: expect.any(Date) });
    expect(await payloads()).toEqual([{ n: 3 }]);
    expect(await payloads()).toEqual([]);
  });

  it('gives only what is of the topics asked for, over all of them in order', async () => {
    for (const [n, topic] of ['news', 'letters', 'other', 'news'].entries()) await post(topic, { n });
    expect(await payloads(10, 'other')).toEqual([{ n: 2 }]);
    expect(await payloads(2, 'news', 'letters')).toEqual([{ n: 0 }, { n: 1 }]);
    expect(await payloads(2, 'news', 'letters')).toEqual([{ n: 3 }]);
    expect(await outbox().claimDue([], 10, LEASE)).toEqual({ notices: [], next: null });
  });

  it('gives one to one sender only, however many ask', async () => {
    for (let n = 0; n < 20; n++) await post('news', { n });
    const taken = await Promise.all(Array.from({ length: 5 }, () => payloads(7)));
    const rest = await payloads(100);
    expect([...taken.flat(), ...rest].map(({ n }) => n as number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, n) => n),
    );
  });

  it('says when the next is due that was not taken', async () => {
    for (const n of [1, 2]) await post('news', { n });
    expect((await claim(1)).next).toBe(0);
    const { notices, next } = await claim(1);
    expect(next).toBeGreaterThan(0.9 * LEASE);
    expect(next).toBeLessThanOrEqual(LEASE);
    await outbox().failed(notices[0]!, 5000);
    expect((await claim()).next).toBeLessThanOrEqual(5000);
  });

  it('gives again what its sender has not told of until the lease was over', async () => {
    await post('news', {});
    await claim();
    await here().pass(LEASE + 1);
    expect((await claim()).notices).toMatchObject([{ attempt: 2 }]);
  });

  it('gives again what failed, after the delay', async () => {
    await post('news', {});
    const [notice] = (await claim()).notices;
    await outbox().failed(notice!, 5000);
    expect(await payloads()).toEqual([]);
    await here().pass(5001);
    expect((await claim()).notices).toMatchObject([{ id: notice!.id, attempt: 2 }]);
  });

  it('leaves what another sender has taken since to that one', async () => {
    await post('news', {});
    const [first] = (await claim()).notices;
    await here().pass(LEASE + 1);
    await claim();
    await outbox().failed(first!, 0);
    expect(await payloads()).toEqual([]);
  });

  it('forgets what was sent', async () => {
    await post('news', {});
    const [notice] = (await claim()).notices;
    await outbox().sent(notice!.id);
    await here().pass(LEASE + 1);
    expect(await claim()).toEqual({ notices: [], next: null });
  });

  it('keeps in mind which receivers have it', async () => {
    await post('news', {});
    const [notice] = (await claim()).notices;
    for (const receiver of ['a', 'b', 'a']) await outbox().deliveredTo(notice!.id, receiver);
    await outbox().failed(notice!, 0);
    expect((await claim()).notices).toMatchObject([{ delivered: ['a', 'b'] }]);
  });

  it('drops what is too old, some at a time, and tells of it', async () => {
    for (const n of [1, 2, 3]) await post(n === 2 ? 'of nobody' : 'news', { n });
    await claim();
    expect(await outbox().drop(10_000, 2)).toEqual([]);
    await here().pass(10_001);
    await post('news', { n: 4 });
    expect(await outbox().drop(10_000, 2)).toHaveLength(2);
    expect(await outbox().drop(10_000, 2)).toHaveLength(1);
    expect(await outbox().drop(10_000, 2)).toEqual([]);
    expect(await payloads()).toEqual([{ n: 4 }]);
    const { items } = await here().ledger.events({}, { limit: 10 });
    const told = items.filter(({ kind }) => kind === 'notice.dropped').map(({ detail }) => detail);
    expect(told).toHaveLength(3);
    expect(told).toContainEqual({ notice: expect.any(Number), topic: 'of nobody', attempts: 0 });
    expect(told).toContainEqual({ notice: expect.any(Number), topic: 'news', attempts: 1 });
  });
}
