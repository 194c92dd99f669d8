// What users install along with the package, and what benches run, is under licences that ask for no more than attribution.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { projectFile } from './source-files.js';

interface LockedPackage {
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
}

const PERMISSIVE = /^(MIT|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0|\(MIT OR CC0-1\.0\))$/;

describe('dependencies', () => {
  it.each([
    ['users install', 'package-lock.json'],
    ['benches are measured beside', 'bench/peers/package-lock.json'],
  ])('that %s have a permissive licence', (_who, file) => {
    const lock: { packages: Record<string, LockedPackage> } = JSON.parse(readFileSync(projectFile(file), 'utf8'));
    const shipped = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && dev !== true);
    const others = shipped.filter(([, { license }]) => !PERMISSIVE.test(license ?? ''));
    expect(others.map(([path, { license }]) => `${path}: ${license}`)).toEqual([]);
    expect(shipped.length).toBeGreaterThan(0);
  });
});
