// How every ledger keeps what automation decides: one process decides, and what it does is one step, or nothing.
import { expect, it } from '@jest/globals';
import type { AutomationStep } from '../../lib/ledger/automation.port.js';
import type { Combination } from '../../lib/ledger/automation.records.js';
import { attempt, error, LEASE, planOf, runOf, type World } from './ledger.fixture.js';

const combination: Combination = { inputs: 'i', codeVersion: '1', definition: 'd' };
const NOTHING = { runs: [], requested: [], settled: [], ticks: [], flows: [], decisions: [] };
const A = { asset: 'a', partition: '' };

export function automationBehaviours(here: () => World): void {
  const automation = () => here().ledger.automation;
  const step = async (what: Partial<AutomationStep>) => {
    const epoch = (await automation().lead('one'))!;
    return automation().take({ ...NOTHING, process: 'one', epoch, ...what });
  };
  const request = (fields: Partial<AutomationStep['requested'][number]> = {}): Partial<AutomationStep> => ({
    runs: [{ run: runOf({ requestedBy: 'automation' }), plan: planOf([{ asset: 'a' }]) }],
    requested: [{ ...A, run: 0, combination, tick: null, ...fields }],
  });
  const factsOf = async (place = A) => (await automation().facts([place]))[0]!;

  it('lets one process decide until it leaves that, or is gone', async () => {
    const epoch = await automation().lead('one');
    expect(epoch).toBeDefined();
    expect(await automation().lead('one')).toBe(epoch);
    expect(await automation().lead('two')).toBeUndefined();
    await automation().resign('two');
    expect(await automation().lead('two')).toBeUndefined();
    await automation().resign('one');
    const next = await automation().lead('two');
    expect(next).toBeGreaterThan(epoch!);
    await here().outlive('one');
    expect(await automation().lead('one')).toBeGreaterThan(next!);
  });

  it('takes no step of a process that does not decide any more', async () => {
    const epoch = (await automation().lead('one'))!;
    await here().outlive('two');
    expect(await automation().lead('two')).toBeDefined();
    await here().register('one');
    const late = {
      ...NOTHING,
      ...request(),
      process: 'one',
      epoch,
      ticks: [{ asset: 'a', name: 't', tick: new Date(0) }],
    };
    expect(await automation().take(late)).toBeUndefined();
    expect((await here().ledger.runs({}, { limit: 10 })).items).toEqual([]);
    expect(await automation().states()).toEqual([]);
    expect((await factsOf()).request).toBeNull();
  });

  it('records a run with what it was requested for', async () => {
    const [run] = (await step(request({ tick: new Date(5000) })))!;
    expect(await here().statuses(run!.id)).toEqual(['a: pending']);
    expect(await factsOf()).toMatchObject({
      open: { run: run!.id, status: 'pending' },
      ended: null,
      head: null,
      request: { run: run!.id, runStatus: 'running', combination, tick: new Date(5000), at: expect.any(Date) },
    });
    expect(await automation().openRequests(['a', 'b'])).toEqual([A]);
  });

  it('tells what became of a request, and forgets it once it is settled', async () => {
    const [run] = (await step(request()))!;
    const claim = await here().claimOne();
    await here().succeed(claim);
    expect(await factsOf()).toMatchObject({
      open: null,
      ended: { materialization: claim.id, run: run!.id, status: 'success', code: null, combination: null },
      head: { materialization: claim.id, invalidated: false, at: expect.any(Date) },
      request: { run: run!.id, runStatus: 'success' },
    });
    expect(await automation().openRequests(['a'])).toEqual([]);
    await here().ledger.invalidate([{ asset: 'a', partitions: 'all' }], { actor: null, reason: null });
    expect((await factsOf()).head).toMatchObject({ invalidated: true });
    await step({ settled: [A] });
    expect((await factsOf()).request).toBeNull();
  });

  it('tells what something failed with, where that was said', async () => {
    await step(request());
    const claim = await here().claimOne();
    await here().settle({ ...attempt(claim), kind: 'failed', error: error('no'), startedAt: null, combination });
    expect((await factsOf()).ended).toMatchObject({ status: 'failed', code: 'FLOWSTONE_EXECUTE_FAILED', combination });
    await here().run([{ asset: 'a' }]);
    const again = await here().claimOne();
    await here().fail(again);
    expect((await factsOf()).ended).toMatchObject({ materialization: again.id, combination: null });
  });

  it('tells of the one that ended last, whichever began first', async () => {
    await here().run([{ asset: 'p', partition: 'x' }]);
    await here().run([{ asset: 'p', partition: 'x' }]);
    const [first] = await here().claim();
    await here().succeed(first!);
    const second = await here().claimOne();
    const place = { asset: 'p', partition: 'x' };
    expect(await factsOf(place)).toMatchObject({
      open: { materialization: second.id, status: 'running' },
      ended: { materialization: first!.id },
    });
    await here().fail(second);
    expect(await factsOf(place)).toMatchObject({ open: null, ended: { materialization: second.id, status: 'failed' } });
  });

  it('knows nothing of what was never there, and keeps the order that was asked in', async () => {
    const [run] = (await step(request()))!;
    const facts = await automation().facts([{ asset: 'p', partition: 'x' }, A, { asset: 'b', partition: '' }]);
    expect(facts.map(({ request: known }) => known?.run ?? null)).toEqual([null, run!.id, null]);
    expect(facts[0]).toEqual({ open: null, ended: null, head: null, request: null });
    expect(await automation().facts([])).toEqual([]);
  });

  it('notes ticks by name, and what is due without a run', async () => {
    await step({
      ticks: [
        { asset: 'a', name: 'daily', tick: new Date(1000) },
        { asset: 'a', name: 'hourly', tick: new Date(2000) },
      ],
      requested: [{ ...A, run: null, combination, tick: new Date(1000) }],
    });
    await step({ ticks: [{ asset: 'a', name: 'hourly', tick: new Date(3000) }] });
    const [state] = await automation().states();
    expect(state).toMatchObject({ asset: 'a', paused: null });
    expect(new Map(state!.ticks)).toEqual(
      new Map([
        ['daily', new Date(1000)],
        ['hourly', new Date(3000)],
      ]),
    );
    expect((await factsOf()).request).toMatchObject({ run: null, runStatus: null, tick: new Date(1000) });
    expect(await automation().openRequests(['a'])).toEqual([]);
  });

  it('notes when something of a key was requested last', async () => {
    await step({ flows: [{ asset: 'p', key: 'x' }] });
    const [flow] = await automation().flows(['a', 'p']);
    expect(flow).toEqual({ asset: 'p', key: 'x', requestedAt: expect.any(Date) });
    expect(await automation().flows(['a'])).toEqual([]);
    expect(await automation().flows([])).toEqual([]);
  });

  it('is paused and resumed once, which is told', async () => {
    expect(await automation().pause('a', false, { actor: 'ada', reason: null })).toBe(false);
    expect(await automation().pause('a', true, { actor: 'ada', reason: 'holidays' })).toBe(true);
    expect(await automation().pause('a', true, { actor: 'bob', reason: null })).toBe(false);
    const states = await automation().states();
    expect(states).toMatchObject([{ asset: 'a', paused: { actor: 'ada', reason: 'holidays', at: expect.any(Date) } }]);
    expect(await automation().pause('a', false, { actor: 'bob', reason: null })).toBe(true);
    expect(await automation().states()).toMatchObject([{ asset: 'a', paused: null }]);
    const { items } = await here().ledger.events({ asset: 'a' }, { limit: 10 });
    expect(items.map(({ kind, actor }) => [kind, actor])).toEqual([
      ['automation.resumed', 'bob'],
      ['automation.paused', 'ada'],
    ]);
  });

  it('keeps what was decided, page by page, and of each asset the newest', async () => {
    for (let n = 0; n < 103; n++) {
      await step({ decisions: [{ asset: 'a', run: null, detail: { n } }] });
      if (n === 2) await step({ decisions: [{ asset: 'b', run: null, detail: { n: 'b' } }] });
    }
    const [run] = (await step({ ...request(), decisions: [{ asset: 'a', run: 0, detail: { n: 103 } }] }))!;
    const first = await automation().decisions({ asset: 'a' }, { limit: 2 });
    expect(first.items).toMatchObject([
      { asset: 'a', run: run!.id, detail: { n: 103 }, at: expect.any(Date) },
      { run: null, detail: { n: 102 } },
    ]);
    const rest = await automation().decisions({ asset: 'a' }, { limit: 200, before: first.next! });
    expect(rest.items).toHaveLength(98);
    expect(rest.items.at(-1)).toMatchObject({ detail: { n: 4 } });
    expect(rest.next).toBeNull();
    expect((await automation().decisions({}, { limit: 200 })).items).toHaveLength(101);
  });

  it('leaves the deciding to others when its lease is over, and not before', async () => {
    await automation().lead('one');
    await here().pass(0.5 * LEASE);
    await here().ledger.renew('two');
    expect(await automation().lead('two')).toBeUndefined();
    await here().outlive('two');
    expect(await automation().lead('two')).toBeDefined();
  });
}
