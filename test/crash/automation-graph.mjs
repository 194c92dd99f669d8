// The graph of the crash tests of automation, for the processes that die and the test that goes on.
import { all, Asset, DependsOn, eager, ExternalAsset, Partitions } from 'nestjs-flowstone';

/** @typedef {import('nestjs-flowstone').AssetContext} AssetContext */

/** @extends {ExternalAsset<unknown>} */
export class Feed extends ExternalAsset {}
Asset({ external: true })(Feed);

/** Fails now and then, so that attempts are repeated as well. */
class Parts {
  /** @param {AssetContext} context */
  async execute({ partition, attempt, idempotencyKey }) {
    if (attempt === 1 && partition.key === 'y') throw new Error('not at the first attempt');
    return `${partition.key} ${idempotencyKey}`;
  }
}
Asset({ partitions: Partitions.static(['x', 'y', 'z']), automation: eager(), retry: { attempts: 2, delay: '50ms' } })(
  Parts,
);
DependsOn({ feed: Feed })(Parts);

/** Has no automation of its own. */
class Joined {
  /** @param {AssetContext} context */
  async execute({ idempotencyKey }) {
    return `joined ${idempotencyKey}`;
  }
}
Asset()(Joined);
DependsOn({ parts: all(Parts) })(Joined);

class Report {
  /** @param {AssetContext} context */
  async execute({ idempotencyKey }) {
    return `report ${idempotencyKey}`;
  }
}
Asset({ automation: eager() })(Report);
DependsOn({ joined: Joined })(Report);

export const assets = [Feed, Parts, Joined, Report];
