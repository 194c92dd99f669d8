// News about runs within this process, so that waiting for a run costs no polling. Other processes are heard by poll.
import { EventEmitter } from 'node:events';

export class RunSignals {
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  /** Something of the run changed. */
  changed(run: number): void {
    this.#emitter.emit(String(run));
  }

  /** Resolves at the next change of the run in this process, or after `poll` ms. */
  next(run: number, poll: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#emitter.off(String(run), done);
        resolve();
      };
      const timer = setTimeout(done, poll);
      this.#emitter.on(String(run), done);
    });
  }
}
