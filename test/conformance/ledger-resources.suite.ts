// How every ledger keeps what processes tell of themselves: their resources, and which assets nobody can begin for them.
import { expect, it } from '@jest/globals';
import type { ResourceReport } from '../../lib/ledger/process.records.js';
import { LEASE, registrations, type World } from './ledger.fixture.js';

const report = (fields: Partial<ResourceReport> = {}): ResourceReport => ({
  name: 'geo',
  state: 'unhealthy',
  message: 'no route',
  assets: ['a', 'p'],
  ...fields,
});
const healthy = { state: 'healthy', message: null } as const;

export function resourceBehaviours(here: () => World): void {
  const processes = () => here().ledger.processes;
  const held = async () => (await processes().heldAssets()).map(({ asset, resource }) => [asset, resource]);
  const resourcesOf = async (id: string) => (await processes().processes()).find((each) => each.id === id)!.resources;
  const told = async () => {
    const { items } = await here().ledger.events({}, { limit: 50 });
    return items.filter(({ kind }) => kind.startsWith('resource.')).map(({ kind, detail }) => [kind, detail]);
  };

  it('lists the processes that live, with how their resources are', async () => {
    await processes().tellResources('one', [
      report({ name: 'z', assets: [] }),
      report({ state: 'setting_up', message: null }),
    ]);
    const [one, two] = await processes().processes();
    expect(one).toMatchObject({ id: 'one', host: 'here', pid: 1, worker: true });
    expect(one!.leaseUntil.getTime() - one!.enteredAt.getTime()).toBeGreaterThan(LEASE - 1000);
    expect(one!.resources.map(({ name, state, message, assets }) => [name, state, message, assets])).toEqual([
      ['geo', 'setting_up', null, ['a', 'p']],
      ['z', 'unhealthy', 'no route', []],
    ]);
    expect([two!.id, two!.resources]).toEqual(['two', []]);
    await here().ledger.unregister('one');
    expect((await processes().processes()).map(({ id }) => id)).toEqual(['two']);
  });

  it('keeps since when a resource is as it is, and what was told last of it', async () => {
    await processes().tellResources('one', [report()]);
    const [first] = await resourcesOf('one');
    await here().pass(1000);
    await processes().tellResources('one', [report({ message: 'still no route', assets: ['b'] })]);
    expect(await resourcesOf('one')).toEqual([{ ...first, message: 'still no route', assets: ['b'] }]);
    await processes().tellResources('one', [report(healthy)]);
    const [last] = await resourcesOf('one');
    expect(last).toMatchObject(healthy);
    expect(last!.since.getTime()).toBeGreaterThan(first!.since.getTime());
  });

  it('tells when a resource becomes unhealthy and healthy after that, once each', async () => {
    await processes().tellResources('one', [
      report({ state: 'setting_up', message: null }),
      report({ name: 'fine', ...healthy }),
    ]);
    await processes().tellResources('one', [report(healthy)]);
    expect(await told()).toEqual([]);
    await processes().tellResources('one', [report()]);
    await processes().tellResources('one', [report({ message: 'other words' })]);
    await processes().tellResources('one', [report(healthy)]);
    await processes().tellResources('one', [report(healthy)]);
    const about = { resource: 'geo', process: 'one', host: 'here' };
    expect(await told()).toEqual([
      ['resource.healthy', { ...about, message: null }],
      ['resource.unhealthy', { ...about, message: 'no route' }],
    ]);
  });

  it('holds an asset while no worker that declares it can begin it', async () => {
    await processes().tellResources('one', [report()]);
    expect(await held()).toEqual([]);
    await here().pass(1);
    await processes().tellResources('two', [report({ name: 'disk', assets: ['a'], message: 'full' })]);
    expect(await processes().heldAssets()).toEqual([
      {
        asset: 'a',
        resource: 'geo',
        state: 'unhealthy',
        message: 'no route',
        since: (await resourcesOf('one'))[0]!.since,
      },
    ]);
    await processes().tellResources('one', [report(healthy)]);
    expect(await held()).toEqual([]);
    await processes().tellResources('one', [report({ name: 'other', assets: ['a'] })]);
    expect(await held()).toEqual([['a', 'disk']]);
    await here().ledger.unregister('one');
    expect(await held()).toEqual([['a', 'disk']]);
    await here().ledger.unregister('two');
    expect(await held()).toEqual([]);
  });

  it('asks only workers that have the definition that counts', async () => {
    const { ledger } = here();
    await ledger.register({ id: 'api', host: 'here', pid: 3, worker: false, lease: LEASE }, registrations());
    for (const id of ['one', 'two']) await processes().tellResources(id, [report()]);
    expect(await held()).toEqual([
      ['a', 'geo'],
      ['p', 'geo'],
    ]);
    const newer = registrations().map((each) => (each.key === 'a' ? { ...each, hash: 'newer' } : each));
    await ledger.register({ id: 'three', host: 'here', pid: 4, worker: true, lease: LEASE }, newer);
    expect(await held()).toEqual([]);
    await processes().tellResources('three', [report()]);
    expect(await held()).toEqual([
      ['a', 'geo'],
      ['p', 'geo'],
    ]);
  });

  it('keeps nothing of a process that was given up', async () => {
    await here().ledger.unregister('one');
    await processes().tellResources('one', [report()]);
    await processes().tellResources('nobody', [report()]);
    expect((await processes().processes()).map(({ id, resources }) => [id, resources])).toEqual([['two', []]]);
    expect(await told()).toEqual([]);
    await here().register('one');
    await processes().tellResources('one', []);
    expect(await resourcesOf('one')).toEqual([]);
  });

  it('keeps texts of any kind', async () => {
    await processes().tellResources('one', [report({ message: 'a\0b \ud800 ☃ "quoted"' })]);
    expect((await resourcesOf('one'))[0]!.message).toMatch(/^a.b . ☃ "quoted"$/su);
  });
}
