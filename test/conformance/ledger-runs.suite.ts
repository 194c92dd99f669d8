// Runs: failure isolation, failing fast, limits, cancelling, what is left over.
import { expect, it } from '@jest/globals';
import { attempt, success, type World } from './ledger.fixture.js';

export function runBehaviours(world: () => World): void {
  const cancel = (run: number, grace = 5000) =>
    world().ledger.cancelRun(run, { actor: 'mia', reason: 'enough', grace });

  it('leaves what depends on a failure upstream_failed and goes on with the rest', async () => {
    const run = await world().run([
      { asset: 'a' },
      { asset: 'b' },
      { asset: 'c', upstreams: [0, 1] },
      { asset: 'd', upstreams: [2] },
      { asset: 'p', partition: 'x', upstreams: [1] },
    ]);
    const [a, b] = await world().claim();
    expect(await world().fail(a!)).toMatchObject({ verdicts: ['committed'], endedRuns: [] });
    expect(await world().statuses(run.id)).toEqual([
      ...['a: failed', 'b: running', 'c: upstream_failed', 'd: upstream_failed', 'p[x]: pending'],
    ]);
    expect(await world().headOf('a')).toMatchObject({ failed: true, active: null });
    expect(await world().headOf('d')).toMatchObject({ failed: true });
    await world().succeed(b!);
    expect(await world().succeed(await world().claimOne())).toMatchObject({ endedRuns: [run.id] });
    expect(await world().ledger.run(run.id)).toMatchObject({
      status: 'failed',
      counts: { total: 5, success: 2, failed: 1, upstream_failed: 2, pending: 0, running: 0 },
    });
    const kinds = await world().eventKinds(run.id);
    expect(kinds.filter((kind) => kind === 'materialization.upstream_failed')).toHaveLength(2);
  });

  it('clears the mark of a failure when the next materialization succeeds', async () => {
    await world().run([{ asset: 'a' }]);
    await world().fail(await world().claimOne());
    await world().run([{ asset: 'a' }]);
    const claim = await world().claimOne();
    expect(claim.head).toMatchObject({ failed: true, materialization: null });
    expect(claim.joined).toBeNull();
    await world().succeed(claim);
    expect(await world().headOf('a')).toMatchObject({ failed: false });
  });

  it('dooms a dependent once when two of its upstreams fail at once', async () => {
    const run = await world().run([{ asset: 'a' }, { asset: 'b' }, { asset: 'c', upstreams: [0, 1] }]);
    const [a, b] = await world().claim();
    await Promise.all([world().fail(a!), world().fail(b!)]);
    expect((await world().ledger.run(run.id))!.counts).toMatchObject({ failed: 2, upstream_failed: 1 });
    expect(await world().runStatus(run.id)).toBe('failed');
  });

  it('cancels what is pending of a run that fails fast, and lets what runs end', async () => {
    const run = await world().run(
      [{ asset: 'a' }, { asset: 'b' }, { asset: 'c', upstreams: [0] }, { asset: 'd', upstreams: [1] }],
      { failFast: true },
    );
    const [a, b] = await world().claim();
    await world().fail(a!);
    expect(await world().statuses(run.id)).toEqual(['a: failed', 'b: running', 'c: upstream_failed', 'd: cancelled']);
    expect(await world().succeed(b!)).toMatchObject({ verdicts: ['committed'], endedRuns: [run.id] });
    expect(await world().runStatus(run.id)).toBe('failed');
  });

  it('runs at most so many of a run at once as it allows', async () => {
    const entries = Array.from({ length: 6 }, (_, index) => ({ asset: 'p', partition: `k${index}`, priority: 1 }));
    const run = await world().run(entries, { maxConcurrency: 2 });
    const other = await world().run([{ asset: 'a' }]);
    const claims = await world().claim();
    expect(claims.filter((claim) => claim.run === run.id)).toHaveLength(2);
    expect((await Promise.all([world().claim('one'), world().claim('two')])).flat().map((claim) => claim.run)).toEqual(
      claims.some((claim) => claim.run === other.id) ? [] : [other.id],
    );
    const [first, second] = claims.filter((claim) => claim.run === run.id);
    expect(await world().succeed(first!)).toMatchObject({ released: true });
    expect(await world().claim('two')).toHaveLength(1);
    await world().retry(second!, 60_000);
    expect(await world().claim('two')).toHaveLength(1);
    expect(await world().claim('two')).toHaveLength(0);
    expect((await world().ledger.run(run.id))!.counts).toMatchObject({ running: 2, pending: 3, success: 1 });
  });

  it('keeps a run\u2019s limit among processes that claim at once', async () => {
    const entries = Array.from({ length: 20 }, (_, index) => ({ asset: 'p', partition: `k${index}` }));
    await world().run(entries, { maxConcurrency: 3 });
    const claims = await Promise.all(['one', 'two', 'one', 'two'].map((process) => world().claim(process)));
    expect(claims.flat().length).toBeLessThanOrEqual(3);
  });

  it('cancels pending ones at once and asks running ones to stop', async () => {
    const run = await world().run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }, { asset: 'c' }]);
    const [a, c] = await world().claim();
    const { accepted, running, ended } = await cancel(run.id);
    expect({ accepted, running, ended }).toEqual({
      accepted: true,
      running: [a, c].map((x) => attempt(x!)),
      ended: false,
    });
    expect(await world().statuses(run.id)).toEqual(['a: running', 'b: cancelled', 'c: running']);
    expect((await world().ledger.renew('one')).cancelled).toEqual([a, c].map((x) => attempt(x!)));
    expect((await world().ledger.renew('two')).cancelled).toEqual([]);
    await world().settle({ ...attempt(a!), kind: 'cancelled' });
    expect(await world().succeed(c!)).toMatchObject({ verdicts: ['committed'], endedRuns: [run.id] });
    expect(await world().ledger.run(run.id)).toMatchObject({
      status: 'cancelled',
      cancelRequested: { by: 'mia', reason: 'enough' },
      counts: { cancelled: 2, success: 1 },
    });
    expect(await cancel(run.id)).toMatchObject({ accepted: false, running: [] });
  });

  it('tells when the grace after a cancel is over; then nothing commits', async () => {
    const run = await world().run([{ asset: 'a' }]);
    const claim = await world().claimOne();
    await cancel(run.id, 5000);
    expect((await world().ledger.fireTimers()).due).toEqual([]);
    await world().pass(6000);
    expect((await world().ledger.fireTimers()).due).toMatchObject([{ kind: 'cancel', ...attempt(claim), run: run.id }]);
    expect(await world().settle({ ...attempt(claim), kind: 'cancelled' })).toMatchObject({ endedRuns: [run.id] });
    expect(await world().succeed(claim)).toMatchObject({ verdicts: ['fenced'] });
    expect(await world().ledger.fireTimers()).toEqual({ rings: [], due: [], next: null });
  });

  it('does not begin a cancelled materialization again: neither a retry nor a hand-back', async () => {
    const run = await world().run([{ asset: 'a' }, { asset: 'b' }]);
    const [a, b] = await world().claim();
    await cancel(run.id);
    await world().retry(a!, 0);
    await world().settle({ ...attempt(b!), kind: 'handed_back' });
    expect(await world().statuses(run.id)).toEqual(['a: cancelled', 'b: cancelled']);
    expect(await world().runStatus(run.id)).toBe('cancelled');
  });

  it('ends at once a run in which nothing runs', async () => {
    const run = await world().run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }]);
    expect(await cancel(run.id)).toMatchObject({ accepted: true, running: [], ended: true });
    expect(await world().statuses(run.id)).toEqual(['a: cancelled', 'b: cancelled']);
    expect(await world().claim()).toEqual([]);
  });

  it('cancels a retry that waits, frees its lock and wakes who waited for it', async () => {
    const run = await world().run([{ asset: 'a' }]);
    const holder = await world().claimOne();
    await world().retry(holder, 60_000);
    await world().run([{ asset: 'a' }]);
    expect(await world().claim('two')).toEqual([]);
    expect(await cancel(run.id)).toMatchObject({ ended: true, rings: ['default'] });
    expect(await world().claimOne('two')).toMatchObject({ joined: { id: holder.id, status: 'cancelled' } });
    expect(await world().ledger.fireTimers()).toMatchObject({ rings: [], next: null });
  });

  it('cancels a run with very much pending, and asks what runs of it to stop', async () => {
    const many = Array.from({ length: 12_000 }, (_, index) => ({ asset: 'p', partition: `${index}` }));
    const run = await world().run(many);
    const [first, second] = await world().claim('one', { limit: 2 });
    const running = [attempt(first!), attempt(second!)];
    const cancelled = await cancel(run.id, 5000);
    expect(cancelled).toMatchObject({ accepted: true, ended: false });
    expect(await world().claim()).toEqual([]);
    for (let { more } = cancelled; more;) ({ more } = await world().ledger.stopPending(run.id));
    expect((await world().ledger.run(run.id))!.counts).toMatchObject({ cancelled: 11_998, pending: 0, running: 2 });
    expect(await world().claim()).toEqual([]);
    expect((await world().ledger.renew('one')).cancelled).toEqual(running);
    await world().succeed(first!);
    expect(await world().settle({ ...attempt(second!), kind: 'cancelled' })).toMatchObject({ endedRuns: [run.id] });
    expect(await world().ledger.stopPending()).toMatchObject({ more: false });
    expect(await world().runStatus(run.id)).toBe('cancelled');
  }, 30_000);

  it('begins nothing more of a run that fails fast with very much pending, and ends it in steps', async () => {
    const many = Array.from({ length: 12_000 }, (_, index) => ({ asset: 'p', partition: `${index}` }));
    const run = await world().run([...many, { asset: 'a', upstreams: [11_000] }], { failFast: true });
    const [first, second, third] = await world().claim('one', { limit: 3 });
    await world().fail(second!);
    expect(await world().claim()).toEqual([]);
    await world().retry(third!, 0);
    const ended: number[] = [];
    for (let more = true; more;) {
      const step = await world().ledger.stopPending();
      ended.push(...step.ended);
      more = step.more;
    }
    if ((await world().ledger.run(run.id))!.counts.pending > 0) {
      // Where all was cancelled at once, what goes back after that is tried again.
      await world().ledger.fireTimers();
      await world().succeed(await world().claimOne());
    }
    ended.push(...(await world().succeed(first!)).endedRuns);
    expect(ended).toEqual([run.id]);
    const { counts, status } = (await world().ledger.run(run.id))!;
    expect(status).toBe('failed');
    expect(counts).toMatchObject({ failed: 1, pending: 0, running: 0 });
    expect(counts.success + counts.cancelled).toBe(12_000);
    const other = await world().run([{ asset: 'b' }]);
    expect(await world().claimOne()).toMatchObject({ run: other.id });
  }, 30_000);

  it('does not touch another run\u2019s work that a cancelled one waited for', async () => {
    await world().run([{ asset: 'a' }]);
    const holder = await world().claimOne();
    const waiting = await world().run([{ asset: 'a' }]);
    expect(await world().claim()).toEqual([]);
    expect(await cancel(waiting.id)).toMatchObject({ ended: true });
    expect(await world().succeed(holder)).toMatchObject({ verdicts: ['committed'], released: false });
    expect(await world().claim()).toEqual([]);
    expect(await world().headOf('a')).toMatchObject({ active: null, materialization: holder.id });
  });

  it('ends a run exactly once, cancelled and finished at the same time', async () => {
    for (let round = 0; round < 5; round++) {
      const run = await world().run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }]);
      const claim = await world().claimOne();
      const [, settled] = await Promise.all([cancel(run.id), world().succeed(claim)]);
      expect(settled.verdicts).toEqual(['committed']);
      for (const next of await world().claim()) await world().succeed(next);
      const kinds = await world().eventKinds(run.id);
      expect(kinds.filter((kind) => kind === 'run.ended')).toHaveLength(1);
      expect((await world().ledger.run(run.id))!.completedAt).toBeInstanceOf(Date);
    }
  });

  it('knows what of a run did not succeed, with its edges', async () => {
    const run = await world().run([
      { asset: 'a' },
      { asset: 'b' },
      { asset: 'c', upstreams: [0, 1], forced: true, priority: 4 },
      { asset: 'd', upstreams: [2, 1] },
    ]);
    const [a, b] = (await world().claim()).toSorted((x, y) => x.id - y.id);
    await world().settle(success(a!));
    await world().fail(b!);
    const left = await world().ledger.leftovers(run.id);
    const rows = Array.from({ length: left.size }, (_, index) => ({
      asset: left.assetAt(index),
      forced: left.forcedAt(index),
      priority: left.priorityAt(index),
      upstreams: [...left.edges.upstreams.slice(left.edges.starts[index], left.edges.starts[index + 1])].sort(),
    }));
    expect(rows).toEqual([
      { asset: 'b', forced: false, priority: 0, upstreams: [] },
      { asset: 'c', forced: true, priority: 4, upstreams: [0] },
      { asset: 'd', forced: false, priority: 0, upstreams: [0, 1] },
    ]);
  });
}
