// How every ledger keeps schedules: a tick is attended to once, with its run or not at all.
import { expect, it } from '@jest/globals';
import type { AttendedTick, DeclaredSchedule } from '../../lib/ledger/schedules.port.js';
import type { ScheduleRecord } from '../../lib/ledger/schedule.records.js';
import { LEASE, planOf, runOf, type World } from './ledger.fixture.js';

const ADA = { actor: 'ada', reason: 'because' };
const declared = (fields: Partial<DeclaredSchedule> = {}): DeclaredSchedule => ({
  name: 'daily',
  hash: 'one',
  definition: { version: 1 },
  clock: 'at six',
  ...fields,
});

export function scheduleBehaviours(here: () => World): void {
  const ledger = () => here().ledger.schedules;
  const find = async (name = 'daily'): Promise<ScheduleRecord | undefined> =>
    (await ledger().all()).schedules.find((schedule) => schedule.name === name);
  const present = async (name = 'daily') => (await find(name))!;
  const after = ({ watermark }: ScheduleRecord, seconds: number) => new Date(watermark.getTime() + seconds * 1000);
  const tickOf = ({ id }: ScheduleRecord, tick: Date, fields: Partial<AttendedTick> = {}): AttendedTick => ({
    ...{ schedule: id, tick, status: 'fired', reason: null },
    run: { run: runOf({ requestedBy: 'schedule' }), plan: planOf([{ asset: 'a' }]) },
    ...fields,
  });
  const without = (status: AttendedTick['status'], reason: string | null = null) => ({
    status,
    reason,
    run: undefined as never,
  });
  const statuses = async (record: ScheduleRecord) =>
    (await ledger().ticks(record.id, { limit: 100 })).items.map(({ status }) => status);

  it('keeps what code declares, from now on', async () => {
    await ledger().declare('one', [declared(), declared({ name: 'weekly', clock: 'on mondays' })]);
    const { schedules, now } = await ledger().all();
    expect(schedules).toMatchObject([
      {
        name: 'daily',
        declared: true,
        live: true,
        definition: { version: 1 },
        hash: 'one',
        paused: null,
        lastRun: null,
      },
      { name: 'weekly' },
    ]);
    expect(schedules[0]!.watermark.getTime()).toBeLessThanOrEqual(now.getTime());
    const before = await present();
    await ledger().declare('one', [declared()]);
    await ledger().declare('two', [declared()]);
    expect(await present()).toEqual(before);
  });

  it('lets the definition count that was first declared latest by a process that lives', async () => {
    await ledger().declare('one', [declared()]);
    const { watermark } = await present();
    await here().pass(1000);
    await ledger().declare('two', [declared({ hash: 'two', definition: { version: 2 } })]);
    // Its clock is the same: what is attended to stays.
    expect(await present()).toMatchObject({ hash: 'two', definition: { version: 2 }, watermark });
    // An old one that starts again changes nothing.
    await ledger().declare('one', [declared()]);
    expect(await present()).toMatchObject({ hash: 'two' });
    // After a rollback the old one counts again.
    await here().outlive('one');
    await ledger().declare('one', [declared()]);
    expect(await present()).toMatchObject({ hash: 'one', live: true });
  });

  it('attends to all ticks up to now where another clock counts', async () => {
    await ledger().declare('one', [declared()]);
    const { watermark, generation } = await present();
    await here().pass(2000);
    await ledger().declare('one', [declared({ hash: 'two', clock: 'at seven' })]);
    const record = await present();
    expect(record.watermark.getTime()).toBeGreaterThan(watermark.getTime());
    expect(record.generation).toBeGreaterThan(generation);
  });

  it('says when no live process declares what counts', async () => {
    await ledger().declare('one', [declared()]);
    await here().outlive('two');
    expect(await present()).toMatchObject({ live: false, hash: 'one' });
  });

  it('records a tick with its run, once, whoever tries', async () => {
    await ledger().declare('one', [declared()]);
    const record = await present();
    const tick = after(record, 10);
    const attend = () => ledger().attend(record, tickOf(record, tick), tick);
    const answers = await Promise.all([attend(), attend(), attend()]);
    const [runs, ...others] = answers.filter((answer) => answer !== undefined);
    expect(others).toEqual([]);
    expect(await here().statuses(runs![0]!.id)).toEqual(['a: pending']);
    expect(await present()).toMatchObject({
      watermark: tick,
      lastRun: { id: runs![0]!.id, open: true, status: 'running' },
    });
    expect((await here().ledger.runs({}, { limit: 10 })).items).toHaveLength(1);
    const { items } = await ledger().ticks(record.id, { limit: 10 });
    expect(items).toEqual([
      { schedule: 'daily', tick, status: 'fired', run: runs![0]!.id, reason: null, by: null, at: expect.any(Date) },
    ]);
    expect(await here().eventKinds(runs![0]!.id)).toContain('schedule.fired');
  });

  it('records nothing for who read it before it was changed or paused', async () => {
    await ledger().declare('one', [declared()]);
    const old = await present();
    const tick = after(old, 10);
    await ledger().pause('daily', true, ADA);
    expect(await ledger().attend(old, tickOf(old, tick), tick)).toBeUndefined();
    expect(await ledger().attend(await present(), tickOf(old, tick), tick)).toBeUndefined();
    await ledger().pause('daily', false, ADA);
    expect(await ledger().attend(old, tickOf(old, tick), tick)).toBeUndefined();
    expect((await here().ledger.runs({}, { limit: 10 })).items).toEqual([]);
    expect(await statuses(old)).toEqual([]);
    const record = await present();
    expect(await ledger().attend(record, tickOf(record, after(record, 5)), after(record, 5))).toHaveLength(1);
  });

  it('records ticks in order, each once', async () => {
    await ledger().declare('one', [declared()]);
    const record = await present();
    const [first, second, third] = [after(record, 1), after(record, 2), after(record, 3)];
    const attend = async (tick: Date, fields: Partial<AttendedTick> = {}) => {
      const read = await present();
      return ledger().attend(read, tickOf(read, tick, fields), tick);
    };
    expect(await attend(first, without('missed', 'nobody was there'))).toEqual([]);
    expect(await attend(second)).toHaveLength(1);
    expect(await attend(third, without('queued'))).toEqual([]);
    expect(await present()).toMatchObject({ watermark: third, queued: third });
    expect(await statuses(record)).toEqual(['queued', 'fired', 'missed']);
    // It was attended to before, and none is passed by twice.
    const again = await present();
    expect(await ledger().attend(again, tickOf(again, second), after(again, 5))).toBeUndefined();
    expect(await attend(second)).toBeUndefined();
    expect(await present()).toMatchObject({ watermark: third });
    const page = await ledger().ticks(record.id, { limit: 2 });
    expect(page.items).toHaveLength(2);
    const rest = await ledger().ticks(record.id, { limit: 2, before: new Date(page.next!) });
    expect(rest).toMatchObject({ items: [{ status: 'missed', reason: 'nobody was there' }], next: null });
  });

  it('fires what is queued once, the first of it first', async () => {
    await ledger().declare('one', [declared()]);
    const record = await present();
    const [first, second] = [after(record, 1), after(record, 2)];
    for (const tick of [first, second]) {
      const read = await present();
      await ledger().attend(read, tickOf(read, tick, without('queued')), tick);
    }
    expect(await present()).toMatchObject({ queued: first });
    const answers = await Promise.all([
      ledger().dequeue(tickOf(record, first)),
      ledger().dequeue(tickOf(record, first)),
    ]);
    expect(answers.filter((answer) => answer !== undefined)).toHaveLength(1);
    expect(await present()).toMatchObject({ queued: second, lastRun: { open: true } });
    await ledger().dequeue(tickOf(record, second, without('failed', 'no')));
    expect(await present()).toMatchObject({ queued: null });
    expect(await statuses(record)).toEqual(['failed', 'fired']);
  });

  it('is attended to by one process at a time, for as long as that says', async () => {
    await ledger().declare('one', [declared()]);
    const { id } = await present();
    expect(await ledger().take(id, 'one', 5000)).toBe(true);
    expect(await ledger().take(id, 'one', 5000)).toBe(true);
    expect(await ledger().take(id, 'two', 5000)).toBe(false);
    await ledger().leave(id, 'two');
    expect(await ledger().take(id, 'two', 5000)).toBe(false);
    await here().pass(5001);
    expect(await ledger().take(id, 'two', LEASE)).toBe(true);
    await ledger().leave(id, 'two');
    expect(await ledger().take(id, 'one', 5000)).toBe(true);
  });

  it('runs now for a person, and keeps who that was', async () => {
    await ledger().declare('one', [declared()]);
    const record = await present();
    const planned = { run: runOf(), plan: planOf([{ asset: 'a' }]) };
    const { run, tick } = await ledger().runNow(record.id, planned, ADA);
    const { items } = await ledger().ticks(record.id, { limit: 10 });
    expect(items).toMatchObject([{ tick, status: 'fired', run: run.id, by: 'ada', reason: 'because' }]);
    expect(await present()).toMatchObject({ watermark: record.watermark, lastRun: { id: run.id } });
  });

  it('is created, changed, paused, resumed and removed, each told with who and why', async () => {
    expect(await ledger().create('extra', { version: 1 }, 'h1', ADA)).toBe(true);
    expect(await ledger().create('extra', { version: 2 }, 'h2', ADA)).toBe(false);
    expect(await present('extra')).toMatchObject({ declared: false, live: true, definition: { version: 1 } });
    const { watermark } = await present('extra');
    await here().pass(2000);
    expect(await ledger().update('extra', { version: 2 }, 'h2', false, ADA)).toBe(true);
    expect(await present('extra')).toMatchObject({ definition: { version: 2 }, hash: 'h2', watermark });
    expect(await ledger().update('extra', { version: 3 }, 'h3', true, ADA)).toBe(true);
    expect((await present('extra')).watermark.getTime()).toBeGreaterThan(watermark.getTime());
    expect(await ledger().pause('extra', true, ADA)).toBe(true);
    expect(await ledger().pause('extra', true, ADA)).toBe(false);
    expect(await present('extra')).toMatchObject({ paused: { actor: 'ada', reason: 'because', at: expect.any(Date) } });
    expect(await ledger().pause('extra', false, ADA)).toBe(true);
    expect(await ledger().remove('extra', ADA)).toBe(true);
    expect(await ledger().remove('extra', ADA)).toBe(false);
    expect(await ledger().update('extra', {}, '', false, ADA)).toBe(false);
    const { items } = await here().ledger.events({}, { limit: 20 });
    const told = items.filter(({ kind }) => kind.startsWith('schedule.')).toReversed();
    expect(told.map(({ kind, actor }) => `${kind} ${actor}`)).toEqual([
      'schedule.created ada',
      'schedule.updated ada',
      'schedule.updated ada',
      'schedule.paused ada',
      'schedule.resumed ada',
      'schedule.deleted ada',
    ]);
    expect(told[0]!.detail).toEqual({ schedule: 'extra', reason: 'because' });
  });

  it('is not changed or removed while a live process declares it', async () => {
    await ledger().declare('one', [declared()]);
    expect(await ledger().update('daily', {}, 'x', true, ADA)).toBe(false);
    expect(await ledger().remove('daily', ADA)).toBe(false);
    await here().outlive('two');
    expect(await ledger().remove('daily', ADA)).toBe(true);
    expect(await find()).toBeUndefined();
  });
}
