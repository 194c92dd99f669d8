// How much more memory is held the more rows there are. Garbage does not count, since a collection comes before
// each look: what is held is then what somebody refers to.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Rows between two looks. */
const STEP = 2000;

/** Looks at memory while rows pass. */
export class Held {
  readonly #looks: number[] = [];

  /** The same rows, of which there have to be many times 2,000. */
  async *over<T>(rows: AsyncIterable<T>): AsyncGenerator<T> {
    let count = 0;
    for await (const row of rows) {
      yield row;
      if (++count % STEP === 0) this.#looks.push(heldBytes());
    }
  }

  /**
   * Bytes held in the last third of the rows more than in the first; of each third the least counts, since rows may be held
   * in batches.
   */
  get growth(): number {
    const third = Math.floor(this.#looks.length / 3);
    return Math.min(...this.#looks.slice(-third)) - Math.min(...this.#looks.slice(0, third));
  }
}

let collectGarbage: (() => void) | undefined;

function heldBytes(): number {
  if (collectGarbage === undefined) {
    // There is no other way to a collection in a process that was started without the flag.
    setFlagsFromString('--expose-gc');
    collectGarbage = runInNewContext('gc') as () => void;
  }
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
