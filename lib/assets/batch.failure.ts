// What stands for the value of an item of a batch that failed.

/** What {@link BatchContext.fail} returns, so that it can be yielded in place of a value. */
export class BatchFailure {
  /** Of the partition that failed. */
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  get key(): string {
    return this.#key;
  }
}
