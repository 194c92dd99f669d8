// How every ledger keeps where hooks are in the log of events.
import { expect, it } from '@jest/globals';
import type { HookNotices } from '../../lib/ledger/hooks.port.js';
import type { World } from './ledger.fixture.js';

const ACT = { actor: null, reason: null };

export function hookBehaviours(here: () => World): void {
  const hooks = () => here().ledger.hooks;
  const log = () => here().ledger.eventLog;
  const placeOf = async (name: string) => (await hooks().places([name])).get(name)!;
  const notices = (hook: string, ...numbers: number[]): HookNotices => ({
    hook,
    topic: `hook ${hook}`,
    payloads: numbers.map((n) => ({ n })),
  });
  const posted = async (hook: string) =>
    (await here().ledger.outbox.claimDue([`hook ${hook}`], 100, 60_000)).notices.map(({ payload }) => payload['n']);

  it('has new hooks begin at the end of the log, and stay there', async () => {
    await here().ledger.addPartitions('days', ['before'], ACT);
    const first = await hooks().places(['a', 'b']);
    expect([...first.keys()].sort()).toEqual(['a', 'b']);
    await here().ledger.addPartitions('days', ['after'], ACT);
    const second = await hooks().places(['a', 'b', 'c']);
    expect([second.get('a'), second.get('b')]).toEqual([first.get('a'), first.get('b')]);
    const { events } = await log().since(second.get('a')!, 10);
    expect(events.map(({ detail }) => detail?.['keys'])).toEqual([['after']]);
    expect((await log().since(second.get('c')!, 10)).events).toEqual([]);
    expect(await hooks().places([])).toEqual(new Map());
  });

  it('moves a hook on and posts what it is to be told, once', async () => {
    const from = await placeOf('a');
    await here().ledger.addPartitions('days', ['1'], ACT);
    const to = await log().cursor();
    expect(await hooks().move(from, to, [notices('a', 1, 2)])).toEqual(['a']);
    expect(await placeOf('a')).toBe(to);
    expect(await hooks().move(from, to, [notices('a', 1, 2)])).toEqual([]);
    expect(await posted('a')).toEqual([1, 2]);
  });

  it('moves of several those that are still there, each with what it is told', async () => {
    const places = await hooks().places(['a', 'b', 'c']);
    const from = places.get('a')!;
    await here().ledger.addPartitions('days', ['1'], ACT);
    const to = await log().cursor();
    await hooks().move(places.get('b')!, to, [notices('b')]);
    expect(await hooks().move(from, to, [notices('a', 1), notices('b', 2), notices('c')])).toEqual(
      places.get('c') === from ? ['a', 'c'] : ['a'],
    );
    expect([await posted('a'), await posted('b'), await posted('c')]).toEqual([[1], [], []]);
  });

  it('has one mover win where several try at once', async () => {
    const from = await placeOf('a');
    await here().ledger.addPartitions('days', ['1'], ACT);
    const to = await log().cursor();
    const moved = await Promise.all([1, 2, 3, 4].map((n) => hooks().move(from, to, [notices('a', n)])));
    expect(moved.flat()).toEqual(['a']);
    expect(await posted('a')).toHaveLength(1);
  });

  it('records that a hook failed for good, and that one missed events', async () => {
    const start = await log().cursor();
    const event = { id: 7, kind: 'materialization.success', run: 3, asset: 'p', partition: 'x' };
    await hooks().failed({ hook: 'a', attempts: 2, error: 'no \0 way', event });
    await hooks().missed('a', 'removed');
    const { events } = await log().since(start, 10);
    const detail = { hook: 'a', event: 7, kind: 'materialization.success', attempts: 2, error: expect.any(String) };
    expect(events).toMatchObject([
      { kind: 'hook.failed', run: 3, asset: 'p', partition: 'x', detail },
      { kind: 'hook.missed', run: null, asset: null, detail: { hook: 'a', reason: 'removed' } },
    ]);
  });
}
