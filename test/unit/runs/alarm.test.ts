import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Alarm } from '../../../lib/runs/alarm.js';

describe('an alarm', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  function alarm(): { readonly alarm: Alarm; rung(): number } {
    let count = 0;
    return { alarm: new Alarm(() => void count++), rung: () => count };
  }

  it('rings once, at the earliest time it was set to', () => {
    const { alarm: set, rung } = alarm();
    set.set(100);
    set.set(20);
    set.set(50);
    jest.advanceTimersByTime(19);
    expect(rung()).toBe(0);
    jest.advanceTimersByTime(1000);
    expect(rung()).toBe(1);
  });

  it('can be set again once it rang', () => {
    const { alarm: set, rung } = alarm();
    set.set(20);
    jest.advanceTimersByTime(20);
    set.set(20);
    jest.advanceTimersByTime(20);
    expect(rung()).toBe(2);
  });

  it('that is set to a time too far off for a timer does not ring at once', () => {
    const { alarm: set, rung } = alarm();
    set.set(2 ** 32);
    jest.advanceTimersByTime(86_400_000);
    expect(rung()).toBe(0);
  });

  it('does not ring once it is closed', () => {
    const { alarm: set, rung } = alarm();
    set.set(20);
    set.close();
    set.set(30);
    jest.advanceTimersByTime(1000);
    expect(rung()).toBe(0);
  });
});
