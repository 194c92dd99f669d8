// How every ledger keeps what is overdue.
import { expect, it } from '@jest/globals';
import type { World } from './ledger.fixture.js';

export function freshnessBehaviours(here: () => World): void {
  const freshness = () => here().ledger.freshness;
  const due = (minute: number): Date => new Date(Date.UTC(2026, 0, 1, 0, minute));
  const known = async () => (await freshness().overdue()).map(({ asset, partition }) => `${asset} ${partition}`);
  const told = async () => {
    const { items } = await here().ledger.events({}, { limit: 20 });
    return items
      .filter(({ kind }) => kind === 'asset.overdue' || kind === 'asset.on_time')
      .map(({ kind, asset, partition, detail }) => [kind, asset, partition, detail?.['due']]);
  };

  it('tells once of each that is overdue, and that it is not any more', async () => {
    await freshness().tell([{ asset: 'p', partition: 'x', due: due(2) }], []);
    await freshness().tell(
      [
        { asset: 'p', partition: 'x', due: due(3) },
        { asset: 'a', partition: '', due: due(1) },
      ],
      [],
    );
    expect(await known()).toEqual(['a ', 'p x']);
    expect((await freshness().overdue()).map((each) => each.due)).toEqual([due(1), due(2)]);
    for (let round = 0; round < 2; round++) await freshness().tell([], [{ asset: 'p', partition: 'x' }]);
    expect(await known()).toEqual(['a ']);
    expect(await told()).toEqual([
      ['asset.on_time', 'p', 'x', undefined],
      ['asset.overdue', 'a', '', due(1).toISOString()],
      ['asset.overdue', 'p', 'x', due(2).toISOString()],
    ]);
  });

  it('is told the same by several at once', async () => {
    const overdue = ['x', 'y', 'z'].map((partition) => ({ asset: 'p', partition, due: due(1) }));
    await Promise.all([1, 2, 3].map(() => freshness().tell(overdue, [])));
    expect(await told()).toHaveLength(3);
    await Promise.all([1, 2, 3].map(() => freshness().tell([], overdue)));
    expect(await told()).toHaveLength(6);
    await freshness().tell([], []);
    expect(await known()).toEqual([]);
  });

  it('knows when assets were registered first', async () => {
    const registered = await freshness().registered(['a', 'nobody']);
    expect([...registered.keys()]).toEqual(['a']);
    expect(registered.get('a')!.getTime()).toBeLessThanOrEqual((await here().ledger.now()).getTime());
  });
}
