// Two assets of so many hours, of which one consumes the other hour by hour.
import { Asset, DependsOn, Partitions } from '../lib/index.js';

/** `source`, and `derived` of this code version where one is given, with this before their names. */
function derivedFrom(hours: number, { codeVersion, prefix = '' }: { codeVersion?: string; prefix?: string } = {}) {
  const start = Date.UTC(1900, 0, 1);
  const end = new Date(start + hours * 3_600_000).toISOString().slice(0, 13);
  const partitions = Partitions.hourly({ start: '1900-01-01T00', end });
  class Source {
    execute(): number {
      return 1;
    }
  }
  Asset({ name: `${prefix}source`, partitions })(Source);
  class Derived {
    execute(_context: unknown, { source }: { source: number }): number {
      return source;
    }
  }
  Asset({ name: `${prefix}derived`, partitions, ...(codeVersion === undefined ? {} : { codeVersion }) })(Derived);
  DependsOn({ source: Source })(Derived);
  return [Source, Derived];
}

/** The pair that is asked about, and a smaller one of another name, in which the same happens. */
export function bothPairs(hours: number, codeVersion?: string) {
  const version = codeVersion === undefined ? {} : { codeVersion };
  return [...derivedFrom(hours, version), ...derivedFrom(hours / SMALLER, { ...version, prefix: OTHER })];
}

export const SMALLER = 10;
export const OTHER = 'other_';
