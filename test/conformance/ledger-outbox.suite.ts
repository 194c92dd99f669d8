// How every ledger keeps what is to leave the system.
import { expect, it } from '@jest/globals';
import { ATTEMPTS, type AttemptNotice } from '../../lib/ledger/outbox.port.js';
import {
  attempt,
  LEASE as PROCESS_LEASE,
  planOf,
  registrations,
  runOf,
  type LedgerUnderTest,
  type World,
} from './ledger.fixture.js';

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

/** Whether attempts are told to the outside. */
export function attemptNoticeBehaviours(here: () => World): void {
  const told = async () => {
    const { notices } = await here().ledger.outbox.claimDue([ATTEMPTS], 100, LEASE);
    for (const { id } of notices) await here().ledger.outbox.sent(id);
    const all = notices.map(({ payload }) => payload as unknown as AttemptNotice);
    return { began: all.flatMap(({ began }) => began), ended: all.flatMap(({ ended }) => ended) };
  };
  const tell = (tellsAttempts: boolean, worker = true) =>
    here().ledger.register(
      { id: 'one', host: 'here', pid: 1, worker, lease: PROCESS_LEASE, tellsAttempts },
      registrations(),
    );

  it('is nothing, unless it is wanted', async () => {
    await here().run([{ asset: 'a' }]);
    await here().succeed(await here().claimOne());
    expect(await told()).toEqual({ began: [], ended: [] });
  });

  it('is when an attempt begins, and how it ends', async () => {
    await tell(true);
    for (const asset of ['a', 'b', 'c', 'd']) await here().run([{ asset }]);
    const claims = await here().claim();
    const [a, b, c, d] = claims;
    await here().succeed(a!);
    await here().fail(b!);
    await here().settle({ kind: 'skipped', ...attempt(c!), reason: 'fresh', joined: null });
    await here().settle({ kind: 'cancelled', ...attempt(d!) });
    const { began, ended } = await told();
    expect(began).toEqual(claims.map(({ id }) => [id, 1]));
    expect(ended).toEqual([
      [a!.id, 1, 'success', null],
      [b!.id, 1, 'failed', null],
      [c!.id, 1, 'skipped', null],
      [d!.id, 1, 'cancelled', null],
    ]);
  });

  it('is each attempt that fails, with its error, and the next one', async () => {
    await tell(true);
    await here().run([{ asset: 'a' }]);
    const first = await here().claimOne();
    await here().retry(first, 0);
    await here().ledger.fireTimers();
    const second = await here().claimOne();
    await here().retry(second, 0, true);
    await here().ledger.fireTimers();
    await here().succeed(await here().claimOne());
    expect(await told()).toEqual({
      began: [1, 2, 3].map((number) => [first.id, number]),
      ended: [
        [first.id, 1, 'materialization.retrying', expect.objectContaining({ message: 'again' })],
        [first.id, 2, 'materialization.retrying', expect.objectContaining({ message: 'again' })],
        [first.id, 3, 'success', null],
      ],
    });
  });

  it('is that an attempt goes on which was handed back, and no end of it', async () => {
    await tell(true);
    await here().run([{ asset: 'a' }]);
    const claim = await here().claimOne();
    await here().settle({ kind: 'handed_back', ...attempt(claim) });
    await here().succeed(await here().claimOne());
    expect(await told()).toEqual({
      began: [1, 1].map((number) => [claim.id, number]),
      ended: [[claim.id, 1, 'success', null]],
    });
  });

  it('is that an attempt was lost with its worker', async () => {
    await tell(true);
    await here().run([{ asset: 'a' }]);
    const claim = await here().claimOne('two');
    await here().outlive('one');
    await here().ledger.rescue('one');
    await here().succeed(await here().claimOne('one'));
    expect(await told()).toEqual({
      began: [1, 2].map((number) => [claim.id, number]),
      ended: [
        [claim.id, 1, 'materialization.rescued', null],
        [claim.id, 2, 'success', null],
      ],
    });
  });

  it('is nothing of what never began', async () => {
    await tell(true);
    const run = await here().run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }]);
    const claim = await here().claimOne();
    await here().fail(claim);
    const other = await here().run([{ asset: 'c' }]);
    await here().ledger.cancelRun(other.id, { actor: null, reason: null, grace: 1000 });
    expect(await here().statuses(run.id)).toEqual(['a: failed', 'b: upstream_failed']);
    expect(await told()).toEqual({ began: [[claim.id, 1]], ended: [[claim.id, 1, 'failed', null]] });
  });

  it('is of what is claimed as it is requested', async () => {
    await tell(true);
    const plan = planOf([{ asset: 'a' }]);
    const claim = { process: 'one', assets: ['a'], limit: 1 };
    const { claims } = await here().ledger.insertRun(runOf(), { plan, claim });
    expect(await told()).toEqual({ began: [[claims[0]!.id, 1]], ended: [] });
  });

  it('is for the worker to say that entered last', async () => {
    await tell(true);
    await tell(false, false);
    await here().run([{ asset: 'a' }]);
    await here().claimOne();
    expect((await told()).began).toHaveLength(1);
    await tell(false);
    await here().run([{ asset: 'b' }]);
    await here().claimOne();
    expect((await told()).began).toHaveLength(0);
  });
}
