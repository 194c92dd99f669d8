// The flights sample as a person runs it: killed in the middle, started again, all fresh, one asset's code changed.
// All that it stored is compared with figures computed independently over the whole file.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { NestFactory } from '@nestjs/core';
import { FlowStoneService } from 'nestjs-flowstone';
import { AirportRanking } from '../../sample/02-flights/assets/airport-ranking.asset.js';
import { DailyDelays } from '../../sample/02-flights/assets/daily-delays.asset.js';
import { MonthlyReport } from '../../sample/02-flights/assets/monthly-report.asset.js';
import { QualityReview, type ReviewedMonth } from '../../sample/02-flights/assets/quality-review.asset.js';
import { MonthlyNetwork } from '../../sample/02-flights/assets/monthly-network.asset.js';
import { FlightsModule } from '../../sample/02-flights/flights.module.js';
import { FlightsFile } from '../../sample/02-flights/source/flights.file.js';
import { expectDelays, expectNetwork, expectRanking, expectReviews } from './flights-expectations.js';
import { computeReference, DATA } from './flights-reference.js';

const ROOT = resolve(import.meta.dirname, '../..');
const SAMPLE = join(ROOT, 'dist/sample/02-flights');
const DAYS = Array.from({ length: 182 }, (_, day) => new Date(Date.UTC(2001, 0, 1 + day)).toISOString().slice(0, 10));
const MONTHS = [...new Set(DAYS.map((day) => day.slice(0, 7)))];

