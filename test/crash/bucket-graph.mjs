// The graph of the crash tests over S3: rows that go to the bucket in parts, and a small document made of them.
import { Asset, DependsOn } from 'nestjs-flowstone';

const ROWS = 400;

class Large {
  async *execute() {
    const text = 'x'.repeat(64 * 1024);
    for (let id = 0; id < ROWS; id++) yield { id, text };
  }
}
Asset()(Large);

const inputs = { large: Large };
export class Small {
  /**
   * @param {import('nestjs-flowstone').AssetContext} _context
   * @param {import('nestjs-flowstone').InputsOf<typeof inputs>} inputs
   */
  async execute(_context, { large }) {
    let rows = 0;
    for await (const { id } of large) if (id === rows) rows++;
    return { rows };
  }
}
Asset({ path: 'reports/{asset}' })(Small);
DependsOn(inputs)(Small);

export const assets = [Large, Small];
