// The dimensions of schemes, and what a key has in one of them.
import { describe, expect, it } from '@jest/globals';
import { canonicalKey } from '../../../lib/partitions/canonical-key.js';
import { dimensionsOf, dimensionValue } from '../../../lib/partitions/partition-dimensions.js';
import { Partitions } from '../../../lib/partitions/partitions.js';

const days = Partitions.daily({ start: '2001-01-01' });
const value = (scheme: Parameters<typeof dimensionsOf>[0], dimension: string, key: string): string | undefined =>
  dimensionValue(dimensionsOf(scheme), dimension, key);

describe('the value of a key in a dimension', () => {
  it.each(['acme', '', 'a|b', 'a\\|b', 'ü'])('is what was encoded, whatever scheme has it: %j', (tenant) => {
    const list = Partitions.dynamic('tenant');
    const multi = Partitions.multi({ day: days, tenant: list });
    const custom = Partitions.custom(() => [], { dimensions: ['tenant', 'region'] });
    const alone = Partitions.multi({ tenant: list });
    expect(value(list, 'tenant', tenant)).toBe(tenant);
    expect(value(multi, 'tenant', canonicalKey(multi, { day: '2001-02-03', tenant }))).toBe(tenant);
    expect(value(multi, 'day', canonicalKey(multi, { day: '2001-02-03', tenant }))).toBe('2001-02-03');
    expect(value(custom, 'tenant', canonicalKey(custom, { tenant, region: 'eu' }))).toBe(tenant);
    expect(value(alone, 'tenant', canonicalKey(alone, { tenant }))).toBe(tenant);
  });

  it('is none where no dimension has that name, or the key is of another form', () => {
    const multi = Partitions.multi({ day: days, tenant: Partitions.dynamic('tenants') });
    for (const scheme of [undefined, days, Partitions.static(['tenant']), Partitions.custom(() => []), multi]) {
      expect(value(scheme, 'tenants', '2001-02-03|acme')).toBeUndefined();
    }
    expect(value(multi, 'tenant', 'acme')).toBeUndefined();
  });
});
