// Which definitions a process plans by: its own where they count, those of others as stored.
import { describe, expect, it } from '@jest/globals';
import { Asset } from '../../../lib/assets/asset.decorator.js';
import { AssetRegistry } from '../../../lib/assets/asset.registry.js';
import { checkDeclarations } from '../../../lib/assets/declaration.check.js';
import { DependsOn } from '../../../lib/assets/depends-on.decorator.js';
import { all } from '../../../lib/assets/dependency.wrappers.js';
import { storedDefinition } from '../../../lib/assets/stored.definition.js';
import type { CurrentDefinition } from '../../../lib/ledger/registrations.js';
import type { JsonObject } from '../../../lib/ledger/records.js';
import { Partitions } from '../../../lib/partitions/partitions.js';
import { Catalogue } from '../../../lib/runs/catalogue.js';
import { discoveryOf, managers } from '../assets/discovery.js';

@Asset()
class Base {
  execute() {}
}
@Asset()
@DependsOn({ base: Base })
class Middle {
  execute() {}
}
@Asset()
@DependsOn({ middle: Middle })
class Top {
  execute() {}
}
@Asset()
class Apart {
  execute() {}
}

const registry = new AssetRegistry(checkDeclarations(discoveryOf([Base, Middle, Top, Apart]), managers));

/** As this process declares it, but for these facts. */
function otherwise(key: string, facts: JsonObject, live = true): CurrentDefinition {
  return { key, hash: 'other', live, definition: { ...storedDefinition(registry.resolve(Base)), ...facts } };
}

function catalogueOf(...others: readonly CurrentDefinition[]): Catalogue {
  const own = registry.definitions.map((definition): CurrentDefinition => ({
    ...{ key: definition.key, hash: definition.hash, live: true },
    definition: storedDefinition(definition),
  }));
  const current = new Map([...own, ...others].map((definition) => [definition.key, definition]));
  return new Catalogue(registry, () => current);
}

const scheme = JSON.stringify(['custom', 'tenants', []]);

describe('a catalogue', () => {
  it('is of the own definitions as long as these count, themselves and not copies', () => {
    const catalogue = catalogueOf();
    expect(catalogue.definitions).toEqual(registry.definitions);
    expect(catalogue.find(Middle)).toBe(registry.resolve('middle'));
  });

  it('has a stored definition where that counts, under its class as well, and what only others declare and live', () => {
    const catalogue = catalogueOf(
      otherwise('middle', { codeVersion: '9' }),
      otherwise('added', {}),
      otherwise('left', {}, false),
    );
    expect(catalogue.definitions.map(({ key }) => key)).toEqual(['added', 'apart', 'base', 'middle', 'top']);
    expect(catalogue.resolve(Middle)).toMatchObject({ codeVersion: '9', dependencies: [] });
    expect(() => catalogue.resolve('left')).toThrow(expect.objectContaining({ code: 'FLOWSTONE_ASSET_UNKNOWN' }));
  });

  it('plans nothing that is connected to code which is not here', () => {
    const catalogue = catalogueOf(otherwise('middle', { scheme }), otherwise('added', { codeVersion: '2' }));
    const plannable = ['added', 'apart', 'base', 'middle', 'top', 'unknown'].filter((key) => catalogue.canPlan(key));
    // Middle does not depend on base as it counts now.
    expect(plannable).toEqual(['added', 'apart', 'base']);
  });

  it('finds a custom scheme of that name among its own', () => {
    const tenants = Partitions.custom(() => ['a'], { name: 'tenants' });
    @Asset({ partitions: tenants })
    class Tenants {
      execute() {}
    }
    @Asset()
    @DependsOn({ all: all(Tenants) })
    class Report {
      execute() {}
    }
    const own = new AssetRegistry(checkDeclarations(discoveryOf([Tenants, Report]), managers));
    const current = new Map([['tenants', otherwise('tenants', { scheme, codeVersion: '2' })]]);
    const catalogue = new Catalogue(own, () => current);
    expect(catalogue.resolve(Tenants)).toMatchObject({ codeVersion: '2', scheme: tenants });
    expect(catalogue.canPlan('report')).toBe(true);
  });
});
