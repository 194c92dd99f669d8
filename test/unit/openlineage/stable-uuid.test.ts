// UUIDs that follow from names.
import { describe, expect, it } from '@jest/globals';
import { stableUuid } from '../../../lib/openlineage/stable-uuid.js';

const DNS = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';

describe('a stable UUID', () => {
  it('is that of version 5', () => {
    expect(stableUuid(DNS, 'python.org')).toBe('886313e1-3b8a-5372-9b90-0c9aee199e5d');
  });

  it('differs with the name and with the namespace', () => {
    const all = [stableUuid(DNS, 'a'), stableUuid(DNS, 'b'), stableUuid(stableUuid(DNS, 'a'), 'a')];
    expect(new Set(all).size).toBe(3);
  });
});
