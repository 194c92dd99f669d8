import { beforeEach, describe, expect, it } from '@jest/globals';
import type { PlanningAsset } from '../../../lib/planning/planning.port.js';
import { buildPlanningModel } from '../../../lib/planning/planning-model.js';
import { readStatus, summarizeStatus } from '../../../lib/planning/status.js';
import { Partitions } from '../../../lib/partitions/partitions.js';
import { asset, daily, DAYS, moment, on } from './planning-assets.js';
import { RecordedFacts } from './recorded-facts.js';

const raw = asset('raw', { scheme: daily });
const clean = asset('clean', { scheme: daily, codeVersion: '1', dependencies: [on('raw')] });
const report = asset('report', { dependencies: [on('clean', { mapping: { kind: 'all' } })] });
const [day] = DAYS;

let facts: RecordedFacts;

/** Everything materialized, each with what it consumes. */
beforeEach(() => {
  facts = new RecordedFacts();
  for (const key of DAYS) {
    facts.materialize(raw, key, `raw ${key}`);
    facts.materialize(clean, key, `clean ${key}`, [facts.version('raw', key)!]);
  }
  facts.materialize(
    report,
    '',
    'report',
    DAYS.map((key) => facts.version('clean', key)!),
  );
});

async function status(assets: readonly PlanningAsset[], key: string, partition = '') {
  const { state, reasons } = await readStatus(buildPlanningModel(assets, moment), facts, key, partition);
  return [state, ...reasons.map((reason) => reason.message)];
}

const all = [raw, clean, report];

