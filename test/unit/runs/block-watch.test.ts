import { beforeEach, describe, expect, it } from '@jest/globals';
import { BlockWatch } from '../../../lib/runs/heartbeat/block.watch.js';
import { Pulse } from '../../../lib/runs/heartbeat/pulse.js';

let pulse: { now: number; turnedAt: number; executing: readonly number[] };
let watch: BlockWatch;

beforeEach(() => {
  pulse = { now: 0, turnedAt: 0, executing: [] };
  watch = new BlockWatch(pulse, 1000);
});

/** Looks every 250 ms, while the event loop turns or does not. */
function pass(milliseconds: number, turns: boolean) {
  let seen = watch.look();
  for (let passed = 0; passed < milliseconds; passed += 250) {
    pulse.now += 250;
    if (turns) pulse.turnedAt = pulse.now;
    seen = watch.look();
  }
  return seen;
}

describe('the watch over the event loop', () => {
  it('sees no block while the loop turns, however slowly', () => {
    expect(pass(5000, true)).toEqual({ blocked: false, over: undefined });
    expect(pass(1000, false)).toEqual({ blocked: false, over: undefined });
    expect(pass(250, true)).toEqual({ blocked: false, over: undefined });
  });

  it('tells once how long a block was, and what executed when it began', () => {
    pass(1000, true);
    pulse.executing = [7, 8];
    expect(pass(3000, false)).toEqual({ blocked: true, over: undefined });
    pulse.executing = [9];
    expect(pass(250, true)).toEqual({ blocked: false, over: { milliseconds: 3250, executing: [7, 8] } });
    expect(pass(250, true)).toEqual({ blocked: false, over: undefined });
  });

  it('blames nobody when the whole process was stopped', () => {
    pass(1000, true);
    pulse.now += 60_000;
    expect(watch.look()).toEqual({ blocked: false, over: undefined });
    expect(pass(250, true)).toEqual({ blocked: false, over: undefined });
  });

  it('counts a block from where the process was stopped amid it', () => {
    pass(2000, false);
    pulse.now += 60_000;
    expect(watch.look().blocked).toBe(false);
    expect(pass(2000, false).blocked).toBe(true);
    expect(pass(250, true).over).toMatchObject({ milliseconds: 2250 });
  });
});

describe('a pulse', () => {
  it('shows to another thread what executes, and when the loop last turned', () => {
    const own = new Pulse(2);
    const seen = new Pulse(own.memory);
    const over = own.begin(5);
    own.begin(6);
    own.begin(7)();
    expect([...seen.executing].sort()).toEqual([5, 6]);
    over();
    expect(seen.executing).toEqual([6]);
    expect(seen.turnedAt).toBe(0);
    own.beat();
    expect(seen.turnedAt).toBeGreaterThan(0);
    expect(seen.now).toBeGreaterThanOrEqual(seen.turnedAt);
  });
});
