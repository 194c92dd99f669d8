import { expect, it } from '@jest/globals';
import { Presence } from '../../../lib/runs/presence.js';

it('knows what it saw for half a second at least and a second at most', () => {
  let now = 10_000;
  const presence = new Presence(() => now);
  presence.saw('a', 'x');
  expect([presence.has('a', 'x'), presence.has('a', 'y'), presence.has('b', 'x')]).toEqual([true, false, false]);
  now += 499;
  presence.saw('a', 'y');
  now += 499;
  expect([presence.has('a', 'x'), presence.has('a', 'y')]).toEqual([true, true]);
  now += 3;
  expect([presence.has('a', 'x'), presence.has('a', 'y')]).toEqual([false, false]);
});

it('knows nothing after a long time, and nothing that was forgotten', () => {
  let now = 10_000;
  const presence = new Presence(() => now);
  presence.saw('a', 'x');
  now += 60_000;
  expect(presence.has('a', 'x')).toBe(false);
  presence.saw('a', 'x');
  presence.forget();
  expect(presence.has('a', 'x')).toBe(false);
});
