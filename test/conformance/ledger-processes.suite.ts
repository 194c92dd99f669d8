// Processes: registration, leases, rescue, definitions that count.
import { expect, it } from '@jest/globals';
import { RESCUE_CAP } from '../../lib/ledger/transitions.js';
import type { AssetRegistration } from '../../lib/ledger/registrations.js';
import { attempt, by, LEASE, planOf, runOf, type World } from './ledger.fixture.js';

const asset = (fields: Partial<AssetRegistration> = {}): AssetRegistration => ({
  key: 'fruit',
  formerly: [],
  hash: 'v1',
  partitioned: false,
  pool: 'default',
  upstreams: 'a,b',
  definition: { made: 'v1' },
  ...fields,
});

export function processBehaviours(world: () => World): void {
  const enter = (id: string, assets: readonly AssetRegistration[], worker = true) =>
    world().ledger.register({ id, host: 'here', pid: 2, worker, lease: LEASE }, assets);
  const fruit = async (key = 'fruit') =>
    (await world().ledger.currentDefinitions()).find((definition) => definition.key === key);

  it('gives the work of a lost process to others, with the epoch raised', async () => {
    const run = await world().run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }]);
    const claim = await world().claimOne('one');
    await world().ledger.start([{ ...attempt(claim), timeout: 1000 }]);
    expect(await world().ledger.rescue('two')).toMatchObject({ count: 0 });
    await world().outlive('two');
    expect(await world().ledger.rescue('two')).toMatchObject({ count: 1 });
    expect(await world().ledger.rescue('two')).toMatchObject({ count: 0 });
    expect(await world().ledger.renew('one')).toEqual({ alive: false, held: [], cancelled: [], listened: false });
    expect(await world().claim('one')).toEqual([]);
    const again = await world().claimOne('two');
    expect(again).toMatchObject({ id: claim.id, attempt: 1, rescues: 1 });
    expect(again.epoch).toBeGreaterThan(claim.epoch + 1);
    expect(await world().succeed(claim)).toMatchObject({ verdicts: ['fenced'] });
    expect(await world().succeed(again)).toMatchObject({ verdicts: ['committed'], released: true });
    expect(await world().ledger.fireTimers()).toMatchObject({ due: [], next: null });
    expect(await world().eventKinds(run.id)).toContain('materialization.rescued');
  });

  it('spares a process that renews its lease', async () => {
    await world().run([{ asset: 'a' }]);
    const claim = await world().claimOne('one');
    await world().pass(LEASE - 1000);
    expect(await world().ledger.renew('one')).toEqual({
      alive: true,
      held: [attempt(claim)],
      cancelled: [],
      listened: false,
    });
    await world().outlive('one');
    await world().ledger.rescue('one');
    expect(await world().succeed(claim)).toMatchObject({ verdicts: ['committed'] });
  });

  it('fails what loses its worker again and again', async () => {
    const run = await world().run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }]);
    for (let round = 0; round <= RESCUE_CAP; round++) {
      await world().register(`lost ${round}`);
      expect(await world().claimOne(`lost ${round}`)).toMatchObject({ rescues: round, attempt: 1 });
      await world().outlive('two');
      const taken = await world().ledger.rescue('two');
      expect(taken).toMatchObject({ count: 1, endedRuns: round < RESCUE_CAP ? [] : [run.id] });
      const given = { run: run.id, asset: 'a', attempt: 1, message: expect.stringContaining('lost more than') };
      expect(taken.failed).toEqual(round < RESCUE_CAP ? [] : [{ ...given, partition: undefined }]);
    }
    expect(await world().statuses(run.id)).toEqual(['a: failed', 'b: upstream_failed']);
    const [failed] = (await world().ledger.materializations({ run: run.id, asset: 'a' }, { limit: 1 })).items;
    expect(failed!.error).toMatchObject({ code: 'FLOWSTONE_WORKER_LOST' });
    expect(await world().runStatus(run.id)).toBe('failed');
  });

  it('fails a run that loses its planner again and again', async () => {
    const { run } = await world().ledger.insertRun(runOf());
    for (let round = 0; round <= RESCUE_CAP; round++) {
      const planner = `lost ${round}`;
      await world().register(planner);
      // Who leaves in an orderly way is not counted.
      expect((await world().ledger.claimPlanning(by(planner)))?.run.id).toBe(run.id);
      await world().ledger.unregister(planner);
      await world().register(planner);
      expect((await world().ledger.claimPlanning(by(planner)))?.run.id).toBe(run.id);
      await world().outlive('two');
      const { count, endedRuns, failed } = await world().ledger.rescue('two');
      expect({ count, endedRuns, failed }).toEqual({
        count: 0,
        endedRuns: round < RESCUE_CAP ? [] : [run.id],
        failed: [],
      });
    }
    expect(await world().ledger.run(run.id)).toMatchObject({
      status: 'failed',
      error: {
        code: 'FLOWSTONE_WORKER_LOST',
        message: expect.stringMatching('that planned it was lost more than 20 times, the last time .*lost 20'),
      },
      completedAt: expect.any(Date),
    });
    expect(await world().eventKinds(run.id)).toEqual(['run.requested', 'run.ended']);
    expect(await world().ledger.claimPlanning(by('two'))).toBeUndefined();
  });

  it('says in which pools there is something to do, or to plan, without a lost process', async () => {
    await enter('three', [asset({ key: 'c', pool: 'heavy' }), asset({ key: 'd', pool: 'slow' })]);
    await world().run([{ asset: 'c' }]);
    expect(await world().claim('three', { assets: ['c'] })).toHaveLength(1);
    const targets = [{ asset: 'd', partitions: 'all' as const }];
    await world().ledger.insertRun(runOf({ request: { ...runOf().request, targets } }));
    expect(await world().ledger.claimPlanning({ process: 'three', assets: ['d'] })).toBeDefined();
    await world().outlive('two');
    const taken = await world().ledger.rescue('two');
    expect({ ...taken, rings: [...taken.rings].sort() }).toEqual({
      count: 1,
      endedRuns: [],
      rings: ['heavy', 'slow'],
      failed: [],
    });
  });

  it('cancels, rather than gives to others, what was asked to stop when its worker was lost', async () => {
    const run = await world().run([{ asset: 'a' }]);
    await world().claimOne('one');
    await world().ledger.cancelRun(run.id, { actor: null, reason: null, grace: 60_000 });
    await world().outlive('two');
    expect(await world().ledger.rescue('two')).toEqual({ count: 1, endedRuns: [run.id], rings: [], failed: [] });
    expect(await world().statuses(run.id)).toEqual(['a: cancelled']);
    expect(await world().runStatus(run.id)).toBe('cancelled');
  });

  it('hands back what a leaving process holds, at once and without counting', async () => {
    await world().run([{ asset: 'a' }], { maxConcurrency: 1 });
    const claim = await world().claimOne('one');
    expect(await world().ledger.unregister('one')).toEqual({ count: 1, endedRuns: [], rings: ['default'], failed: [] });
    expect(await world().ledger.unregister('one')).toEqual({ count: 0, endedRuns: [], rings: [], failed: [] });
    expect(await world().ledger.renew('one')).toMatchObject({ alive: false });
    expect(await world().succeed(claim)).toMatchObject({ verdicts: ['fenced'] });
    expect(await world().claimOne('two')).toMatchObject({ id: claim.id, attempt: 1, rescues: 0 });
  });

  it('takes as current the definition first registered latest among those of live workers', async () => {
    await enter('old', [asset()]);
    await enter('new', [asset({ hash: 'v2', definition: { made: 'v2' } })]);
    expect(await fruit()).toEqual({ key: 'fruit', hash: 'v2', definition: { made: 'v2' }, live: true });
    await world().ledger.unregister('old');
    await enter('old again', [asset()]);
    expect(await fruit()).toMatchObject({ hash: 'v2' });
    await world().ledger.unregister('new');
    expect(await fruit()).toMatchObject({ hash: 'v1', live: true });
    await enter('viewer', [asset({ hash: 'v3' })], false);
    expect(await fruit()).toMatchObject({ hash: 'v1', live: true });
    await world().ledger.unregister('old again');
    expect(await fruit()).toMatchObject({ hash: 'v3', live: false });
  });

  it('forgets the declarations of a lost process', async () => {
    await enter('old', [asset()]);
    await enter('new', [asset({ hash: 'v2' })]);
    await world().outlive('old');
    await world().ledger.rescue('old');
    expect(await fruit()).toMatchObject({ hash: 'v1', live: true });
  });

  it('keeps heads and history of a renamed asset', async () => {
    await enter('old', [asset()]);
    await world().ledger.reportVersion(
      { asset: 'fruit', partition: '', dataVersion: '7', metadata: null },
      { actor: null, reason: null },
    );
    await enter('new', [asset({ key: 'berry', formerly: ['apple', 'fruit'], hash: 'v2' })]);
    expect(await world().headOf('berry')).toMatchObject({ dataVersion: '7' });
    expect((await world().ledger.materializations({ asset: 'berry' }, { limit: 9 })).items).toHaveLength(1);
    expect(await fruit('berry')).toMatchObject({ hash: 'v2' });
    expect(await fruit()).toBeUndefined();
  });

  it('refuses at once all assets that changed between partitioned and not', async () => {
    await enter('old', [asset(), asset({ key: 'days', partitioned: true }), asset({ key: 'same' })]);
    const changed = [asset({ partitioned: true }), asset({ key: 'days' }), asset({ key: 'same' })];
    await expect(enter('new', changed)).rejects.toMatchObject({
      code: 'FLOWSTONE_LEDGER_PARTITIONING_CHANGED',
      context: { assets: ['fruit', 'days'] },
    });
    expect(await world().ledger.renew('new')).toMatchObject({ alive: false });
  });

  it('lets a process claim nothing after a worker entered that declares otherwise, until it has asked', async () => {
    const run = await world().run([{ asset: 'a' }, { asset: 'b' }]);
    await world().register('same');
    await enter('api', [asset({ key: 'a', hash: 'v0' })], false);
    const request = { process: 'one', assets: ['a', 'b'], limit: 1 };
    expect(await world().ledger.beat([], request)).toMatchObject({ claims: [{ asset: 'a' }], outdated: false });
    await enter('new', [asset({ key: 'a', hash: 'v2' })]);
    expect(await world().ledger.beat([], request)).toMatchObject({ claims: [], outdated: true });
    expect(await world().ledger.claimPlanning({ process: 'one', assets: [] })).toBeUndefined();
    const started = await world().ledger.insertRun(runOf(), {
      plan: planOf([{ asset: 'c' }]),
      claim: { ...request, assets: ['c'] },
    });
    expect(started).toMatchObject({ created: true, claims: [] });
    await world().ledger.currentDefinitions();
    expect(await world().claim('one')).toEqual([]);
    await world().ledger.currentDefinitions('one');
    expect(await world().ledger.beat([], request)).toMatchObject({ claims: [{ asset: 'b' }], outdated: false });
    expect(await world().statuses(run.id)).toEqual(['a: running', 'b: running']);
  });

  it('lets a process register the same again', async () => {
    await enter('one again', [asset(), asset({ key: 'pear' })]);
    await enter('one again', [asset({ key: 'pear' }), asset({ key: 'plum' })]);
    expect(await fruit()).toMatchObject({ live: false });
    expect(await fruit('pear')).toMatchObject({ live: true });
    expect(await fruit('plum')).toMatchObject({ live: true });
  });

  it('lets a process register anew with other declarations', async () => {
    await enter('one', [asset()]);
    await enter('one', [asset({ hash: 'v2' })]);
    expect(await fruit()).toMatchObject({ hash: 'v2', live: true });
    await enter('other', [asset()]);
    expect(await fruit()).toMatchObject({ hash: 'v2' });
  });
}
