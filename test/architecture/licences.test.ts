// What users install along with the package is under licences that ask for no more than attribution.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { projectFile } from './source-files.js';

interface LockedPackage {
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
}

const PERMISSIVE = /^(MIT|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0)$/;

describe('dependencies', () => {
  it('that users install have a permissive licence', () => {
    const lock: { packages: Record<string, LockedPackage> } = JSON.parse(
      readFileSync(projectFile('package-lock.json'), 'utf8'),
    );
    const shipped = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && dev !== true);
    const others = shipped.filter(([, { license }]) => !PERMISSIVE.test(license ?? ''));
    expect(others.map(([path, { license }]) => `${path}: ${license}`)).toEqual([]);
    expect(shipped.length).toBeGreaterThan(0);
  });
});
