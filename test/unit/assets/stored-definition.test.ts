// What a process knows of definitions of others: what was stored, read back.
import { describe, expect, it } from '@jest/globals';
import { Asset } from '../../../lib/assets/asset.decorator.js';
import { checkDeclarations } from '../../../lib/assets/declaration.check.js';
import type { AssetDefinition } from '../../../lib/assets/asset.definition.js';
import { DependsOn } from '../../../lib/assets/depends-on.decorator.js';
import { after, all, mapped, previous } from '../../../lib/assets/dependency.wrappers.js';
import { readStored, storedDefinition, type KnownCode } from '../../../lib/assets/stored.definition.js';
import { buildPlanningModel } from '../../../lib/planning/planning-model.js';
import { mapping } from '../../../lib/partitions/mapping.js';
import { Partitions } from '../../../lib/partitions/partitions.js';
import { discoveryOf, managers } from './discovery.js';

const daily = Partitions.daily({ start: '2001-01-01', end: '2002-01-01', timeZone: 'Europe/Berlin' });
const custom = Partitions.custom(() => ['a', 'b'], { name: 'tenants' });

@Asset({ partitions: daily })
class Days {
  execute() {}
}
@Asset({
  partitions: Partitions.cron({
    cron: '0 6 * * 1',
    start: '2001-01-01',
    includeCurrent: true,
    timeZone: 'Europe/Berlin',
  }),
})
class Ticks {
  execute() {}
}
@Asset({ partitions: Partitions.multi({ zone: Partitions.static(['b', 'a']), day: daily }) })
@DependsOn({
  day: mapped(Days, mapping.dimension('day')),
  ticks: mapped(Ticks, mapping.dimension('day', mapping.within())),
})
class Both {
  execute() {}
}
@Asset({ codeVersion: '7', tags: ['x'], priority: 3, retry: { attempts: 3 }, timeout: '2m', metadata: { a: [1] } })
@DependsOn({ all: all(Both), days: after(all(Days)) })
class Whole {
  execute() {}
}
@Asset({ partitions: daily })
@DependsOn({
  before: previous<number>({ start: -1, end: -1 }),
  listed: mapped(Days, mapping.many({ upstream: (day) => [day] })),
})
class Mapped {
  execute() {}
}
@Asset({ partitions: custom })
class Tenants {
  execute() {}
}

const NO_CODE: KnownCode = { scheme: () => undefined, mapping: () => undefined };

function definitionOf(asset: abstract new () => object): AssetDefinition {
  const classes = [Days, Ticks, Both, Whole, Mapped, Tenants];
  return checkDeclarations(discoveryOf(classes), managers).find(({ definition }) => definition.target === asset)!
    .definition;
}

/** As the ledger gives it back. */
const reread = (definition: AssetDefinition, code = NO_CODE) =>
  readStored(definition.key, definition.hash, JSON.parse(JSON.stringify(storedDefinition(definition))), code);

describe('a stored definition', () => {
  it.each([Days, Ticks, Both, Whole])('of %p is read back as it was declared', (asset) => {
    const definition = definitionOf(asset);
    const { declared, complete } = reread(definition);
    expect(complete).toBe(true);
    const { target: _, formerly: _f, ioFacts: _i, ...expected } = definition;
    expect({ ...declared, resources: {} }).toEqual(expected);
  });

  it('with a mapping function has that of this process, or says that it is elsewhere', () => {
    const definition = definitionOf(Mapped);
    const own = definition.dependencies.find(({ alias }) => alias === 'listed')!.mapping;
    const known = reread(definition, { ...NO_CODE, mapping: (_, alias) => (alias === 'listed' ? own : undefined) });
    expect(known.complete).toBe(true);
    expect(known.declared.dependencies).toEqual(definition.dependencies);
    const { declared, complete } = reread(definition);
    expect(complete).toBe(false);
    const moment = { now: new Date('2001-02-01'), dynamicKeys: () => [], customKeys: () => [] };
    const model = buildPlanningModel([definitionOf(Days), declared], moment);
    const dependencies = model.dependenciesOf(model.requireIndex('mapped'));
    const listed = dependencies.find((dependency) => dependency.declared.alias === 'listed');
    const upstream = (): void => listed!.mapping.upstreamOf(3, () => undefined);
    expect(upstream).toThrow(/the mapping of its dependency "listed"/);
    expect(upstream).toThrow(expect.objectContaining({ code: 'FLOWSTONE_ASSET_CODE_ELSEWHERE' }));
  });

  it('with a custom scheme has that of this process, or says that it is elsewhere', () => {
    const definition = definitionOf(Tenants);
    const known = reread(definition, { ...NO_CODE, scheme: (name) => (name === 'tenants' ? custom : undefined) });
    expect(known).toMatchObject({ complete: true, declared: { scheme: custom } });
    const { declared, complete } = reread(definition);
    expect(complete).toBe(false);
    expect(() => (declared.scheme as typeof custom).compute({ config: {}, resources: {} })).toThrow(
      expect.objectContaining({ code: 'FLOWSTONE_ASSET_CODE_ELSEWHERE', context: { asset: 'tenants' } }),
    );
  });
});