describe('the flights sample', () => {
  const directory = mkdtempSync(join(tmpdir(), 'flights-'));
  // Inside the package, so that it finds the library by its name; each run of this test has its own.
  const changed = mkdtempSync(join(ROOT, 'dist/sample/02-flights-changed-'));
  const environment = { ...process.env, FLOWSTONE_DIRECTORY: directory, NODE_OPTIONS: '' };

  function start(args: readonly string[] = [], sample = SAMPLE): ChildProcess {
    return spawn(process.execPath, [join(sample, 'main.js'), ...args], { env: environment });
  }

  function run(args: readonly string[] = [], sample = SAMPLE): { status: number | null; out: string; err: string } {
    const options = { env: environment, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 } as const;
    const {
      status,
      stdout: out,
      stderr: err,
    } = spawnSync(process.execPath, [join(sample, 'main.js'), ...args], options);
    return { status, out, err };
  }

  beforeAll(() => {
    const built = spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--if-needed'], { encoding: 'utf8' });
    if (built.status !== 0) throw new Error(built.stderr);
    cpSync(SAMPLE, changed, { recursive: true });
    const asset = join(changed, 'assets/daily-delays.asset.js');
    writeFileSync(asset, readFileSync(asset, 'utf8').replace("codeVersion: '1'", "codeVersion: '2'"));
  }, 600_000);

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
    rmSync(changed, { recursive: true, force: true });
  });

  it('makes one day and what it needs', () => {
    const { status, out, err } = run(['--partition', '2001-03-04']);
    expect([status, err]).toEqual([0, '']);
    expect(out).toContain('Made 3 values');
    const printed = run(['--print', 'daily_delays', '--partition', '2001-03-04', '--json']);
    expect(printed.status).toBe(0);
    expect(printed.out.trimEnd().split('\n')).toHaveLength(1);
    const rows = JSON.parse(printed.out) as Record<string, unknown>[];
    expect(Object.keys(rows[0]!)).toEqual(['airport', 'flights', 'meanDelay', 'p95Delay', 'lateShare']);
  }, 300_000);

  it('names what was meant when an asset is unknown', () => {
    const { status, err } = run(['--select', 'daily_delay']);
    expect(status).toBe(2);
    expect(err).toContain('daily_delays');
  }, 300_000);

  it('continues after SIGKILL in the middle, and makes each value once', async () => {
    const killed = start();
    const lines = createInterface(killed.stdout!);
    for await (const line of lines) {
      if (/ [3-9]\d%/.test(line)) break;
    }
    killed.kill('SIGKILL');
    await once(killed, 'close');
    const { status, out, err } = run();
    expect([status, err]).toEqual([0, '']);
    expect(out).toContain('Continuing run');
    // 576 values, at least three in ten of them made before.
    expect(Number(/Made (\d+) values/.exec(out)?.[1])).toBeLessThan(410);
    expect(out).toContain('3,000,000 flights');
  }, 600_000);

  it('finds everything fresh when started again', () => {
    const { status, out } = run();
    expect(status).toBe(0);
    expect(out).toContain('nothing was computed');
  }, 300_000);

  it('stored the figures of the whole file', async () => {
    const reference = await computeReference();
    process.env.FLOWSTONE_WORKER = 'false';
    const app = await NestFactory.createApplicationContext(FlightsModule.forRoot({ directory }), { logger: ['error'] });
    try {
      const flowstone = app.get(FlowStoneService);
      expect(reference.rows).toBe(3_000_000);
      expect([...reference.days.keys()]).toEqual(DAYS);
      expect([...reference.months.keys()]).toEqual(MONTHS);
      // Every flight of every day is counted: none was dropped as impossible, none read twice.
      for (const [day, expected] of reference.days) {
        expectDelays(await flowstone.load(DailyDelays, { partition: day }), expected);
      }
      for (const [month, expected] of reference.months) {
        expectNetwork(await flowstone.load(MonthlyNetwork, { partition: month }), expected);
      }
      const reviewed = new Map<string, ReviewedMonth>();
      for (const month of MONTHS) reviewed.set(month, await flowstone.load(QualityReview, { partition: month }));
      expectReviews(reviewed, reference);
      // Six flights, four of them late: the only month that was asked about, and only once.
      const { items: approvals } = await flowstone.approvals.list({ status: 'all' });
      expect(approvals).toMatchObject([
        { asset: 'quality_review', partition: '2001-07', status: 'approved', decision: { by: 'nobody' } },
      ]);
      expect(approvals[0]!.message).toContain('4 of 6 flights were late: 66.7%, usually');
      expect(await flowstone.load(MonthlyReport, { partition: '2001-07' })).toContain('let pass by nobody');
      expect(await flowstone.load(MonthlyReport, { partition: '2001-06' })).toContain('That is as usual (');
      expect(await flowstone.load(MonthlyReport, { partition: '2001-03' })).not.toContain('as usual');
      const ranking = await flowstone.load(AirportRanking);
      expectRanking(ranking, reference);
      expect(ranking.filter(({ name }) => name === null)).toEqual([]);
      for (const { key } of flowstone.graph().nodes) {
        const { items } = await flowstone.history(key, { limit: 1000 });
        const made = items.filter(({ status }) => status === 'success').map(({ partition }) => partition);
        expect([key, made.length]).toEqual([key, (await flowstone.partitions(key)).size]);
        expect(new Set(made).size).toBe(made.length);
      }
    } finally {
      await app.close();
      delete process.env.FLOWSTONE_WORKER;
    }
  }, 600_000);

  it('finds six flights on the last day of the file, and none before its first day or after its last', async () => {
    const file = await FlightsFile.open(join(DATA, 'flights-3m.parquet'));
    const count = async (day: string): Promise<number> => {
      let flights = 0;
      for await (const _ of await file.day(day)) flights++;
      return flights;
    };
    expect(await Promise.all(['2000-12-31', '2001-07-01', '2001-07-02'].map(count))).toEqual([0, 6, 0]);
  });

  it('makes 182 days anew when the code of daily_delays changes, and nothing where they came out the same', () => {
    const plan = run(['--plan'], changed);
    // Certain ones first, then conditional ones.
    expect(plan.out).toMatch(/^daily_delays +182 +0 +code version changed 1 → 2$/m);
    expect(plan.out).toMatch(/^airport_ranking +0 +1 /m);
    expect(plan.out).toMatch(/^quality_review +0 +7 /m);
    expect(plan.out).toMatch(/^monthly_report +0 +7 /m);
    expect(plan.out).not.toMatch(/^(raw_flights|cleaned_flights|airports|monthly_network) /m);
    const { status, out } = run([], changed);
    expect(status).toBe(0);
    expect(out).toContain('Made 182 values');
  }, 600_000);

  it('makes what depends on daily_delays anew where its figures differ', () => {
    const asset = join(changed, 'assets/daily-delays.asset.js');
    const figures = join(changed, 'figures/daily-delays.js');
    writeFileSync(asset, readFileSync(asset, 'utf8').replace("codeVersion: '2'", "codeVersion: '3'"));
    writeFileSync(
      figures,
      readFileSync(figures, 'utf8').replace('flights: delays.length,', 'flights: delays.length + 1,'),
    );
    const { status, out } = run([], changed);
    expect(status).toBe(0);
    // 182 days, seven months of punctuality, reviews and reports, one ranking; the network reads no delays.
    expect(out).toContain('Made 204 values');
  }, 600_000);
});
