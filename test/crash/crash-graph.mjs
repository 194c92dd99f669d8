// The graph of the crash tests, for the processes that die and the test that goes on where they stopped: batches, rows that
// are streamed into a table, documents, a retry, a fan-in, a file, an asset without a value.
import { once } from 'node:events';
import { after, all, Asset, DependsOn, Partitions } from 'nestjs-flowstone';

/** @typedef {import('nestjs-flowstone').AssetContext} AssetContext */

/** Asks `Total` to execute for ever, and hears when it does. */
export const hanging = { asked: false, reached: () => {} };

/** Is called between the first and the second letter of a batch. */
export const amidBatch = { reached: async () => {} };

export class Letters {
  /**
   * @param {import('nestjs-flowstone').BatchContext} _context
   * @param {readonly import('nestjs-flowstone').BatchItem[]} items
   * @returns {import('nestjs-flowstone').BatchResults<AsyncIterable<{ letter: string, n: number }>>}
   */
  async *executeMany(_context, items) {
    for (const [at, { partition }] of items.entries()) {
      if (at === 1) await amidBatch.reached();
      yield [partition.key, this.rows(partition.key)];
    }
  }
  async *rows(/** @type {string} */ letter) {
    for (let n = 0; n < 3; n++) yield { letter, n };
  }
}
Asset({
  partitions: Partitions.static(['a', 'b', 'c', 'd']),
  batch: { size: 3 },
  io: 'postgres',
  table: 'public.letters',
  columns: { letter: 'text', n: 'integer' },
})(Letters);

const sumInputs = { letters: Letters };
class Sums {
  /**
   * @param {AssetContext} context
   * @param {import('nestjs-flowstone').InputsOf<typeof sumInputs>} inputs
   */
  async execute({ attempt, partition }, { letters }) {
    if (attempt === 1 && partition.key === 'b') throw new Error('not at the first attempt');
    let sum = 0;
    for await (const { n } of letters) sum += n;
    return { sum };
  }
}
Asset({ partitions: 'inherit', retry: { attempts: 2, delay: '200ms' }, timeout: '1m', io: 'postgres' })(Sums);
DependsOn(sumInputs)(Sums);

const totalInputs = { sums: all(Sums) };
export class Total {
  /**
   * @param {AssetContext} _context
   * @param {import('nestjs-flowstone').InputsOf<typeof totalInputs>} inputs
   */
  async execute(_context, { sums }) {
    hanging.reached();
    if (hanging.asked) await new Promise(() => {});
    let total = 0;
    for await (const [, { sum }] of sums) total += sum;
    return total;
  }
}
Asset({ codeVersion: '1' })(Total);
DependsOn(totalInputs)(Total);

class Published {
  async execute() {}
}
Asset()(Published);
DependsOn({ total: after(Total) })(Published);

/** As many as several transactions cancel. What has begun goes on until it is told to stop. */
export class Many {
  /** @param {AssetContext} context */
  async execute({ signal }) {
    await once(signal, 'abort');
  }
}
Asset({ partitions: Partitions.hourly({ start: '2001-01-01', end: '2002-07-01' }) })(Many);

export const assets = [Letters, Sums, Total, Published, Many];

/**
 * The one request of the crash tests.
 * @param {import('nestjs-flowstone').FlowStoneService} flowstone
 * @param {boolean} later whether it is planned by the beat, and not with the request
 */
export function request(flowstone, later) {
  // Only what names few partitions is planned with the request.
  return flowstone.materialize(Published, { runKey: 'the run', upstream: later ? 'all' : 'stale' });
}
