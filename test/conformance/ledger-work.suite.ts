// Work: claiming, the fence, commits, retries, timers, single flight.
import { expect, it } from '@jest/globals';
import { attempt, by, error, success, type World } from './ledger.fixture.js';

export function workBehaviours(world: () => World): void {
  it('claims by priority, then age, and only what was asked for', async () => {
    await world().run([{ asset: 'a' }, { asset: 'b', priority: 2 }, { asset: 'c', priority: 2 }, { asset: 'd' }]);
    const claims = await world().claim('one', { limit: 2 });
    expect(claims.map(({ asset, priority }) => [asset, priority])).toEqual([
      ['b', 2],
      ['c', 2],
    ]);
    expect(await world().claim('two', { assets: ['d', 'nobody'] })).toMatchObject([{ asset: 'd', epoch: 1 }]);
    expect(await world().claim('two', { limit: 0 })).toEqual([]);
    expect(await world().claimOne('two')).toMatchObject({ asset: 'a' });
    expect(await world().claim('two')).toEqual([]);
  });

  it('gives each materialization to one of many claimers', async () => {
    await world().run(Array.from({ length: 60 }, (_, index) => ({ asset: 'p', partition: `k${index}` })));
    const taken: number[] = [];
    for (let round = 0; taken.length < 60 && round < 60; round++) {
      const claims = await Promise.all(
        ['one', 'two', 'one', 'two'].map((process) => world().claim(process, { limit: 5 })),
      );
      taken.push(...claims.flat().map(({ id }) => id));
    }
    expect(taken).toHaveLength(60);
    expect(new Set(taken).size).toBe(60);
  });

  it('releases what depends on a success, when the last upstream is done', async () => {
    const run = await world().run([{ asset: 'a' }, { asset: 'b' }, { asset: 'c', upstreams: [0, 1] }]);
    const [a, b] = await world().claim();
    expect(await world().succeed(a!)).toEqual({ verdicts: ['committed'], endedRuns: [], released: false });
    expect(await world().claim()).toEqual([]);
    expect(await world().succeed(b!)).toMatchObject({ released: true });
    const c = await world().claimOne();
    expect(await world().succeed(c, { consumed: [a!.id, b!.id] })).toMatchObject({ endedRuns: [run.id] });
    expect(await world().runStatus(run.id)).toBe('success');
  });

  it('claims what a beat releases in it', async () => {
    await world().run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }]);
    const a = await world().claimOne();
    // So that nothing is known to be ready.
    expect(await world().claim()).toEqual([]);
    const request = { ...by('one'), limit: 10 };
    const { claims, released } = await world().ledger.beat([success(a)], request);
    expect(claims).toMatchObject([{ asset: 'b' }]);
    expect(released).toBe(false);
    expect(await world().ledger.beat([success(claims[0]!)], request)).toMatchObject({ claims: [], fresh: false });
  });

  it('claims of what a beat releases the most urgent that are its own, and offers the rest', async () => {
    const run = await world().run([
      { asset: 'a' },
      { asset: 'b', upstreams: [0] },
      { asset: 'c', upstreams: [0], priority: 1 },
      { asset: 'd', upstreams: [0], priority: 2 },
      { asset: 'p', partition: 'x', upstreams: [0], priority: 3 },
      { asset: 'p', partition: 'y', upstreams: [0, 1], priority: 9 },
    ]);
    const a = await world().claimOne();
    const first = await world().ledger.beat([success(a)], { ...by('one', ['a', 'b', 'c', 'd']), limit: 2 });
    expect(first.fresh).toBe(true);
    expect(first.claims).toMatchObject([
      {
        asset: 'd',
        epoch: 1,
        head: { partition: '', active: first.claims[0]!.id, materialization: null },
      },
      { asset: 'c', epoch: 1 },
    ]);
    expect(await world().ledger.run(run.id)).toMatchObject({ counts: { success: 1, running: 2, pending: 3 } });
    expect(await world().claim('one', { assets: ['a', 'b', 'c', 'd'] })).toMatchObject([{ asset: 'b' }]);
    expect(await world().claim('two')).toMatchObject([{ asset: 'p', partition: 'x' }]);
    expect(await world().settle(...first.claims.map((claim) => success(claim)))).toMatchObject({
      verdicts: ['committed', 'committed'],
    });
  });

  it('claims of what a beat releases no more than of what waits elsewhere', async () => {
    await world().run([
      { asset: 'a' },
      ...['1', '2', '3', '4'].map((partition) => ({ asset: 'p', partition, upstreams: [0] })),
    ]);
    const a = await world().claimOne();
    await world().run([{ asset: 'b' }, { asset: 'c' }, { asset: 'd', priority: 1 }]);
    const urgent = await world().ledger.beat([success(a)], { ...by('one'), limit: 1 });
    expect(urgent.claims).toMatchObject([{ asset: 'd' }]);
    const shared = await world().ledger.beat(
      urgent.claims.map((claim) => success(claim)),
      { ...by('one'), limit: 4 },
    );
    expect(shared.claims.map(({ asset }) => asset).sort()).toEqual(['b', 'c', 'p', 'p']);
  });

  it('claims of what a beat releases nothing whose (asset, partition) is taken', async () => {
    await world().run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }, { asset: 'c', upstreams: [0] }]);
    const a = await world().claimOne();
    await world().run([{ asset: 'b' }]);
    const holder = await world().claimOne('two');
    // So that nothing else is known to be ready.
    expect(await world().claim()).toEqual([]);
    const { claims } = await world().ledger.beat([success(a)], { ...by('one'), limit: 10 });
    expect(claims).toMatchObject([{ asset: 'c' }]);
    expect(await world().claim()).toEqual([]);
    await world().succeed(holder);
    expect(await world().claimOne()).toMatchObject({ asset: 'b', joined: { id: holder.id } });
  });

  it('releases across one group and across two processes at once', async () => {
    const run = await world().run([
      ...['1', '2', '3', '4'].map((partition) => ({ asset: 'p', partition })),
      { asset: 'a', upstreams: [0, 1, 2, 3] },
      { asset: 'b', upstreams: [2, 3] },
    ]);
    const [first, second, third, fourth] = await world().claim();
    await Promise.all([
      world().settle(success(first!), success(second!)),
      world().settle(success(third!), success(fourth!)),
    ]);
    const claims = await world().claim();
    expect(claims.map(({ asset }) => asset)).toEqual(['a', 'b']);
    await world().settle(...claims.map((claim) => success(claim)));
    expect(await world().runStatus(run.id)).toBe('success');
  });

  it('commits a success with head, value, versions and lineage', async () => {
    const run = await world().run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }]);
    const a = await world().claimOne();
    expect(a.head).toMatchObject({ partition: '', materialization: null, value: null, active: a.id });
    await world().succeed(a, {
      value: null,
      metadata: { note: 'nul \u0000 and half \ud83d', deep: [1, null, { x: true }] },
    });
    const b = await world().claimOne();
    const value = { io: 'filesystem', location: { path: 'x', epoch: 1 }, size: 5_000_000_000, rows: 7, hash: 'abc' };
    const fields = { value, dataVersion: 'v1', codeVersion: '3', inputs: 'in', upstreams: 'a', consumed: [a.id] };
    const looks = {
      format: 'jsonl',
      schema: [
        { name: 'id', type: 'number', nullable: false },
        { name: 'nul \u0000', type: 'x' },
      ],
    };
    await world().succeed(b, { ...fields, ...looks, metadata: { rows: 7 } });
    const { consumed: _, ...recorded } = fields;
    const head = await world().headOf('b');
    expect(head!.value).toEqual(value);
    expect(head).toMatchObject({ materialization: b.id, ...recorded, active: null, failed: false, invalidated: false });
    expect(await world().ledger.materialization(b.id)).toMatchObject({
      ...{ id: b.id, run: run.id, asset: 'b', partition: '', status: 'success', epoch: 1, attempts: 1, process: 'one' },
      value: {
        ...value,
        format: 'jsonl',
        schema: [looks.schema[0], { name: expect.stringMatching(/^nul ./), type: 'x' }],
      },
      ...{ dataVersion: 'v1', codeVersion: '3', metadata: { rows: 7 }, error: null, skipped: null },
      ...{ createdAt: expect.any(Date), startedAt: expect.any(Date), completedAt: expect.any(Date) },
    });
    const consumed = await world().ledger.consumed([b.id, a.id]);
    expect(consumed.get(b.id)).toEqual([{ materialization: a.id, asset: 'a', partition: '', dataVersion: `v${a.id}` }]);
    expect(consumed.get(a.id)).toEqual([]);
    expect((await world().ledger.materialization(a.id))!.value).toBeNull();
    expect(await world().eventKinds(run.id)).toEqual([
      ...['run.requested', 'run.planned', 'materialization.success', 'materialization.success', 'run.ended'],
    ]);
  });

  it('replaces the edges of the plan by what was consumed', async () => {
    await world().run([{ asset: 'a' }]);
    const old = await world().claimOne();
    await world().succeed(old);
    await world().run([{ asset: 'b' }, { asset: 'd' }, { asset: 'c', upstreams: [0, 1] }]);
    const [b, d] = await world().claim();
    await world().settle(success(b!), success(d!));
    const c = await world().claimOne();
    await world().succeed(c, { consumed: [b!.id, old.id] });
    const edges = (await world().ledger.consumed([c.id])).get(c.id)!;
    expect(edges.map((edge) => 'asset' in edge && edge.asset).sort()).toEqual(['a', 'b']);
  });

  it('fences an attempt whose epoch is not the row\u2019s, and every second end', async () => {
    await world().run([{ asset: 'a' }]);
    const claim = await world().claimOne();
    expect(await world().settle({ ...success(claim), epoch: claim.epoch + 1 })).toMatchObject({ verdicts: ['fenced'] });
    expect(await world().succeed(claim, { dataVersion: 'first' })).toMatchObject({ verdicts: ['committed'] });
    expect(await world().succeed(claim, { dataVersion: 'second' })).toMatchObject({ verdicts: ['fenced'] });
    expect(await world().fail(claim)).toMatchObject({ verdicts: ['fenced'], endedRuns: [], released: false });
    expect(await world().headOf('a')).toMatchObject({ dataVersion: 'first', failed: false });
  });

  it('takes the first of two outcomes of one attempt in a group', async () => {
    await world().run([{ asset: 'a' }, { asset: 'b' }]);
    const [a, b] = await world().claim();
    const failure = { ...attempt(a!), kind: 'failed' as const, error: error('late'), startedAt: null };
    const { verdicts } = await world().settle(success(a!), failure, success(b!));
    expect(verdicts).toEqual(['committed', 'fenced', 'committed']);
  });

  it('settles the newest of two attempts in a group, whichever comes first', async () => {
    await world().run([{ asset: 'a' }, { asset: 'b' }]);
    const stale = await world().claim();
    await world().settle(...stale.map((claim) => ({ ...attempt(claim), kind: 'handed_back' as const })));
    const [a, b] = await world().claim();
    const late = stale.map((claim) => ({ ...attempt(claim), kind: 'handed_back' as const }));
    const { verdicts } = await world().settle(late[0]!, success(a!), success(b!), late[1]!);
    expect(verdicts).toEqual(['fenced', 'committed', 'committed', 'fenced']);
  });

  it('lets one of many racing ends win', async () => {
    await world().run([{ asset: 'a' }]);
    const claim = await world().claimOne();
    const racing = [
      ...Array.from({ length: 4 }, (_, index) => world().succeed(claim, { dataVersion: `v${index}` })),
      world().fail(claim),
      world().settle({ ...attempt(claim), kind: 'cancelled' }),
    ];
    const verdicts = (await Promise.all(racing)).flatMap((settled) => settled.verdicts);
    expect(verdicts.filter((verdict) => verdict === 'committed')).toHaveLength(1);
  });

  it('refuses a success past its deadline, and tells of the deadline', async () => {
    const run = await world().run([{ asset: 'a' }]);
    const claim = await world().claimOne();
    expect(await world().ledger.start([{ ...attempt(claim), timeout: 60_000 }])).toEqual(new Set([claim.id]));
    const before = await world().ledger.fireTimers();
    expect(before).toMatchObject({ rings: [], due: [] });
    expect(before.next!.getTime()).toBeGreaterThan((await world().ledger.now()).getTime());
    await world().pass(61_000);
    expect((await world().ledger.fireTimers()).due).toEqual([
      { kind: 'timeout', ...attempt(claim), run: run.id, asset: 'a', partition: '', attempt: 1 },
    ]);
    expect(await world().succeed(claim)).toMatchObject({ verdicts: ['expired'] });
    expect(await world().fail(claim, 'too slow')).toMatchObject({ verdicts: ['committed'] });
    expect(await world().ledger.fireTimers()).toEqual({ rings: [], due: [], next: null });
  });

  it('begins only attempts that are still held', async () => {
    await world().run([{ asset: 'a' }, { asset: 'b' }]);
    const [a, b] = await world().claim();
    await world().fail(a!);
    const attempts = [a!, b!].map((claim) => ({ ...attempt(claim), timeout: null }));
    expect(await world().ledger.start(attempts)).toEqual(new Set([b!.id]));
    expect((await world().ledger.materialization(b!.id))!.startedAt).toBeInstanceOf(Date);
    expect(await world().ledger.start([])).toEqual(new Set());
  });

  it('keeps a retry until its time, counts it, and makes it ready once', async () => {
    const run = await world().run([{ asset: 'a' }]);
    const claim = await world().claimOne();
    await world().ledger.start([{ ...attempt(claim), timeout: 1000 }]);
    expect(await world().retry(claim, 30_000)).toEqual({ verdicts: ['committed'], endedRuns: [], released: false });
    expect(await world().claim()).toEqual([]);
    expect(await world().ledger.progressOf(run.id, [])).toEqual({ going: true, ready: false, waitsFor: [] });
    expect(await world().ledger.fireTimers()).toMatchObject({ rings: [], due: [], next: expect.any(Date) });
    await world().pass(31_000);
    const fired = await Promise.all([world().ledger.fireTimers(), world().ledger.fireTimers()]);
    expect(fired.flatMap(({ rings }) => rings)).toEqual(['default']);
    expect(await world().claimOne('two')).toMatchObject({ id: claim.id, epoch: 2, attempt: 2, rescues: 0 });
    expect(await world().eventKinds(run.id)).toContain('materialization.retrying');
  });

  it('does not let retries wait that are due together, however many', async () => {
    const entries = Array.from({ length: 2500 }, (_, index) => ({ asset: 'p', partition: `${index}` }));
    await world().run(entries);
    const claims = await world().claim('one', { limit: entries.length });
    const again = { kind: 'retry', error: error('again'), delay: 0, infrastructure: false } as const;
    await world().settle(...claims.map((claim) => ({ ...attempt(claim), ...again })));
    await world().pass(1);
    for (;;) {
      const { next } = await world().ledger.fireTimers();
      if (next === null) break;
      expect(next.getTime()).toBeLessThanOrEqual((await world().ledger.now()).getTime());
    }
    expect(await world().claim('two', { limit: entries.length })).toHaveLength(entries.length);
  });

  it('tells soon of all deadlines that have passed together, however many', async () => {
    const entries = Array.from({ length: 1500 }, (_, index) => ({ asset: 'p', partition: `${index}` }));
    const run = await world().run(entries);
    const claims = await world().claim('one', { limit: entries.length });
    await world().ledger.start(claims.map((claim) => ({ ...attempt(claim), timeout: 0 })));
    await world().pass(1);
    for (let told = 0; told < entries.length;) {
      const { due, next } = await world().ledger.fireTimers();
      told += due.length;
      if (told < entries.length)
        expect(next!.getTime() - (await world().ledger.now()).getTime()).toBeLessThanOrEqual(100);
      await world().settle(
        ...due.map(({ id, epoch }) => ({ kind: 'failed' as const, id, epoch, error: error('late'), startedAt: null })),
      );
    }
    expect(await world().runStatus(run.id)).toBe('failed');
  });

  it('tells of what is ready whether anybody is there to execute it', async () => {
    const run = await world().run([{ asset: 'a' }, { asset: 'b' }, { asset: 'c', upstreams: [1] }]);
    const going = { going: true, ready: false, waitsFor: [] };
    expect(await world().ledger.progressOf(run.id, ['b', 'd'])).toEqual(going);
    expect(await world().ledger.progressOf(run.id, ['c', 'd'])).toEqual({ going: false, ready: true, waitsFor: [] });
    expect(await world().ledger.progressOf(run.id, [])).toEqual({ going: false, ready: true, waitsFor: [] });
    await world().claim('one', { assets: ['a', 'b'] });
    expect(await world().ledger.progressOf(run.id, ['a', 'b', 'c'])).toEqual({ ...going, going: false });
  });

  it('counts an infrastructure failure as a rescue, not as an attempt', async () => {
    await world().run([{ asset: 'a' }]);
    await world().retry(await world().claimOne(), 0, true);
    await world().pass(1);
    await world().ledger.fireTimers();
    expect(await world().claimOne()).toMatchObject({ attempt: 1, rescues: 1, epoch: 2 });
  });

  it('takes back an attempt untouched', async () => {
    await world().run([{ asset: 'a' }]);
    const claim = await world().claimOne();
    await world().ledger.start([{ ...attempt(claim), timeout: 1000 }]);
    expect(await world().settle({ ...attempt(claim), kind: 'handed_back' })).toMatchObject({ released: true });
    expect(await world().ledger.materialization(claim.id)).toMatchObject({
      status: 'pending',
      attempts: 0,
      startedAt: null,
    });
    expect(await world().ledger.fireTimers()).toMatchObject({ next: null });
    expect(await world().succeed(claim)).toMatchObject({ verdicts: ['fenced'] });
    expect(await world().claimOne('two')).toMatchObject({ id: claim.id, epoch: 2, attempt: 1, rescues: 0 });
  });

  it('skips, leaving the head as it is', async () => {
    await world().run([{ asset: 'a' }]);
    const first = await world().claimOne();
    await world().succeed(first);
    const run = await world().run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }]);
    const second = await world().claimOne();
    expect(second.head).toMatchObject({ materialization: first.id, dataVersion: `v${first.id}` });
    await world().settle({ ...attempt(second), kind: 'skipped', reason: 'fresh', joined: null });
    expect(await world().headOf('a')).toMatchObject({ materialization: first.id, active: null });
    expect(await world().ledger.materialization(second.id)).toMatchObject({
      skipped: { reason: 'fresh', joined: null },
    });
    await world().succeed(await world().claimOne());
    expect(await world().ledger.run(run.id)).toMatchObject({ status: 'success', counts: { skipped: 1, success: 1 } });
  });

  it('runs one materialization of an (asset, partition) at a time: others wait, then learn how it ended', async () => {
    const [first, second] = [await world().run([{ asset: 'a' }]), await world().run([{ asset: 'a' }])];
    const holder = await world().claimOne('one');
    expect(await world().claim('two')).toEqual([]);
    const [waiter] = (await world().ledger.materializations({ run: second.id }, { limit: 1 })).items;
    expect(waiter).toMatchObject({ status: 'pending', waitingFor: holder.id });
    expect(await world().ledger.progressOf(second.id, ['a'])).toEqual({
      ...{ going: false, ready: false },
      waitsFor: [first.id],
    });
    expect(await world().ledger.hasReady(['a'])).toBe(false);
    expect(await world().succeed(holder)).toMatchObject({ released: true, endedRuns: [first.id] });
    expect(await world().ledger.hasReady(['a'])).toBe(true);
    const joined = await world().claimOne('two');
    expect(joined).toMatchObject({
      id: waiter!.id,
      epoch: 1,
      joined: { id: holder.id, status: 'success', error: null },
    });
    expect(joined.head).toMatchObject({ materialization: holder.id, dataVersion: `v${holder.id}`, active: joined.id });
    await world().settle({ ...attempt(joined), kind: 'skipped', reason: 'joined', joined: holder.id });
    expect(await world().runStatus(second.id)).toBe('success');
  });

  it('tells a waiter of the failure it waited for', async () => {
    await world().run([{ asset: 'a' }]);
    await world().run([{ asset: 'a' }]);
    const holder = await world().claimOne();
    expect(await world().claim()).toEqual([]);
    await world().fail(holder, 'broken for both');
    expect((await world().claimOne()).joined).toMatchObject({
      id: holder.id,
      status: 'failed',
      error: { message: 'broken for both' },
    });
  });

  it('lets two rows of one head in one claim take turns', async () => {
    await world().run([{ asset: 'a' }]);
    await world().run([{ asset: 'a' }, { asset: 'b' }]);
    const claims = await world().claim('one', { limit: 2 });
    expect(claims.map(({ asset }) => asset)).toEqual(['a', 'b']);
    await world().succeed(claims[0]!);
    expect((await world().claimOne()).joined).toMatchObject({ id: claims[0]!.id });
  });

  it('keeps the lock over a retry', async () => {
    await world().run([{ asset: 'a' }]);
    const holder = await world().claimOne();
    await world().retry(holder, 60_000);
    await world().run([{ asset: 'a' }]);
    expect(await world().claim('two')).toEqual([]);
    expect(await world().headOf('a')).toMatchObject({ active: holder.id });
    await world().pass(61_000);
    await world().ledger.fireTimers();
    expect(await world().claimOne('two')).toMatchObject({ id: holder.id, attempt: 2 });
  });

  it('gives a waiter\u2019s higher priority to a holder that does not run', async () => {
    await world().run([{ asset: 'a' }, { asset: 'b', priority: 1 }]);
    const [b, a] = await world().claim();
    await world().settle({ ...attempt(a!), kind: 'handed_back' }, { ...attempt(b!), kind: 'handed_back' });
    await world().run([{ asset: 'a', priority: 5 }]);
    expect(await world().claim('two', { limit: 1, assets: ['a'] })).toEqual([
      expect.objectContaining({ id: a!.id, priority: 5 }),
    ]);
  });

  it('never lets two of one head run, however many claim and settle at once', async () => {
    const runs = await Promise.all(
      Array.from({ length: 10 }, () => world().run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }])),
    );
    const running = new Map<string, number>();
    for (let round = 0; round < 100; round++) {
      const claims = (await Promise.all(['one', 'two'].map((process) => world().claim(process, { limit: 3 })))).flat();
      for (const { asset, id } of claims) {
        expect(running.get(asset)).toBeUndefined();
        running.set(asset, id);
      }
      for (const { asset } of claims) running.delete(asset);
      await Promise.all(claims.map((claim) => world().succeed(claim)));
    }
    const statuses = await Promise.all(runs.map(({ id }) => world().runStatus(id)));
    expect(new Set(statuses)).toEqual(new Set(['success']));
  });
}
