// Observables whose subscribers cannot break anything.
import { describe, expect, it } from '@jest/globals';
import { map, mergeMap, of, Subject, take } from 'rxjs';
import { GuardedObservable } from '../../../lib/events/guarded.observable.js';

function guarded() {
  const source = new Subject<number>();
  const thrown: string[] = [];
  const told = (error: unknown): void => void thrown.push((error as Error).message);
  return {
    source,
    thrown,
    observable: new GuardedObservable<number>(told, (subscriber) => source.subscribe(subscriber)),
  };
}

const fail = (message: string) => (): never => {
  throw new Error(message);
};

describe('a guarded observable', () => {
  it('tells what each part of an observer throws, and goes on', () => {
    const { source, thrown, observable } = guarded();
    observable.subscribe({ next: fail('next'), complete: fail('complete') });
    observable.subscribe(fail('function'));
    observable.subscribe(null, null, fail('third'));
    source.next(1);
    source.next(2);
    source.complete();
    expect(thrown).toEqual(['next', 'function', 'next', 'function', 'complete', 'third']);
  });

  it('tells an error that nobody takes, and gives it to whoever does', () => {
    const { source, thrown, observable } = guarded();
    const taken: unknown[] = [];
    const broken = observable.pipe(map(fail('in a map')));
    broken.subscribe(() => undefined);
    broken.subscribe({ error: (error) => taken.push((error as Error).message) });
    broken.subscribe({ error: fail('in error') });
    source.next(1);
    expect([thrown, taken]).toEqual([['in a map', 'in error'], ['in a map']]);
  });

  it('is guarded behind operators, also those that subscribe by themselves, and ends with them', () => {
    const { source, thrown, observable } = guarded();
    const seen: number[] = [];
    of('go')
      .pipe(
        mergeMap(() => observable),
        take(2),
      )
      .subscribe((value) => seen.push(value));
    observable.pipe(take(1)).subscribe(fail('taken'));
    for (const value of [1, 2, 3]) source.next(value);
    expect([seen, thrown]).toEqual([[1, 2], ['taken']]);
    expect(source.observed).toBe(false);
  });

  it('leaves a subscriber of another copy of RxJS as it is', () => {
    const { source, thrown, observable } = guarded();
    const seen: unknown[] = [];
    const nothing = (): void => undefined;
    const foreign = { next: (value: number) => seen.push(value), error: nothing, complete: nothing, closed: false };
    const subscription = { add: nothing, remove: nothing, unsubscribe: nothing };
    observable.subscribe({ ...foreign, ...subscription });
    source.next(1);
    expect([seen, thrown]).toEqual([[1], []]);
  });
});
