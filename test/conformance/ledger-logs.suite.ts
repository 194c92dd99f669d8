// How every ledger keeps what attempts log.
import { expect, it } from '@jest/globals';
import type { NewLogLine } from '../../lib/ledger/logs.port.js';
import type { World } from './ledger.fixture.js';

export function logBehaviours(here: () => World): void {
  const logs = () => here().ledger.logs;
  const line = (materialization: number, number: number, more: Partial<NewLogLine> = {}): NewLogLine => ({
    ...{ materialization, epoch: 1, number, attempt: 1, level: 'log', message: `line ${number}`, fields: null, age: 0 },
    ...more,
  });
  const materialization = async () => {
    const { id } = await here().run([{ asset: 'a' }]);
    const { items } = await here().ledger.materializations({ run: id }, { limit: 1 });
    return { run: id, id: items[0]!.id };
  };

  it('gives lines in the order of attempts and numbers, after a place', async () => {
    const { id } = await materialization();
    await logs().append([line(id, 2), line(id, 1, { epoch: 2, attempt: 2 })]);
    await logs().append([line(id, 1, { level: 'warn', fields: { a: [1] }, age: 5000 })]);
    const all = await logs().lines(id, null, 10);
    expect(all.map(({ epoch, number }) => [epoch, number])).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
    ]);
    expect(all[0]).toMatchObject({ level: 'warn', message: 'line 1', fields: { a: [1] }, attempt: 1 });
    expect(all[1]!.at.getTime() - all[0]!.at.getTime()).toBeGreaterThan(4000);
    expect(await logs().lines(id, null, 1)).toEqual(all.slice(0, 1));
    expect(await logs().lines(id, all[0]!, 10)).toEqual(all.slice(1));
    expect(await logs().lines(id, { epoch: 2, number: 1 }, 10)).toEqual([]);
  });

  it('keeps a line once, as it was first, and none of what is not there', async () => {
    const { id } = await materialization();
    await logs().append([line(id, 1)]);
    await logs().append([line(id, 1, { message: 'another' }), line(id + 1000, 1), line(id, 2)]);
    expect((await logs().lines(id, null, 10)).map(({ message }) => message)).toEqual(['line 1', 'line 2']);
    expect(await logs().lines(id + 1000, null, 10)).toEqual([]);
    await logs().append([]);
  });

  it('lets them go with the run, also of what is still referenced', async () => {
    const { run, id } = await materialization();
    await logs().append([line(id, 1)]);
    await here().succeed(await here().claimOne());
    await here().ledger.collection.removeMaterializations([run], null, 100);
    expect(await here().ledger.materialization(id)).toBeDefined();
    expect(await logs().lines(id, null, 10)).toEqual([]);
  });
}
