// Two assets of so many hours, of which one consumes the other hour by hour.
import { Asset, DependsOn, Partitions } from '../lib/index.js';

/** The later one is `derived`, of this code version where one is given. */
export function derivedFrom(hours: number, codeVersion?: string) {
  const start = Date.UTC(1900, 0, 1);
  const end = new Date(start + hours * 3_600_000).toISOString().slice(0, 13);
  const partitions = Partitions.hourly({ start: '1900-01-01T00', end });
  class Source {
    execute(): number {
      return 1;
    }
  }
  Asset({ name: 'source', partitions })(Source);
  class Derived {
    execute(_context: unknown, { source }: { source: number }): number {
      return source;
    }
  }
  Asset({ name: 'derived', partitions, ...(codeVersion === undefined ? {} : { codeVersion }) })(Derived);
  DependsOn({ source: Source })(Derived);
  return [Source, Derived];
}
