// How every ledger keeps what checks found of values.
import { expect, it } from '@jest/globals';
import type { NewCheckResult } from '../../lib/ledger/check.records.js';
import type { World } from './ledger.fixture.js';

export function checkBehaviours(here: () => World): void {
  const checks = () => here().ledger.checks;
  const compute = async (partition = ''): Promise<number> => {
    await here().run([{ asset: partition === '' ? 'a' : 'p', partition }]);
    const claim = await here().claimOne();
    await here().succeed(claim);
    return claim.id;
  };
  const found = (materialization: number, fields: Partial<NewCheckResult> = {}): NewCheckResult => ({
    ...{
      asset: 'a',
      partition: '',
      materialization,
      epoch: null,
      check: 'not_empty',
      severity: 'error',
      status: 'passed',
    },
    ...{ message: null, metadata: null, duration: 1.5, onDemand: false, by: null },
    ...fields,
  });
  const all = async () => (await checks().results({ asset: 'a' }, { limit: 10 })).items;

  it('keeps a result with its event, once for each check and materialization', async () => {
    const id = await compute();
    const result = found(id, { status: 'failed', message: 'a\0b', metadata: { rows: 0 } });
    expect(await checks().record([result])).toHaveLength(1);
    expect(await checks().record([result, found(id, { check: 'other' })])).toHaveLength(1);
    const [other, first] = await all();
    expect(first).toEqual({
      ...result,
      message: expect.stringMatching(/^a.b$/su),
      id: first!.id,
      at: expect.any(Date),
    });
    expect(other!.check).toBe('other');
    const { items } = await here().ledger.events({ asset: 'a' }, { limit: 2 });
    expect(items.map(({ kind, materialization, run }) => [kind, materialization, run !== null])).toEqual([
      ['check.passed', id, true],
      ['check.failed', id, true],
    ]);
    expect(items[1]!.detail).toMatchObject({ check: 'not_empty', severity: 'error', blocking: false });
  });

  it('keeps those of each attempt, and each that somebody asked for', async () => {
    const id = await compute();
    for (const epoch of [1, 2, 2]) await checks().record([found(id, { epoch })]);
    for (let round = 0; round < 2; round++) await checks().record([found(id, { onDemand: true, by: 'ann' })]);
    expect((await all()).map(({ epoch, by }) => [epoch, by])).toEqual([
      [null, 'ann'],
      [null, 'ann'],
      [2, null],
      [1, null],
    ]);
  });

  it('keeps nothing of a materialization that is not there', async () => {
    const id = await compute();
    expect(await checks().record([found(id + 1000)])).toEqual([]);
    expect(await checks().record([])).toEqual([]);
    expect(await all()).toEqual([]);
  });

  it('lists by partition, check, status and materialization, newest first, in pages', async () => {
    const [x, y] = [await compute('x'), await compute('y')];
    const of = (id: number, partition: string, fields: Partial<NewCheckResult> = {}) =>
      found(id, { asset: 'p', partition, ...fields });
    await checks().record([of(x, 'x'), of(x, 'x', { check: 'fresh', status: 'failed' }), of(y, 'y')]);
    const list = async (filter: object, limit = 10, before?: number) =>
      (await checks().results({ asset: 'p', ...filter }, { limit, before })).items.map((one) => [
        one.partition,
        one.check,
      ]);
    expect(await list({})).toEqual([
      ['y', 'not_empty'],
      ['x', 'fresh'],
      ['x', 'not_empty'],
    ]);
    expect(await list({ partition: 'x', check: 'not_empty' })).toEqual([['x', 'not_empty']]);
    expect(await list({ status: 'failed' })).toEqual([['x', 'fresh']]);
    expect(await list({ materialization: y })).toEqual([['y', 'not_empty']]);
    const first = await checks().results({ asset: 'p' }, { limit: 2 });
    expect(first.items).toHaveLength(2);
    expect(await list({}, 2, first.next!)).toEqual([['x', 'not_empty']]);
    expect((await checks().results({ asset: 'nobody' }, { limit: 1 })).items).toEqual([]);
  });

  it('tells of heads the newest result of each check', async () => {
    const [x, y] = [await compute('x'), await compute('y')];
    const of = (id: number, partition: string, fields: Partial<NewCheckResult> = {}) =>
      found(id, { asset: 'p', partition, ...fields });
    await checks().record([of(x, 'x', { status: 'failed' }), of(x, 'x', { check: 'b' }), of(y, 'y')]);
    await checks().record([of(x, 'x', { onDemand: true, status: 'passed' })]);
    const latest = async () =>
      (await checks().latest('p', ['x', 'y', 'z'])).map(({ partition, check, status }) => [partition, check, status]);
    expect(await latest()).toEqual([
      ['x', 'b', 'passed'],
      ['x', 'not_empty', 'passed'],
      ['y', 'not_empty', 'passed'],
    ]);
    await here().run([{ asset: 'p', partition: 'x', forced: true }]);
    await here().succeed(await here().claimOne());
    expect(await latest()).toEqual([['y', 'not_empty', 'passed']]);
  });
}