describe('the status of a partition', () => {
  it('is fresh when nothing differs', async () => {
    expect(await status(all, 'report')).toEqual(['fresh']);
  });

  it('is missing without a head, after a delete, and when the value is lost', async () => {
    expect(await status([...all, asset('new')], 'new')).toEqual(['missing', 'never materialized, or deleted']);
    facts.delete('raw', day);
    expect(await status(all, 'raw', day)).toEqual(['missing', 'never materialized, or deleted']);
    facts.change('report', '', { lost: 'value was in memory' });
    expect(await status(all, 'report')).toEqual(['missing', 'value was in memory']);
  });

  it('is stale when the declared code version differs, and never without one', async () => {
    const changed = { ...clean, codeVersion: '2' };
    expect(await status([raw, changed, report], 'clean', day)).toEqual(['stale', 'code version changed 1 → 2']);
    expect(await status([raw, { ...clean, codeVersion: undefined }, report], 'clean', day)).toEqual(['fresh']);
  });

  it('is stale when an upstream has another data version, and all below it too', async () => {
    facts.materialize(raw, day, 'other');
    expect(await status(all, 'clean', day)).toEqual(['stale', `upstream raw[${day}] changed raw 2001-01-01 → other`]);
    expect(await status(all, 'report')).toEqual(['stale', `upstream clean[${day}] is stale`]);
    expect(await status(all, 'clean', DAYS[1])).toEqual(['fresh']);
  });

  it('is fresh again when a version comes back', async () => {
    facts.materialize(raw, day, 'other');
    facts.materialize(raw, day, `raw ${day}`);
    expect(await status(all, 'clean', day)).toEqual(['fresh']);
  });

  it('is stale while an upstream is missing', async () => {
    facts.delete('clean', day);
    expect(await status(all, 'report')).toEqual(['stale', `upstream clean[${day}] is missing`]);
  });

  it('is stale when partitions appear or disappear upstream', async () => {
    const shorter = { ...daily, end: '2001-01-05' };
    const without = [{ ...raw, scheme: shorter }, { ...clean, scheme: shorter }, report];
    expect(await status(without, 'report')).toEqual(['stale', `upstream clean[${DAYS[4]}] is no longer there`]);
    facts.materialize(
      report,
      '',
      'report',
      DAYS.slice(1).map((key) => facts.version('clean', key)!),
    );
    expect(await status(all, 'report')).toEqual(['stale', `upstream clean[${day}] was added since`]);
  });

  it('is stale when upstreams are added to or removed from the declaration', async () => {
    const other = asset('other');
    facts.materialize(other, '', 'x');
    const changed = { ...report, dependencies: [on('other')] };
    expect(await status([raw, clean, other, changed], 'report')).toEqual([
      'stale',
      'upstream other was added, upstream clean was removed',
    ]);
  });

  it('is stale when invalidated, until it is materialized again', async () => {
    facts.change('raw', day, { invalidated: true });
    expect(await status(all, 'raw', day)).toEqual(['stale', 'invalidated']);
    expect(await status(all, 'clean', day)).toEqual(['stale', `upstream raw[${day}] is stale`]);
  });

  it('names a few of many partitions', async () => {
    for (const key of DAYS) facts.materialize(clean, key, 'new', [facts.version('raw', key)!]);
    expect(await status(all, 'report')).toEqual(['stale', `upstream clean[${DAYS.join(', ')}] changed`]);
  });

  it('does not depend on what is only ordered before it', async () => {
    const after = { ...report, dependencies: [...report.dependencies, on('setup', { ordering: true })] };
    expect(await status([raw, clean, asset('setup'), after], 'report')).toEqual(['fresh']);
  });

  it('becomes stale when an optional upstream appears, not while it is missing or stale', async () => {
    const extra = asset('extra', { codeVersion: '1' });
    const using = { ...report, dependencies: [...report.dependencies, on('extra', { optional: true })] };
    const assets = [raw, clean, extra, using];
    facts.materialize(
      using,
      '',
      'report',
      DAYS.map((key) => facts.version('clean', key)!),
    );
    expect(await status(assets, 'report')).toEqual(['fresh']);
    facts.materialize(extra, '', 'x');
    expect(await status(assets, 'report')).toEqual(['stale', 'upstream extra was added since']);
    facts.materialize(using, '', 'report', [
      ...DAYS.map((key) => facts.version('clean', key)!),
      facts.version('extra', '')!,
    ]);
    facts.change('extra', '', { invalidated: true });
    expect(await status(assets, 'report')).toEqual(['fresh']);
    facts.delete('extra', '');
    expect(await status(assets, 'report')).toEqual(['stale', 'upstream extra is no longer there']);
  });

  it('takes an external upstream as present, and compares its version once one is reported', async () => {
    const feed = asset('feed', { external: true });
    const using = asset('using', { dependencies: [on('feed')] });
    facts.materialize(using, '', 'x', []);
    expect(await status([feed, using], 'feed')).toEqual(['fresh']);
    expect(await status([feed, using], 'using')).toEqual(['fresh']);
    facts.materialize(feed, '', 'v1');
    expect(await status([feed, using], 'using')).toEqual(['stale', 'upstream feed was added since']);
  });

  it('counts a partition consumed through two dependencies once', async () => {
    const twice = asset('twice', {
      scheme: daily,
      dependencies: [on('raw'), on('raw', { alias: 'history', mapping: { kind: 'all' } })],
    });
    facts.materialize(
      twice,
      day,
      'x',
      DAYS.map((key) => facts.version('raw', key)!),
    );
    expect(await status([raw, twice], 'twice', day)).toEqual(['fresh']);
  });

  it('tells long ranges apart that end at the same partition', async () => {
    const scheme = Partitions.daily({ start: DAYS[0], end: '2001-02-01' });
    const source = asset('source', { scheme });
    const rest = { kind: 'window', start: 0, end: 40, allowMissing: true } as const;
    const ahead = asset('ahead', { scheme, dependencies: [on('source', { mapping: rest })] });
    const days = Array.from({ length: 31 }, (_, at) => `2001-01-${String(at + 1).padStart(2, '0')}`);
    for (const key of days) facts.materialize(source, key, key);
    for (const [at, key] of days.entries()) {
      facts.materialize(
        ahead,
        key,
        'x',
        days.slice(at).map((later) => facts.version('source', later)!),
      );
    }
    facts.materialize(source, days[4]!, 'other');
    const model = buildPlanningModel([source, ahead], moment);
    expect((await summarizeStatus(model, facts, 'ahead')).ranges).toEqual([
      { state: 'stale', from: days[0], to: days[4], count: 5 },
      { state: 'fresh', from: days[5], to: days[30], count: 26 },
    ]);
  });

  it('looks back along a running total, however far', async () => {
    const previous = on('total', { mapping: { kind: 'previous', start: -1, end: -1 } });
    const total = asset('total', { scheme: daily, dependencies: [on('raw'), previous] });
    for (const [at, key] of DAYS.entries()) {
      const before = at === 0 ? [] : [facts.version('total', DAYS[at - 1]!)!];
      facts.materialize(total, key, `sum ${key}`, [facts.version('raw', key)!, ...before]);
    }
    expect(await status([raw, total], 'total', DAYS[4])).toEqual(['fresh']);
    facts.materialize(raw, day, 'other');
    expect(await status([raw, total], 'total', DAYS[4])).toEqual(['stale', `upstream total[${DAYS[3]}] is stale`]);
  });

  it('says so when the record does not tell what differs', async () => {
    facts.change('clean', day, { inputs: 'unreadable' });
    expect(await status(all, 'clean', day)).toEqual(['stale', 'recorded inputs differ from what is there now']);
  });

  it('reads the heads it needs, not those of all partitions', async () => {
    facts.headsRead = 0;
    await status(all, 'clean', day);
    expect(facts.headsRead).toBe(2);
  });

  it('is refused for what does not exist', async () => {
    await expect(status(all, 'repotr')).rejects.toMatchObject({
      code: 'FLOWSTONE_PLAN_ASSET_UNKNOWN',
      message: 'there is no asset "repotr" (did you mean "report"?): name one that is declared',
    });
    await expect(status(all, 'raw', '2001-02-01')).rejects.toMatchObject({
      code: 'FLOWSTONE_PARTITION_UNKNOWN',
      message: expect.stringContaining('asset raw: there is no partition'),
      context: expect.objectContaining({ asset: 'raw' }),
    });
  });
});

describe('the status of an asset', () => {
  it('counts states and shows where they lie', async () => {
    facts.delete('raw', DAYS[1]);
    facts.materialize(raw, DAYS[3], 'other');
    facts.change('clean', DAYS[4], { failed: true });
    expect(await summarizeStatus(buildPlanningModel(all, moment), facts, 'clean')).toEqual({
      partitions: 5,
      missing: 0,
      stale: 2,
      fresh: 3,
      failed: 1,
      ranges: [
        { state: 'fresh', from: DAYS[0], to: DAYS[0], count: 1 },
        { state: 'stale', from: DAYS[1], to: DAYS[1], count: 1 },
        { state: 'fresh', from: DAYS[2], to: DAYS[2], count: 1 },
        { state: 'stale', from: DAYS[3], to: DAYS[3], count: 1 },
        { state: 'fresh', from: DAYS[4], to: DAYS[4], count: 1 },
      ],
    });
  });

  it('may have no partitions', async () => {
    const none = asset('none', { scheme: { kind: 'dynamic', name: 'tenants' } });
    const empty = { partitions: 0, missing: 0, stale: 0, fresh: 0, failed: 0, ranges: [] };
    expect(await summarizeStatus(buildPlanningModel([none], moment), facts, 'none')).toEqual(empty);
  });
});
