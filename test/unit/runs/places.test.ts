import { describe, expect, it } from '@jest/globals';
import { Places, type Place } from '../../../lib/runs/places.js';

interface Waiting {
  readonly name: string;
  readonly claim: { readonly asset: string };
  place: Place;
}

/** What waits, written as `asset:place` each. */
function waitingIn(places: Places, ...written: readonly string[]): Waiting[] {
  const known = new Map<string, Place>();
  return written.map((name) => {
    const [asset = '', number = ''] = name.split(':');
    const place = known.get(number) ?? { claims: 0 };
    known.set(number, place);
    places.enter(place);
    return { name, claim: { asset }, place };
  });
}

describe('places', () => {
  it('are taken by the first that has one, and free after the last', () => {
    const places = new Places();
    const [a, b, c] = waitingIn(places, 'x:1', 'x:1', 'x:2');
    expect(places.taken).toBe(2);
    places.leave(a!.place);
    expect(places.taken).toBe(2);
    places.leave(b!.place);
    places.leave(c!.place);
    expect(places.taken).toBe(0);
  });

  it.each([
    ['what shares one comes first', ['x:1', 'x:2', 'x:1', 'x:3'], 3, ['x:1', 'x:2'], 2],
    ['what shares one is not divided', ['x:1', 'x:2', 'x:2', 'x:3'], 3, ['x:2', 'x:2'], 2],
    ['what does not fit is passed over', ['x:1', 'x:2', 'x:2', 'x:2', 'x:3'], 3, ['x:3'], 2],
    ['other assets are left alone', ['x:1', 'y:2', 'x:3'], 9, ['x:3'], 2],
    ['one alone stays alone', ['x:1'], 9, [], 1],
  ])('are shared by what is executed together: %s', (_what, written, most, gathered, left) => {
    const places = new Places();
    const [first, ...waiting] = waitingIn(places, ...written);
    const fellows = places.gather(first!, waiting, most);
    expect(fellows.map(({ name }) => name)).toEqual(gathered);
    expect(places.taken).toBe(left);
    expect(new Set([first!, ...fellows].map(({ place }) => place)).size).toBe(1);
    for (const { place } of [first!, ...waiting]) places.leave(place);
    expect(places.taken).toBe(0);
  });
});
