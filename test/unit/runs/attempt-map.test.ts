import { expect, it } from '@jest/globals';
import { AttemptMap } from '../../../lib/runs/attempt.map.js';

const attempt = (id: number, epoch: number) => ({ claim: { id, epoch } });

it('holds a lost attempt beside the next at the same materialization, each until it is over', () => {
  const map = new AttemptMap<ReturnType<typeof attempt>>();
  const [lost, next, other] = [attempt(1, 1), attempt(1, 2), attempt(2, 1)];
  for (const each of [lost, other, next]) map.add(each);
  expect(map.size).toBe(3);
  expect([...map.values()]).toEqual(expect.arrayContaining([lost, next, other]));
  expect([lost, next, other, attempt(1, 3)].map(({ claim }) => map.get(claim))).toEqual([lost, next, other, undefined]);
  map.delete(next.claim);
  expect(map.get(lost.claim)).toBe(lost);
  map.delete(attempt(2, 2).claim);
  map.delete(lost.claim);
  expect([...map.values()]).toEqual([other]);
});
