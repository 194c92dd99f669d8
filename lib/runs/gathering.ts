// The wait for what begins and ends at once, so that it is settled together and not one by one.

/**
 * Longest such wait, ms: about what an exchange with the ledger costs besides. Executions that take longer are not waited
 * for.
 */
export const GATHER = 2;

export class Gathering {
  readonly #waiting: (() => void)[] = [];

  /** @param goesOn whether more is about to end */
  constructor(private readonly goesOn: () => boolean) {}

  /** Resolves when nothing more is about to end, at once where that is so. */
  async over(): Promise<void> {
    if (!this.goesOn()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, GATHER);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** It may be over. */
  look(): void {
    if (this.#waiting.length > 0 && !this.goesOn()) for (const goOn of this.#waiting.splice(0)) goOn();
  }
}
