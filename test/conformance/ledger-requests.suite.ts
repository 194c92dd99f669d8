// Requests: recording runs, run keys, retries, planning.
import { expect, it } from '@jest/globals';
import { NO_COUNTS } from '../../lib/ledger/transitions.js';
import { by, error, planOf, runOf, success, type World } from './ledger.fixture.js';

const target = (asset: string) => ({ asset, partitions: 'all' as const });

export function requestBehaviours(world: () => World): void {
  it('records a run with everything that was asked for', async () => {
    const fields = {
      ...runOf({ priority: 3, tags: { z: '1', a: '2' }, requestedBy: 'mia', maxConcurrency: 4, failFast: true }),
      request: {
        targets: [{ asset: 'p', partitions: { keys: ['x', 'Ä/"\\'] } }],
        upstream: 'all' as const,
        downstream: true,
        force: true,
        forceMaxAge: 500,
      },
    };
    const { run, created, claims } = await world().ledger.insertRun(fields);
    expect({ created, claims }).toEqual({ created: true, claims: [] });
    expect(run).toMatchObject({ ...fields, status: 'planning', counts: NO_COUNTS, completedAt: null, error: null });
    expect(JSON.stringify(run.request)).toBe(JSON.stringify(fields.request));
    expect(await world().ledger.run(run.id)).toEqual(run);
    expect(await world().ledger.run(run.id + 1000)).toBeUndefined();
  });

  it('returns the same run for the same run key and request, planned or not, ended or not', async () => {
    const first = await world().run([], { runKey: 'daily', tags: { a: '1', b: '2' } });
    expect(first.status).toBe('success');
    const again = await world().ledger.insertRun(runOf({ runKey: 'daily', tags: { b: '2', a: '1' } }));
    expect(again).toMatchObject({ created: false, run: { id: first.id } });
    expect((await world().ledger.runByKey('daily'))?.id).toBe(first.id);
    expect(await world().ledger.runByKey('weekly')).toBeUndefined();
  });

  it('refuses a run key that was used for another request', async () => {
    const { run } = await world().ledger.insertRun(runOf({ runKey: 'daily' }));
    const other = world().ledger.insertRun(runOf({ runKey: 'daily', priority: 1 }));
    await expect(other).rejects.toMatchObject({
      code: 'FLOWSTONE_RUN_KEY_CONFLICT',
      context: { runKey: 'daily', run: run.id },
    });
  });

  it('creates one run of many equal requests at once', async () => {
    const racing = Array.from({ length: 8 }, () => world().ledger.insertRun(runOf({ runKey: 'once' })));
    const results = await Promise.all(racing);
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(results.map(({ run }) => run.id)).size).toBe(1);
  });

  it('has one open retry of a run, and a new one once that has ended', async () => {
    const old = await world().run([]);
    const racing = Array.from({ length: 4 }, () => world().ledger.insertRun(runOf({ retryOf: old.id })));
    const results = await Promise.all(racing);
    const first = results.find(({ created }) => created);
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect(results.every(({ run }) => run.id === first!.run.id)).toBe(true);
    expect(first!.run.retryOf).toBe(old.id);
    await world().ledger.cancelRun(first!.run.id, { actor: null, reason: null, grace: 0 });
    expect((await world().ledger.insertRun(runOf({ retryOf: old.id }))).created).toBe(true);
  });

  it('plans the run of highest priority first, then the oldest, each once', async () => {
    const { ledger } = world();
    const low = (await ledger.insertRun(runOf())).run;
    const high = (await ledger.insertRun(runOf({ priority: 5 }))).run;
    const claims = await Promise.all([ledger.claimPlanning(by('one')), ledger.claimPlanning(by('two'))]);
    expect(claims.map((claim) => claim?.run.id).sort()).toEqual([low.id, high.id].sort());
  });

  it('gives a planning to its planner again, who asks for another only if it lost the answer or what it planned', async () => {
    const { ledger } = world();
    const { run } = await ledger.insertRun(runOf());
    const lost = await ledger.claimPlanning(by('one'));
    expect(await ledger.claimPlanning(by('two'))).toBeUndefined();
    const again = await ledger.claimPlanning(by('one'));
    expect(again).toMatchObject({ run: { id: run.id }, epoch: lost!.epoch + 1 });
    expect(await ledger.commitPlan(lost!, planOf([{ asset: 'a' }]))).toBe(false);
    expect(await ledger.commitPlan(again!, planOf([{ asset: 'a' }]))).toBe(true);
    expect(await ledger.claimPlanning(by('one'))).toBeUndefined();
  });

  it.each([
    ['another', ['b']],
    ['none', ['c']],
  ])('gives a planning to others when its planner, superseded, asks and gets %s', async (_name, left) => {
    const { ledger } = world();
    const { run } = await ledger.insertRun(runOf({ request: { ...runOf().request, targets: [target('a')] } }));
    await ledger.insertRun(runOf({ request: { ...runOf().request, targets: [target('b')] } }));
    const lost = await ledger.claimPlanning(by('one'));
    expect(lost?.run.id).toBe(run.id);
    expect(await ledger.claimPlanning(by('two', ['a']))).toBeUndefined();
    expect((await ledger.claimPlanning(by('one', left)))?.run.id).not.toBe(run.id);
    const again = await ledger.claimPlanning(by('two', ['a']));
    expect(again?.run.id).toBe(run.id);
    expect(await ledger.commitPlan(lost!, planOf([{ asset: 'a' }]))).toBe(false);
    expect(await ledger.commitPlan(again!, planOf([{ asset: 'a' }]))).toBe(true);
  });

  it('plans the most urgent first', async () => {
    const { ledger } = world();
    await ledger.insertRun(runOf());
    const high = (await ledger.insertRun(runOf({ priority: 5 }))).run;
    expect((await ledger.claimPlanning(by('one')))?.run.id).toBe(high.id);
  });

  it('gives the planning to a process that knows every target', async () => {
    const { ledger } = world();
    const all = { ...runOf().request, targets: ['a', 'b'].map(target) };
    const { run } = await ledger.insertRun(runOf({ request: all, priority: 5 }));
    const other = (await ledger.insertRun(runOf())).run;
    expect((await ledger.claimPlanning(by('one', ['a'])))?.run.id).toBe(other.id);
    expect((await ledger.claimPlanning(by('one', ['a'])))?.run.id).toBe(other.id);
    expect((await ledger.claimPlanning(by('two', ['c', 'b', 'a'])))?.run.id).toBe(run.id);
  });

  it('gives the planning of a lost process to another, and fences the first', async () => {
    const { ledger } = world();
    const { run } = await ledger.insertRun(runOf());
    const first = await ledger.claimPlanning(by('one'));
    await ledger.unregister('one');
    const second = await ledger.claimPlanning(by('two'));
    expect(second?.run.id).toBe(run.id);
    const plan = planOf([{ asset: 'a' }]);
    expect(await ledger.commitPlan(first!, plan)).toBe(false);
    expect(await ledger.failPlanning(first!, error('late'))).toBe(false);
    expect(await world().statuses(run.id)).toEqual([]);
    expect(await ledger.commitPlan(second!, plan)).toBe(true);
    expect(await ledger.commitPlan(second!, plan)).toBe(false);
    expect(await world().statuses(run.id)).toEqual(['a: pending']);
  });

  it('ends an empty plan at once', async () => {
    const { ledger } = world();
    const { run } = await ledger.insertRun(runOf());
    expect(await ledger.commitPlan((await ledger.claimPlanning(by('one')))!, planOf([]))).toBe(true);
    expect(await ledger.run(run.id)).toMatchObject({ status: 'success', completedAt: expect.any(Date) });
    expect(await world().eventKinds(run.id)).toEqual(['run.requested', 'run.planned', 'run.ended']);
  });

  it('ends a run that cannot be planned with the error', async () => {
    const { ledger } = world();
    const { run } = await ledger.insertRun(runOf());
    const claim = (await ledger.claimPlanning(by('one')))!;
    expect(await ledger.failPlanning(claim, error('no such partition'))).toBe(true);
    expect(await ledger.run(run.id)).toMatchObject({ status: 'failed', error: { message: 'no such partition' } });
  });

  it('does not plan a run that was cancelled meanwhile', async () => {
    const { ledger } = world();
    const { run } = await ledger.insertRun(runOf());
    const claim = (await ledger.claimPlanning(by('one')))!;
    const act = { actor: 'mia', reason: 'wrong day', grace: 0 };
    expect(await ledger.cancelRun(run.id, act)).toMatchObject({ accepted: true, ended: true, running: [] });
    expect(await ledger.commitPlan(claim, planOf([{ asset: 'a' }]))).toBe(false);
    expect(await ledger.run(run.id)).toMatchObject({
      status: 'cancelled',
      cancelRequested: { by: 'mia', reason: 'wrong day', at: expect.any(Date) },
    });
  });

  it('claims what is ready of a new run in the same act', async () => {
    const { ledger } = world();
    const plan = planOf([{ asset: 'a' }, { asset: 'b' }, { asset: 'c' }, { asset: 'd', upstreams: [0] }]);
    const claim = { process: 'one', assets: ['b', 'c', 'd'], limit: 1 };
    const { run, claims } = await ledger.insertRun(runOf({ tags: { t: '1' }, requestedBy: 'mia' }), { plan, claim });
    expect(claims).toMatchObject([
      { asset: 'b', run: run.id, epoch: 1, attempt: 1, rescues: 0, tags: { t: '1' }, requestedBy: 'mia', joined: null },
    ]);
    expect(await world().statuses(run.id)).toEqual(['a: pending', 'b: running', 'c: pending', 'd: pending']);
    expect((await ledger.run(run.id))!.counts).toEqual({ ...NO_COUNTS, total: 4, pending: 3, running: 1 });
  });

  it('begins a run of one materialization in the same act, unless another holds it', async () => {
    const { ledger } = world();
    const options = {
      plan: planOf([{ asset: 'a', forced: true, priority: 7 }]),
      claim: { process: 'one', assets: ['a'], limit: 1 },
    };
    const first = await ledger.insertRun(runOf({ tags: { t: '1' }, requestedBy: 'mia', maxConcurrency: 2 }), options);
    expect(first.claims).toMatchObject([
      {
        asset: 'a',
        partition: '',
        epoch: 1,
        attempt: 1,
        forced: true,
        priority: 7,
        tags: { t: '1' },
        requestedBy: 'mia',
      },
    ]);
    expect(first.run).toMatchObject({ status: 'running', maxConcurrency: 2, counts: { total: 1, running: 1 } });
    expect(await ledger.run(first.run.id)).toEqual(first.run);
    expect(await world().eventKinds(first.run.id)).toEqual(['run.requested', 'run.planned']);
    const second = await ledger.insertRun(runOf(), options);
    expect(second).toMatchObject({ created: true, claims: [], run: { counts: { pending: 1 } } });
    await world().succeed(first.claims[0]!);
    expect(await world().runStatus(first.run.id)).toBe('success');
    expect(await world().claimOne()).toMatchObject({ run: second.run.id, joined: { id: first.claims[0]!.id } });
    const third = await ledger.insertRun(runOf(), { ...options, claim: { ...options.claim, limit: 0 } });
    expect(third.claims).toEqual([]);
  });

  it('does not claim for a process that is not registered', async () => {
    const { ledger } = world();
    await ledger.unregister('one');
    const claim = { process: 'one', assets: ['a'], limit: 1 };
    const { claims } = await ledger.insertRun(runOf(), { plan: planOf([{ asset: 'a' }]), claim });
    expect(claims).toEqual([]);
    expect(await world().claim('one')).toEqual([]);
    expect(await world().claim('two')).toHaveLength(1);
  });

  it('records what cannot run as failed, and what depends on it as upstream_failed', async () => {
    const run = await world().run([
      { asset: 'a', blocked: error('no head') },
      { asset: 'b', upstreams: [0] },
      { asset: 'c', upstreams: [1] },
      { asset: 'd' },
    ]);
    expect(await world().statuses(run.id)).toEqual([
      'a: failed',
      'b: upstream_failed',
      'c: upstream_failed',
      'd: pending',
    ]);
    expect((await world().ledger.run(run.id))!.counts).toMatchObject({ failed: 1, upstream_failed: 2, pending: 1 });
    expect(await world().headOf('c')).toMatchObject({ failed: true, materialization: null });
    const [failed] = (await world().ledger.materializations({ run: run.id, status: ['failed'] }, { limit: 9 })).items;
    expect(failed).toMatchObject({ asset: 'a', error: { message: 'no head' }, completedAt: expect.any(Date) });
    await world().succeed(await world().claimOne());
    expect(await world().runStatus(run.id)).toBe('failed');
  });

  it('begins nothing of a run that fails fast when something of it cannot run', async () => {
    const run = await world().run(
      [{ asset: 'a', blocked: error('no head') }, { asset: 'b', upstreams: [0] }, { asset: 'c' }],
      { failFast: true },
    );
    expect(await world().statuses(run.id)).toEqual(['a: failed', 'b: upstream_failed', 'c: cancelled']);
    expect(await world().runStatus(run.id)).toBe('failed');
  });

  it('keeps partition keys of any content apart', async () => {
    const partitions = ['', ' ', 'a', 'A', 'ä', 'a\u0308', '"\\{},', '%_', 'NULL', "'", '\u{1F680}'];
    const run = await world().run(partitions.map((partition) => ({ asset: 'p', partition })));
    const claims = await world().claim();
    expect(claims.map(({ partition }) => partition)).toEqual(partitions);
    await world().settle(...claims.map((claim) => ({ ...success(claim), dataVersion: claim.partition || 'none' })));
    const [heads] = await world().ledger.heads([{ asset: 'p', partitions: 'all' }]);
    expect([...heads!].map(([key, { dataVersion }]) => [key, dataVersion]).sort()).toEqual(
      partitions.map((key) => [key, key || 'none']).sort(),
    );
    expect(await world().runStatus(run.id)).toBe('success');
  });

  it('takes a plan of many thousand rows', async () => {
    const size = 12_001;
    const entries = Array.from({ length: size }, (_, index) => ({
      asset: 'p',
      partition: `k${index}`,
      upstreams: index === 0 ? [] : [index - 1, Math.floor(index / 2)].filter((at, i, all) => all.indexOf(at) === i),
    }));
    const run = await world().run(entries);
    expect((await world().ledger.run(run.id))!.counts).toMatchObject({ total: size, pending: size });
    const first = await world().claimOne();
    expect(first.partition).toBe('k0');
    await world().succeed(first);
    expect((await world().claimOne()).partition).toBe('k1');
  });
}
