// An Int32Array that grows while it is filled.

export class GrowingInts {
  #values: Int32Array;
  length = 0;

  constructor(expected: number) {
    this.#values = new Int32Array(Math.max(16, expected));
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new Int32Array(Math.ceil(this.length * 1.6));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length++] = value;
  }

  /** Replaces what was pushed. */
  set(index: number, value: number): void {
    this.#values[index] = value;
  }

  /** What was pushed, a view. */
  values(): Int32Array {
    return this.#values.subarray(0, this.length);
  }
}
