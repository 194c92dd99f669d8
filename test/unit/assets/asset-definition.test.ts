import { describe, expect, it } from '@jest/globals';
import type { BatchResults } from '../../../lib/assets/asset.context.js';
import { Asset } from '../../../lib/assets/asset.decorator.js';
import type { AssetDefinition } from '../../../lib/assets/asset.definition.js';
import type { AssetOptions } from '../../../lib/assets/asset.options.js';
import { checkDeclarations } from '../../../lib/assets/declaration.check.js';
import { DependsOn } from '../../../lib/assets/depends-on.decorator.js';
import type { Dependencies } from '../../../lib/assets/dependency.js';
import { after, all, columns, optional, previous, within } from '../../../lib/assets/dependency.wrappers.js';
import { Requires } from '../../../lib/assets/requires.decorator.js';
import { Partitions } from '../../../lib/partitions/partitions.js';
import { discoveryOf, managers } from './discovery.js';

class Geo {}

const daily = Partitions.daily({ start: '2001-01-01' });

@Asset({ partitions: daily })
class Flights {
  async *execute(): AsyncGenerator<{ delay: number }> {}
}

@Asset()
class Airports {
  execute() {}
}

function definitionsOf(...classes: (new () => object)[]): Record<string, AssetDefinition> {
  const registered = checkDeclarations(discoveryOf(classes, { resources: [Geo] }), managers);
  return Object.fromEntries(registered.map(({ definition }) => [definition.key, definition]));
}

describe('a definition', () => {
  it('has everything that is declared, with durations in ms', () => {
    const before = previous<number>({ start: -1, end: -1 });
    @Asset({
      name: 'network.monthly',
      description: 'The network by month',
      group: 'reports',
      owners: ['data'],
      tags: ['monthly'],
      kinds: ['report'],
      io: 'filesystem',
      format: 'text',
      partitions: Partitions.monthly({ start: '2001-01' }),
      codeVersion: '3',
      retry: { attempts: 3, delay: '10s' },
      timeout: '2m',
      batch: { size: 20 },
      pool: 'heavy',
      priority: 5,
      metadata: { docs: 'wiki' },
      formerly: ['monthly_network'],
    })
    @DependsOn(() => ({ flights: within(Flights, { allowMissing: true }), airports: optional(Airports), before }))
    @Requires({ geo: Geo })
    class Monthly {
      async *executeMany(): BatchResults<number> {}
    }
    expect(definitionsOf(Monthly, Flights, Airports)['network.monthly']).toEqual({
      key: 'network.monthly',
      target: Monthly,
      external: false,
      description: 'The network by month',
      group: 'reports',
      owners: ['data'],
      tags: ['monthly'],
      kinds: ['report'],
      io: 'filesystem',
      ioOptions: { format: 'text' },
      ioFacts: { format: 'text' },
      scheme: Partitions.monthly({ start: '2001-01' }),
      codeVersion: '3',
      retry: { attempts: 3, delay: 10_000, factor: 2, max: 3_600_000, jitter: 0.1 },
      timeout: 120_000,
      batchSize: 20,
      checks: [],
      pool: 'heavy',
      priority: 5,
      metadata: { docs: 'wiki' },
      formerly: ['monthly_network'],
      dependencies: [
        {
          alias: 'flights',
          upstream: 'flights',
          mapping: { kind: 'within', allowMissing: true },
          optional: false,
          ordering: false,
          columns: undefined,
        },
        {
          alias: 'airports',
          upstream: 'airports',
          mapping: { kind: 'same', allowMissing: true },
          optional: true,
          ordering: false,
          columns: undefined,
        },
        {
          alias: 'before',
          upstream: 'network.monthly',
          mapping: { kind: 'previous', start: -1, end: -1 },
          optional: false,
          ordering: false,
          columns: undefined,
        },
      ],
      resources: { geo: Geo },
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('has defaults for what is not declared', () => {
    const { airports } = definitionsOf(Airports);
    expect(airports).toMatchObject({
      owners: [],
      tags: [],
      ioOptions: {},
      pool: 'default',
      priority: 0,
      dependencies: [],
    });
    expect([airports?.io, airports?.scheme, airports?.retry, airports?.timeout, airports?.description]).toEqual(
      Array.from({ length: 5 }),
    );
  });

  it('waits no less at most than at first', () => {
    @Asset({ retry: { attempts: 2, delay: '1d' } })
    class Patient {
      execute() {}
    }
    expect(definitionsOf(Patient)['patient']?.retry).toMatchObject({ delay: 86_400_000, max: 86_400_000 });
  });

  it('orders after what a wrapper names', () => {
    @Asset()
    @DependsOn({ flights: after(all(Flights)) })
    class Cleanup {
      execute() {}
    }
    expect(definitionsOf(Cleanup, Flights)['cleanup']?.dependencies).toMatchObject([
      { upstream: 'flights', mapping: { kind: 'all' }, ordering: true },
    ]);
  });
});

describe('the hash of a definition', () => {
  /** The hash of an asset of the same name, declared so. */
  function hashOf(
    options: AssetOptions = {},
    dependencies: Dependencies = {},
    resources: Record<string, typeof Geo> = {},
  ): string {
    class Declared {
      execute() {}
    }
    Asset({ name: 'declared', partitions: daily, ...options })(Declared);
    DependsOn(dependencies)(Declared);
    Requires(resources)(Declared);
    return definitionsOf(Declared, Flights, Airports)['declared']!.hash;
  }

  it('is the same for the same declaration, in whatever order it is written', () => {
    expect(hashOf({ tags: ['a'], metadata: { x: 1, y: 2 } }, { a: Flights, b: Airports })).toBe(
      hashOf({ metadata: { y: 2, x: 1 }, tags: ['a'] }, { b: Airports, a: Flights }),
    );
  });

  it('differs with whatever is declared', () => {
    const hashes = [
      hashOf(),
      hashOf({ description: 'x' }),
      hashOf({ group: 'x' }),
      hashOf({ owners: ['x'] }),
      hashOf({ tags: ['x'] }),
      hashOf({ kinds: ['x'] }),
      hashOf({ io: 'memory' }),
      hashOf({ format: 'text' }),
      hashOf({ partitions: Partitions.daily({ start: '2001-01-02' }) }),
      hashOf({ codeVersion: 'x' }),
      hashOf({ retry: { attempts: 2 } }),
      hashOf({ timeout: 1 }),
      hashOf({ pool: 'x' }),
      hashOf({ priority: 1 }),
      hashOf({ metadata: { x: 1 } }),
      hashOf({ formerly: ['x'] }),
      hashOf({}, { a: Flights }),
      hashOf({}, { b: Flights }),
      hashOf({}, { a: Airports }),
      hashOf({}, { a: optional(Flights) }),
      hashOf({}, { a: after(Flights) }),
      hashOf({}, { a: all(Flights) }),
      hashOf({}, { a: columns(Flights, ['delay']) }),
      hashOf({}, {}, { geo: Geo }),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
