// How every ledger keeps sensors: a cursor moves together with what was requested by it, by whoever holds the sensor.
import { expect, it } from '@jest/globals';
import type { DeclaredSensor, NewEvaluation, TakenSensor } from '../../lib/ledger/sensors.port.js';
import type { SensorRecord } from '../../lib/ledger/sensor.records.js';
import { planOf, runOf, type World } from './ledger.fixture.js';

const ADA = { actor: 'ada', reason: 'because' };
const MINUTE = 60_000;
const declared = (fields: Partial<DeclaredSensor> = {}): DeclaredSensor => ({
  ...{ name: 'orders', hash: 'one', definition: { every: 1000 }, paused: false },
  ...fields,
});
const nothing: NewEvaluation = { status: 'skipped', reason: 'quiet', by: null, runs: [], partitions: [] };
const failure: NewEvaluation = { ...nothing, status: 'failed', reason: 'it broke' };

export function sensorBehaviours(here: () => World): void {
  const ledger = () => here().ledger.sensors;
  const present = async (name = 'orders'): Promise<SensorRecord> =>
    (await ledger().all()).sensors.find((sensor) => sensor.name === name)!;
  const take = (process = 'one', cause: 'due' | 'news' | 'asked' = 'due', hash = 'one') =>
    ledger().take('orders', hash, process, MINUTE, cause);
  const request = (runKey: string | null, fields: Partial<ReturnType<typeof runOf>> = {}) => ({
    ...{ runKey, plan: planOf([{ asset: 'a' }]) },
    run: runOf({ runKey: runKey === null ? null : `sensor ${runKey}`, requestedBy: 'sensor', ...fields }),
  });
  const asking = (cursor: number, ...runs: NewEvaluation['runs']): NewEvaluation => {
    return { ...nothing, status: 'requested', reason: null, cursor, runs };
  };
  const runs = async () => (await here().ledger.runs({}, { limit: 100 })).items;
  const records = async () => (await ledger().evaluations((await present()).id, { limit: 100 })).items;

  it('keeps what code declares, due at once and without a cursor', async () => {
    await ledger().declare('one', [declared(), declared({ name: 'late', paused: true })]);
    const { sensors, now } = await ledger().all();
    expect(sensors).toMatchObject([
      { name: 'late', live: true, paused: { actor: null, reason: 'declared so' } },
      { name: 'orders', live: true, cursor: null, evaluatedAt: null, failures: 0, paused: null, hash: 'one' },
    ]);
    expect(sensors[1]!.nextAt.getTime()).toBeLessThanOrEqual(now.getTime());
    const before = await present();
    await ledger().declare('one', [declared()]);
    expect(await present()).toEqual(before);
  });

  it('leaves an evaluation to processes of the newest code, and to the old ones after those are gone', async () => {
    await ledger().declare('one', [declared()]);
    const old = (await take())!;
    await ledger().declare('two', [declared({ hash: 'two', definition: { every: 2000 } })]);
    expect(await present()).toMatchObject({ hash: 'two', definition: { every: 2000 } });
    expect(await ledger().commit(old, asking(1, request('a')), 0)).toBeUndefined();
    expect(await take('one')).toBeUndefined();
    expect(await take('two', 'due', 'two')).toBeDefined();
    await here().outlive('one');
    await ledger().declare('one', [declared()]);
    expect(await take('one')).toBeDefined();
  });

  it('leaves it to one process at a time', async () => {
    await ledger().declare('one', [declared()]);
    const takers = await Promise.all([take('one'), take('two'), take('one')]);
    expect(takers.filter((taken) => taken !== undefined)).toHaveLength(1);
    expect(await take('two', 'asked')).toBeUndefined();
    await ledger().leave(takers.find((taken) => taken !== undefined)!);
    expect(await take('two')).toBeDefined();
  });

  it('moves the cursor together with what was requested', async () => {
    await ledger().declare('one', [declared()]);
    const taken = (await take())!;
    expect(taken).toMatchObject({ cursor: null, evaluatedAt: null, failures: 0 });
    const partitions = [{ scheme: 'customers', keys: ['x', 'y'] }];
    const evaluation = { ...asking(7, request('a'), request(null)), partitions };
    const committed = (await ledger().commit(taken, evaluation, 5000))!;
    const [first, second] = committed.created;
    expect(committed.evaluation).toMatchObject({
      status: 'requested',
      runs: [
        { run: first!.id, runKey: 'a', outcome: 'requested' },
        { run: second!.id, runKey: null, outcome: 'requested' },
      ],
      partitions: [{ scheme: 'customers', added: ['x', 'y'] }],
    });
    expect(await here().ledger.dynamicPartitions('customers')).toEqual(['x', 'y']);
    const record = await present();
    expect(record).toMatchObject({ cursor: 7, failures: 0, evaluatedAt: expect.any(Date) });
    expect(await records()).toEqual([committed.evaluation]);
    expect(await here().statuses(first!.id)).toEqual(['a: pending']);
    // Once.
    expect(await ledger().commit(taken, evaluation, 0)).toBeUndefined();
    expect(await runs()).toHaveLength(2);
    // Not due yet, but there may be news.
    expect(await take()).toBeUndefined();
    expect(await take('two', 'news')).toMatchObject({ cursor: 7 });
  });

  it('requests nothing twice by one run key, and goes on where it was used for something else', async () => {
    await ledger().declare('one', [declared()]);
    const first = await ledger().commit((await take())!, asking(1, request('a'), request('a')), 0);
    expect(first!.evaluation.runs.map(({ outcome }) => outcome)).toEqual(['requested', 'repeated']);
    const other = request('a', { tags: { other: 'request' } });
    const second = await ledger().commit((await take())!, asking(2, other, request('b')), 0);
    const id = first!.created[0]!.id;
    expect(second!.evaluation.runs).toMatchObject([
      { run: id, runKey: 'a', outcome: 'conflict' },
      { runKey: 'b', outcome: 'requested' },
    ]);
    expect(await present()).toMatchObject({ cursor: 2 });
    expect(await runs()).toHaveLength(2);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['its lease is over', () => here().pass(2 * MINUTE)],
    ['it was paused', () => ledger().pause('orders', true, ADA)],
    ['its cursor was set', () => ledger().setCursor('orders', 5, ADA)],
    ['its cursor was reset', () => ledger().setCursor('orders', null, ADA)],
  ])('records nothing of an evaluation where %s', async (_why, change) => {
    await ledger().declare('one', [declared()]);
    const taken = (await take())!;
    await change();
    const { cursor } = await present();
    expect(await ledger().commit(taken, asking(1, request('a')), 0)).toBeUndefined();
    expect(await present()).toMatchObject({ cursor });
    expect([await runs(), await records()]).toEqual([[], []]);
  });

  it('leaves what a dead process evaluated to others', async () => {
    await ledger().declare('one', [declared()]);
    const taken = (await take('two'))!;
    expect(await take('one')).toBeUndefined();
    await here().outlive('one');
    await ledger().declare('one', [declared()]);
    expect(await take('one')).toBeDefined();
    expect(await ledger().commit(taken, asking(1, request('a')), 0)).toBeUndefined();
  });

  it('keeps the cursor at a failure, and counts until one succeeds', async () => {
    await ledger().declare('one', [declared()]);
    await ledger().commit((await take())!, asking(3), 0);
    await ledger().commit((await take())!, failure, 0);
    await ledger().commit((await take())!, failure, MINUTE);
    expect(await present()).toMatchObject({ cursor: 3, failures: 2, lastError: 'it broke' });
    // News does not end the pause.
    expect(await take('one', 'news')).toBeUndefined();
    await ledger().commit((await take('one', 'asked'))!, { ...nothing, by: 'ada' }, 0);
    expect(await present()).toMatchObject({ cursor: 3, failures: 0, lastError: null });
    expect((await records()).map(({ status, by }) => [status, by])).toEqual([
      ['skipped', 'ada'],
      ['failed', null],
      ['failed', null],
      ['requested', null],
    ]);
  });

  it('pauses by itself where going on cannot help', async () => {
    await ledger().declare('one', [declared()]);
    await ledger().commit((await take())!, { ...failure, stop: true }, 0);
    expect(await present()).toMatchObject({ paused: { actor: null, reason: 'it broke' } });
    expect(await take()).toBeUndefined();
    expect(await take('one', 'news')).toBeUndefined();
    expect(await ledger().pause('orders', false, ADA)).toBe(true);
    expect(await take()).toBeDefined();
  });

  it('tells what was done, and by whom', async () => {
    const { eventLog } = here().ledger;
    const cursor = await eventLog.cursor();
    await ledger().declare('one', [declared()]);
    await ledger().commit((await take())!, failure, 0);
    const { evaluation, created } = (await ledger().commit((await take())!, asking(1, request('a')), 0))!;
    expect(await ledger().pause('orders', true, ADA)).toBe(true);
    expect(await ledger().pause('orders', true, ADA)).toBe(false);
    await ledger().pause('orders', false, ADA);
    expect(await ledger().setCursor('orders', 9, ADA)).toBe(true);
    expect(await ledger().setCursor('none', 9, ADA)).toBe(false);
    const { events } = await eventLog.since(cursor, 1000);
    const told = events.filter(({ kind }) => kind.startsWith('sensor.'));
    const sensor = 'orders';
    expect(told.map(({ kind, actor, detail }) => ({ kind, actor, detail }))).toEqual([
      { kind: 'sensor.failed', actor: null, detail: { sensor, reason: 'it broke', failures: 1 } },
      { kind: 'sensor.recovered', actor: null, detail: { sensor, failures: 1 } },
      {
        ...{ kind: 'sensor.requested', actor: null },
        detail: { sensor, evaluation: evaluation.id, runs: [created[0]!.id], partitions: [] },
      },
      { kind: 'sensor.paused', actor: 'ada', detail: { sensor, reason: 'because' } },
      { kind: 'sensor.resumed', actor: 'ada', detail: { sensor, reason: 'because' } },
      { kind: 'sensor.cursor_set', actor: 'ada', detail: { sensor, reason: 'because', before: 1, after: 9 } },
    ]);
  });

  it('sets and resets a cursor', async () => {
    await ledger().declare('one', [declared()]);
    await ledger().commit((await take())!, asking(1), MINUTE);
    await ledger().setCursor('orders', { place: ['a', null] }, ADA);
    const taken = (await take())!;
    expect(taken).toMatchObject({ cursor: { place: ['a', null] }, evaluatedAt: expect.any(Date) });
    await ledger().setCursor('orders', null, ADA);
    expect(await take()).toMatchObject({ cursor: null, evaluatedAt: null });
  });

  it('takes each delivery once, whoever brings it', async () => {
    await ledger().declare('one', [declared()]);
    const { id } = await present();
    const deliver = (delivery: string) => ledger().deliver(id, delivery, asking(0, request(null)), MINUTE);
    expect(await ledger().delivered(id, 'first')).toBeUndefined();
    const answers = await Promise.all([deliver('first'), deliver('first'), deliver('first')]);
    expect(answers.filter((answer) => answer!.repeated)).toHaveLength(2);
    const [evaluation, ...others] = answers.map((answer) => answer!.evaluation);
    expect(others).toEqual([evaluation, evaluation]);
    expect(await ledger().delivered(id, 'first')).toEqual(evaluation);
    await deliver('second');
    expect(await runs()).toHaveLength(2);
    // What comes from outside has no cursor.
    expect(await present()).toMatchObject({ cursor: null });
    await ledger().pause('orders', true, ADA);
    expect(await deliver('third')).toBeUndefined();
    expect(await deliver('second')).toMatchObject({ repeated: true });
  });

  it('removes one whose code is gone, and no other', async () => {
    await ledger().declare('one', [declared()]);
    await ledger().commit((await take())!, asking(1, request('a')), 0);
    expect(await ledger().remove('orders', ADA)).toBe(false);
    expect(await ledger().remove('none', ADA)).toBe(false);
    await here().outlive('two');
    expect(await ledger().remove('orders', ADA)).toBe(true);
    expect((await ledger().all()).sensors).toEqual([]);
    expect(await runs()).toHaveLength(1);
    // One of that name that comes later is new, and no run key of the old one is its own.
    await ledger().declare('two', [declared()]);
    expect(await take('two')).toMatchObject({ cursor: null });
  });

  it('keeps few evaluations that did nothing', async () => {
    await ledger().declare('one', [declared()]);
    const did = (await ledger().commit((await take())!, asking(1, request('a')), 0))!.evaluation;
    for (let n = 0; n < 60; n++) await ledger().commit((await take()) as TakenSensor, nothing, 0);
    const kept = await records();
    expect(kept).toHaveLength(51);
    expect(kept.at(-1)).toEqual(did);
    const { items, next } = await ledger().evaluations((await present()).id, { limit: 2 });
    const page = await ledger().evaluations((await present()).id, { limit: 2, before: next! });
    expect([...items, ...page.items]).toEqual(kept.slice(0, 4));
  });
}
