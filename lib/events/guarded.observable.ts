// An observable whose subscribers cannot break anything by an error: what they throw, and do not take themselves, is told.
import { Observable, Subscriber, type Observer, type Operator, type Subscription } from 'rxjs';

/** Hears what a subscriber threw. */
export type Thrown = (error: unknown) => void;

type Next<T> = ((value: T) => unknown) | null | undefined;

/**
 * RxJS gives what a subscriber throws to the whole process, which ends by it. Here it goes to `thrown`, and the subscriber
 * stays. So do a promise that is rejected, and an error of an operator that nobody takes, which ends only that subscription.
 */
export class GuardedObservable<T> extends Observable<T> {
  readonly #thrown: Thrown;

  constructor(thrown: Thrown, subscribe?: ConstructorParameters<typeof Observable<T>>[0]) {
    super(subscribe);
    this.#thrown = thrown;
  }

  /** As of any observable: pipe() makes its results by it, which are guarded as well. */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>(this.#thrown);
    lifted.source = this;
    lifted.operator = operator;
    return lifted;
  }

  override subscribe(
    given?: Partial<Observer<T>> | Next<T>,
    onError?: ((error: unknown) => void) | null,
    onComplete?: (() => void) | null,
  ): Subscription {
    // Of RxJS itself: an operator, or what takes the first value.
    if (isSubscriber<T>(given)) return super.subscribe(given);
    const observer: Partial<Observer<T>> =
      typeof given === 'object' && given !== null
        ? given
        : {
            ...(given && { next: given }),
            ...(onError && { error: onError }),
            ...(onComplete && { complete: onComplete }),
          };
    return super.subscribe({
      next: (value) => this.#guard(() => observer.next?.(value)),
      error: (error) => {
        if (!observer.error) return this.#thrown(error);
        this.#guard(() => observer.error!(error));
      },
      complete: () => this.#guard(() => observer.complete?.()),
    });
  }

  #guard(call: () => unknown): void {
    try {
      const result = call();
      if (result instanceof Promise) result.catch(this.#thrown);
    } catch (error) {
      this.#thrown(error);
    }
  }
}

/** Also of another copy of RxJS, which the application may have. */
function isSubscriber<T>(given: unknown): given is Subscriber<T> {
  if (given instanceof Subscriber) return true;
  if (typeof given !== 'object' || given === null) return false;
  return ['next', 'error', 'complete', 'add', 'remove', 'unsubscribe'].every(
    (name) => typeof (given as Record<string, unknown>)[name] === 'function',
  );
}
