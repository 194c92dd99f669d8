// The keeper of logs on a ledger that is slow, away or broken.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { FlowStoneError } from '../../../lib/flowstone.errors.js';
import type { NewLogLine } from '../../../lib/ledger/logs.port.js';
import { LogKeeper, type LoggedLine } from '../../../lib/runs/log.keeper.js';

const kept: NewLogLine[] = [];
const news: unknown[] = [];
let failures: Error[];
let statements: number;
let keeper: LogKeeper;

beforeEach(() => {
  kept.length = 0;
  news.length = 0;
  failures = [];
  statements = 0;
  keeper = new LogKeeper(
    () => ({
      append: async (lines) => {
        statements++;
        const failure = failures.shift();
        if (failure) throw failure;
        kept.push(...lines);
      },
      lines: async () => [],
    }),
    {
      lost: (count) => news.push(`lost ${count}`),
      written: (materializations) => news.push(materializations),
      outage: () => news.push('outage'),
      failed: () => news.push('failed'),
    },
  );
});

const line = (number: number): LoggedLine => ({
  ...{ materialization: 7, epoch: 1, number, attempt: 1, level: 'log', message: '', fields: null },
  loggedAt: performance.now() - 500,
});
const numbersKept = () => kept.map(({ number }) => number);

describe('the keeper of logs', () => {
  it('asks nothing of the ledger where nothing was logged', async () => {
    await keeper.flush();
    await keeper.close();
    expect(statements).toBe(0);
  });

  it('keeps many lines by few statements, with the time that has passed', async () => {
    for (let number = 0; number < 1200; number++) keeper.add(line(number));
    await Promise.all([keeper.flush(), keeper.flush(), keeper.flush()]);
    expect(numbersKept()).toEqual(Array.from({ length: 1200 }, (_, number) => number));
    expect(statements).toBe(3);
    expect(news).toEqual([[7], [7], [7]]);
    for (const { age } of kept) expect(age).toBeGreaterThanOrEqual(500);
    await keeper.close();
  });

  it('keeps them by and by, without being asked', async () => {
    keeper.add(line(1));
    while (kept.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(numbersKept()).toEqual([1]);
    await keeper.close();
  });

  it('goes on after an outage with what waited', async () => {
    failures = [new FlowStoneError('FLOWSTONE_LEDGER_UNAVAILABLE', 'away')];
    keeper.add(line(1));
    const flushed = keeper.flush();
    keeper.add(line(2));
    await flushed;
    await keeper.flush();
    expect(numbersKept()).toEqual([1, 2]);
    expect(news).toContain('outage');
    await keeper.close();
  });

  it('does not hold up whoever waits while the ledger is away, and keeps only so much', async () => {
    failures = Array.from({ length: 1000 }, () => new FlowStoneError('FLOWSTONE_LEDGER_UNAVAILABLE', 'away'));
    for (let number = 0; number < 10_600; number++) keeper.add(line(number));
    await keeper.flush();
    expect(kept).toEqual([]);
    failures = [];
    await keeper.close();
    expect(kept.length).toBeGreaterThanOrEqual(10_000);
    expect(news.some((told) => typeof told === 'string' && told.startsWith('lost'))).toBe(true);
  });

  it('leaves out what cannot be kept, and says so', async () => {
    failures = [new TypeError('broken')];
    keeper.add(line(1));
    await keeper.flush();
    keeper.add(line(2));
    await keeper.flush();
    expect(numbersKept()).toEqual([2]);
    expect(news).toEqual(['failed', 'lost 1', [7]]);
    await keeper.close();
  });
});
