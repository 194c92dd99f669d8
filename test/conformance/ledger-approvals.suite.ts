// Conformance of ledgers: materializations that wait for a decision.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ApprovalCommand } from '../../lib/ledger/approval.machine.js';
import type { ApprovalRule } from '../../lib/ledger/approval.records.js';
import type { ApprovalLedger, ApprovalRequest } from '../../lib/ledger/approvals.port.js';
import type { Claim } from '../../lib/ledger/work.js';
import { attempt, type World } from './ledger.fixture.js';

const NOBODY = { users: [], roles: [] };
const RULE: ApprovalRule = {
  ...{ assignees: NOBODY, quorum: 1, separationOfDuties: false, timeout: null, timeoutAction: null },
  ...{ extensions: 1, escalation: [], pinInputs: true, modifiable: true },
};

const approve = (by: string, more: object = {}): ApprovalCommand => ({
  ...{ kind: 'approve', by, roles: [], reason: null, proposal: null },
  ...more,
});

export function approvalBehaviours(world: () => World): void {
  let approvals: ApprovalLedger;
  let upstream: Claim;

  beforeEach(async () => {
    ({ approvals } = world().ledger);
    await world().run([{ asset: 'a' }]);
    upstream = await world().claimOne();
    await world().succeed(upstream);
  });

  const request = (rule: Partial<ApprovalRule> = {}, more: Partial<ApprovalRequest> = {}): ApprovalRequest => ({
    message: 'May it go on?',
    rule: { ...RULE, ...rule },
    ...{ inputs: 'i', upstreams: 'a' },
    pins: [{ alias: 'a', asset: 'a', partition: '', materialization: upstream.id, dataVersion: `v${upstream.id}` }],
    ...more,
  });

  /** A run in which b waits, with c behind it. */
  const asking = async (rule: Partial<ApprovalRule> = {}, requestedBy: string | null = null) => {
    const run = await world().run([{ asset: 'b' }, { asset: 'c', upstreams: [0] }], { requestedBy });
    const claim = await world().claimOne();
    const asked = await approvals.ask(attempt(claim), request(rule));
    if (asked.kind !== 'waiting') throw new Error(`it is ${asked.kind}`);
    return { run: run.id, claim, id: asked.approval };
  };

  const kinds = async (id: number) => (await approvals.acts(id)).map(({ kind, actor }) => `${kind} ${actor ?? '-'}`);

  describe('an attempt that asks', () => {
    it('waits without a process, keeping its lock, and is counted as such', async () => {
      const { run, claim, id } = await asking({}, 'anna');
      expect(await world().statuses(run)).toEqual(['b: waiting_approval', 'c: pending']);
      const { counts } = (await world().ledger.run(run))!;
      expect(counts).toMatchObject({ total: 2, waiting_approval: 1, pending: 1, running: 0 });
      expect(await world().headOf('b')).toMatchObject({ active: claim.id });
      expect((await world().ledger.materialization(claim.id))!.process).toBeNull();
      expect(await world().claim()).toEqual([]);
      expect(await approvals.approval(id)).toMatchObject({
        ...{ id, run, materialization: claim.id, epoch: 1, asset: 'b', partition: '', status: 'open' },
        ...{ message: 'May it go on?', requestedBy: 'anna', audience: NOBODY, deadline: null, votes: [] },
        ...{ decision: null, closedAt: null, previous: null, rule: RULE },
      });
      expect(await approvals.inputs(id)).toMatchObject([
        { alias: 'a', asset: 'a', partition: '', materialization: upstream.id, dataVersion: `v${upstream.id}` },
      ]);
      expect((await approvals.inputs(id))[0]!.value).toMatchObject({ io: 'memory', location: { at: upstream.id } });
      expect(await kinds(id)).toEqual(['requested anna']);
      expect(await world().eventKinds(run)).toEqual(
        expect.arrayContaining(['materialization.waiting_approval', 'approval.requested']),
      );
    });

    it('is not lost with its process, which has left', async () => {
      const { run, id } = await asking();
      await world().outlive('two');
      expect((await world().ledger.rescue('two')).count).toBe(0);
      await world().ledger.unregister('one');
      expect(await world().statuses(run)).toEqual(['b: waiting_approval', 'c: pending']);
      await approvals.command(id, approve('anna'));
      expect(await world().claimOne('two')).toMatchObject({ asset: 'b', epoch: 3 });
    });

    it('gives its place back', async () => {
      const run = await world().run([{ asset: 'b' }, { asset: 'd' }], { maxConcurrency: 1 });
      const [claim] = await world().claim();
      expect(await world().claim()).toEqual([]);
      await approvals.ask(attempt(claim!), request());
      expect(await world().claimOne()).toMatchObject({ asset: claim!.asset === 'b' ? 'd' : 'b', run: run.id });
    });

    it('is told once more what was told, where it asks again', async () => {
      const { claim, id } = await asking();
      expect(await approvals.ask(attempt(claim), request())).toMatchObject(
        world().ledger.durable ? { kind: 'waiting', approval: id } : { kind: 'fenced' },
      );
      expect((await approvals.approvals({}, { limit: 10, order: 'newest' })).items).toHaveLength(1);
    });

    it('does not wait once it is fenced, cancelled, or an input has moved', async () => {
      const run = await world().run([{ asset: 'b' }]);
      const claim = await world().claimOne();
      expect(await approvals.ask({ id: claim.id, epoch: 7 }, request())).toEqual({ kind: 'fenced' });
      const other = request({}, { pins: [{ ...request().pins[0]!, materialization: null, dataVersion: null }] });
      expect(await approvals.ask(attempt(claim), other)).toEqual({ kind: 'moved' });
      expect(await world().statuses(run.id)).toEqual(['b: running']);
      await world().ledger.cancelRun(run.id, { actor: null, reason: null, grace: 1000 });
      expect(await approvals.ask(attempt(claim), request())).toEqual({ kind: 'cancelled' });
      expect((await approvals.approvals({}, { limit: 10, order: 'newest' })).items).toEqual([]);
    });

    it('is followed by whoever waits for its lock', async () => {
      const { claim, id } = await asking();
      const second = await world().run([{ asset: 'b' }]);
      expect(await world().claim()).toEqual([]);
      expect((await world().ledger.materializations({ run: second.id }, { limit: 1 })).items[0]).toMatchObject({
        waitingFor: claim.id,
      });
      await approvals.command(id, approve('anna'));
      const again = await world().claimOne();
      expect(again.id).toBe(claim.id);
      await world().succeed(again);
      const rest = await world().claim();
      expect(rest.find(({ run }) => run === second.id)).toMatchObject({ joined: { id: claim.id, status: 'success' } });
    });
  });

  describe('a decision', () => {
    it('makes it ready, to be carried out with the versions it is about', async () => {
      const { run, claim, id } = await asking();
      const { approval } = await approvals.command(id, approve('anna', { reason: 'fine' }));
      expect(approval).toMatchObject({
        status: 'approved',
        decision: { action: 'approve', by: 'anna', reason: 'fine' },
      });
      expect(approval.closedAt).toEqual(approval.decision!.at);
      expect(await kinds(id)).toEqual(['requested -', 'approved anna']);
      const again = await world().claimOne('two');
      expect(again).toMatchObject({ id: claim.id, epoch: 3, attempt: 1 });
      const decided = await approvals.decided([again.id, 4711]);
      expect([...decided.keys()]).toEqual([again.id]);
      expect(decided.get(again.id)).toMatchObject({ approval: { id }, inputs: 'i', upstreams: 'a' });
      expect(decided.get(again.id)!.pins).toMatchObject([{ alias: 'a', materialization: upstream.id }]);
      await world().succeed(again);
      expect(await world().statuses(run)).toEqual(['b: success', 'c: pending']);
    });

    it('is kept over attempts that fail', async () => {
      const { claim, id } = await asking();
      await approvals.command(id, approve('anna'));
      await world().retry(await world().claimOne(), 1000);
      await world().pass(2000);
      await world().ledger.fireTimers();
      const again = await world().claimOne();
      expect((await approvals.decided([claim.id])).get(claim.id)!.approval.id).toBe(id);
      await world().fail(again);
      expect(await approvals.approval(id)).toMatchObject({ status: 'approved' });
    });

    it('is the only one: others learn who was first', async () => {
      const { id } = await asking();
      const people = Array.from({ length: 20 }, (_, index) => `person ${index}`);
      const done = await Promise.allSettled(
        people.map((by, index) =>
          approvals.command(id, index % 2 ? approve(by) : { kind: 'reject', by, roles: [], reason: 'no' }),
        ),
      );
      const winners = done.flatMap((one, index) => (one.status === 'fulfilled' ? [people[index]!] : []));
      expect(winners).toHaveLength(1);
      for (const one of done) {
        if (one.status === 'fulfilled') continue;
        expect(one.reason).toMatchObject({
          code: 'FLOWSTONE_APPROVAL_CONFLICT',
          context: { approval: id, winner: winners[0] },
        });
      }
      expect(await kinds(id)).toHaveLength(2);
      expect(await world().claim()).toHaveLength(1);
    });

    it('may come twice from the same person, as after a lost answer', async () => {
      const { id } = await asking();
      await approvals.command(id, approve('anna'));
      await approvals.command(id, approve('anna'));
      await expect(
        approvals.command(id, { kind: 'reject', by: 'anna', roles: [], reason: null }),
      ).rejects.toMatchObject({
        code: 'FLOWSTONE_APPROVAL_CONFLICT',
      });
      expect(await kinds(id)).toEqual(['requested -', 'approved anna']);
    });

    it('of an approval that is none is refused', async () => {
      await expect(approvals.command(4711, approve('anna'))).rejects.toMatchObject({
        code: 'FLOWSTONE_APPROVAL_UNKNOWN',
      });
    });

    it('keeps a modification with what was there before', async () => {
      const { id } = await asking({ quorum: 2 });
      const modify = (by: string, value: number): ApprovalCommand => ({
        kind: 'modify',
        by,
        roles: [],
        reason: null,
        value,
      });
      await approvals.command(id, modify('anna', 1));
      await expect(approvals.command(id, approve('bert'))).rejects.toMatchObject({
        code: 'FLOWSTONE_APPROVAL_CONFLICT',
      });
      await approvals.command(id, modify('bert', 2));
      const { approval } = await approvals.command(id, approve('carl', { proposal: 2 }));
      expect(approval).toMatchObject({
        ...{ status: 'modified', proposal: { number: 2, by: 'bert', value: 2 } },
        decision: { action: 'modify', by: 'carl' },
      });
      expect((await approvals.acts(id)).map(({ detail }) => detail)).toMatchObject([
        ...[{}, { before: null, after: 1 }, { before: 1, after: 2 }, { after: 2 }].map((detail, index) =>
          index === 0 ? (null as unknown as object) : detail,
        ),
      ]);
    });
  });

  describe('an input with another version', () => {
    const replace = async (dataVersion: string) => {
      await world().run([{ asset: 'a', forced: true }]);
      const claim = (await world().claim()).find(({ asset }) => asset === 'a')!;
      await world().succeed(claim, { dataVersion });
      return claim;
    };

    it('makes the request void, and it is looked at anew', async () => {
      const { claim, id } = await asking();
      const newer = await replace('other');
      await approvals.fireDue();
      expect(await approvals.approval(id)).toMatchObject({ status: 'superseded', decision: null });
      const again = await world().claimOne();
      expect(again).toMatchObject({ id: claim.id, epoch: 3 });
      expect((await approvals.decided([claim.id])).size).toBe(0);
      const asked = await approvals.ask(
        attempt(again),
        request({}, { pins: [{ ...request().pins[0]!, materialization: newer.id, dataVersion: 'other' }] }),
      );
      if (asked.kind !== 'waiting') throw new Error(asked.kind);
      expect(await approvals.approval(asked.approval)).toMatchObject({ status: 'open', previous: id });
    });

    it('makes it void as well where there was none', async () => {
      await world().run([{ asset: 'b' }]);
      const pins = [{ alias: 'd', asset: 'd', partition: '', materialization: null, dataVersion: null }];
      const asked = await approvals.ask(attempt(await world().claimOne()), request({}, { pins }));
      if (asked.kind !== 'waiting') throw new Error(asked.kind);
      await world().run([{ asset: 'd' }]);
      await world().succeed(await world().claimOne());
      await approvals.fireDue();
      expect(await approvals.approval(asked.approval)).toMatchObject({ status: 'superseded' });
    });

    it('wins over a decision that comes before anybody has noticed it', async () => {
      const { id } = await asking();
      await replace('other');
      await expect(approvals.command(id, approve('anna'))).rejects.toMatchObject({
        code: 'FLOWSTONE_APPROVAL_CONFLICT',
        context: { status: 'superseded' },
      });
      expect(await kinds(id)).toEqual(['requested -', 'superseded -']);
      expect(await world().claimOne()).toMatchObject({ asset: 'b' });
    });

    it('is the same to it where the data is the same', async () => {
      const { id } = await asking();
      await replace(`v${upstream.id}`);
      await approvals.fireDue();
      expect(await approvals.approval(id)).toMatchObject({ status: 'open' });
      await approvals.command(id, approve('anna'));
    });

    it('does not matter where inputs are not pinned', async () => {
      const { id } = await asking({ pinInputs: false });
      await replace('other');
      await approvals.fireDue();
      expect((await approvals.command(id, approve('anna'))).approval.status).toBe('approved');
    });

    it('does not matter any more after the decision, unless its attempt says so', async () => {
      const { claim, id } = await asking();
      await approvals.command(id, approve('anna'));
      const again = await world().claimOne();
      await replace('other');
      await approvals.fireDue();
      expect(await approvals.approval(id)).toMatchObject({ status: 'approved' });
      expect(await approvals.supersede({ id: claim.id, epoch: 1 }, id)).toBe(false);
      expect(await approvals.supersede(attempt(again), id)).toBe(true);
      expect(await approvals.approval(id)).toMatchObject({ status: 'superseded', decision: { by: 'anna' } });
      expect((await approvals.decided([claim.id])).size).toBe(0);
    });
  });

  describe('time', () => {
    it('ends an approval as declared, once', async () => {
      const { id } = await asking({ timeout: 60_000, timeoutAction: 'reject' });
      await world().pass(30_000);
      await approvals.fireDue();
      expect(await approvals.approval(id)).toMatchObject({ status: 'open' });
      await world().pass(31_000);
      await Promise.all([approvals.fireDue(), approvals.fireDue(), approvals.fireDue()]);
      expect(await approvals.approval(id)).toMatchObject({
        status: 'rejected',
        decision: { by: null, action: 'reject' },
      });
      expect(await kinds(id)).toEqual(['requested -', 'rejected -']);
      expect(await world().claimOne()).toMatchObject({ asset: 'b' });
    });

    it('moves a deadline on as often as declared, then it has passed', async () => {
      const { id } = await asking({ timeout: 60_000, timeoutAction: 'extend', extensions: 2 });
      for (const status of ['open', 'open', 'timed_out']) {
        await world().pass(61_000);
        await approvals.fireDue();
        expect(await approvals.approval(id)).toMatchObject({ status });
      }
      expect(await kinds(id)).toEqual(['requested -', 'extended -', 'extended -', 'timed_out -']);
    });

    it('opens it to more people, step by step', async () => {
      const step = (after: number | null, user: string) => ({ after, to: { users: [user], roles: [] }, notify: [] });
      const { id } = await asking({
        assignees: { users: ['anna'], roles: [] },
        escalation: [step(10_000, 'bert'), step(20_000, 'carl')],
      });
      await expect(approvals.command(id, approve('bert'))).rejects.toMatchObject({
        code: 'FLOWSTONE_APPROVAL_FORBIDDEN',
      });
      await world().pass(11_000);
      await approvals.fireDue();
      expect((await approvals.approval(id))!.audience.users).toEqual(['anna', 'bert']);
      await world().pass(10_000);
      await approvals.fireDue();
      expect((await approvals.approval(id))!.audience.users).toEqual(['anna', 'bert', 'carl']);
      await approvals.command(id, approve('bert'));
      expect(await kinds(id)).toEqual(['requested -', 'escalated -', 'escalated -', 'approved bert']);
      await world().pass(60_000);
      await approvals.fireDue();
      expect(await kinds(id)).toHaveLength(4);
    });

    it('is given more of by people', async () => {
      const { id } = await asking({ timeout: 60_000, timeoutAction: 'approve' });
      const before = (await approvals.approval(id))!.deadline!;
      await approvals.command(id, { kind: 'extend', by: 'anna', roles: [], reason: null, for: 120_000 });
      const { deadline } = (await approvals.approval(id))!;
      expect(deadline!.getTime() - before.getTime()).toBe(120_000);
      await world().pass(61_000);
      await approvals.fireDue();
      expect(await approvals.approval(id)).toMatchObject({ status: 'open' });
      await world().pass(120_000);
      await approvals.fireDue();
      expect(await approvals.approval(id)).toMatchObject({ status: 'approved', decision: { by: null } });
    });
  });

  describe('a cancel', () => {
    it('ends what waits for a decision', async () => {
      const { run, id } = await asking({ timeout: 1000, timeoutAction: 'approve' });
      const second = await world().run([{ asset: 'b' }]);
      await world().claim();
      expect(await world().ledger.cancelRun(run, { actor: 'bert', reason: null, grace: 1000 })).toMatchObject({
        accepted: true,
        ended: true,
      });
      expect(await world().statuses(run)).toEqual(['b: cancelled', 'c: cancelled']);
      expect(await world().runStatus(run)).toBe('cancelled');
      expect(await approvals.approval(id)).toMatchObject({ status: 'cancelled' });
      expect(await world().eventKinds(run)).toContain('approval.cancelled');
      expect(await kinds(id)).toEqual(['requested -', 'cancelled -']);
      await world().pass(2000);
      await approvals.fireDue();
      await expect(approvals.command(id, approve('anna'))).rejects.toMatchObject({
        code: 'FLOWSTONE_APPROVAL_CONFLICT',
      });
      expect(await world().claimOne()).toMatchObject({ run: second.id });
    });
  });

  describe('a list', () => {
    it('is by deadline or newest first, in pages, of those one may decide', async () => {
      const ids: number[] = [];
      for (const [asset, timeout, user] of [
        ['b', 50_000, 'anna'],
        ['c', 10_000, 'bert'],
        ['d', null, 'anna'],
      ] as const) {
        await world().run([{ asset }]);
        const claim = await world().claimOne();
        const rule = { timeout, timeoutAction: 'reject' as const, assignees: { users: [user], roles: ['boss'] } };
        const asked = await approvals.ask(attempt(claim), request(rule));
        ids.push(asked.kind === 'waiting' ? asked.approval : 0);
      }
      const [b, c, d] = ids;
      const list = async (filter: object, page: object = {}) => {
        const { items, next } = await approvals.approvals(filter, { limit: 10, order: 'deadline', ...page });
        return [...items.map(({ id }) => id), ...(next === null ? [] : ['more'])];
      };
      expect(await list({ status: ['open'] })).toEqual([c, b, d]);
      expect(await list({}, { order: 'newest' })).toEqual([d, c, b]);
      expect(await list({ status: ['open'] }, { limit: 2 })).toEqual([c, b, 'more']);
      expect(await list({ status: ['open'] }, { limit: 2, before: b })).toEqual([d]);
      expect(await list({}, { order: 'newest', limit: 2, before: d })).toEqual([c, b]);
      expect(await list({ audience: { users: ['anna'], roles: [] } })).toEqual([b, d]);
      expect(await list({ audience: { users: ['zoe'], roles: ['boss'] } })).toEqual([c, b, d]);
      expect(await list({ audience: { users: ['zoe'], roles: [] } })).toEqual([]);
      expect(await list({ asset: 'c' })).toEqual([c]);
      await approvals.command(c!, approve('bert'));
      expect(await list({ status: ['open'] })).toEqual([b, d]);
      expect(await list({ status: ['approved'] })).toEqual([c]);
    });
  });

  it('lets nothing be deleted that it is about, until that is carried out', async () => {
    const { id } = await asking();
    await world().ledger.deleteHeads([{ asset: 'a', partitions: 'all' }], { actor: null, reason: null });
    const { collection } = world().ledger;
    expect(await collection.freeCollections()).toEqual([]);
    await approvals.command(id, approve('anna'));
    expect(await collection.freeCollections()).toEqual([]);
    const again = await world().claimOne();
    expect(await collection.freeCollections()).toEqual([]);
    await world().succeed(again);
    expect(await collection.freeCollections()).toHaveLength(1);
  });
}
