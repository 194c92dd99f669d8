// News about runs within this process, so that waiting for a run costs no polling. Other processes are heard by poll.
import { EventEmitter } from 'node:events';

/** One watcher of one run. Close it, or its listener stays. */
export interface RunWatch extends Disposable {
  /** Resolves when something changed since the last call (or the start), or after `poll` ms. */
  changed(poll: number): Promise<void>;
}

export class RunSignals {
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  /** Something of the run changed. */
  changed(run: number): void {
    this.#emitter.emit(String(run));
  }

  watch(run: number): RunWatch {
    let heard = false;
    let wake: (() => void) | undefined;
    const listen = (): void => {
      heard = true;
      wake?.();
    };
    this.#emitter.on(String(run), listen);
    return {
      changed: async (poll) => {
        if (!heard) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, poll);
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
        heard = false;
        wake = undefined;
      },
      [Symbol.dispose]: () => {
        this.#emitter.off(String(run), listen);
        wake?.();
      },
    };
  }
}
