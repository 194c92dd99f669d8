import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { LedgerOutage } from '../../../lib/runs/ledger.outage.js';

describe('an outage of the ledger', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('is told of when it begins, every minute while it lasts, and when it is over', () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(0);
    const told: string[] = [];
    const tell = (line: string): void => void told.push(line);
    const outage = new LedgerOutage({ log: tell, warn: tell });
    const away = 'The ledger cannot be reached, and is tried until it is back: gone';
    const noticeAt = (ms: number): void => {
      clock.mockReturnValue(ms);
      outage.noticed(new Error('gone'));
    };
    outage.over();
    for (const ms of [5, 6, 59_000]) noticeAt(ms);
    expect(told).toEqual([away]);
    for (const ms of [60_005, 61_000]) noticeAt(ms);
    expect(told).toEqual([away, away]);
    clock.mockReturnValue(70_005);
    outage.over();
    outage.over();
    expect(told).toEqual([away, away, 'The ledger is back after 70.0 s.']);
    noticeAt(70_006);
    expect(told).toHaveLength(4);
  });
});
