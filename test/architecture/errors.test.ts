// Every error code is catalogued, explained to people, and raised by a test.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { ERROR_CATALOGUE } from '../../lib/flowstone.errors.js';
import { projectFile, sourceFiles } from './source-files.js';

const codes = Object.keys(ERROR_CATALOGUE).sort();

describe('the error catalogue', () => {
  it('is explained in docs/errors.md, each code once, and nothing else is', () => {
    const page = readFileSync(projectFile('docs/errors.md'), 'utf8');
    const explained = Array.from(page.matchAll(/^#+ (FLOWSTONE_\S+)$/gm), ([, code = '']) => code);
    expect(explained.sort()).toEqual(codes);
  });

  it('has an explanation under every heading', () => {
    const page = readFileSync(projectFile('docs/errors.md'), 'utf8');
    const empty = page
      .split(/^#+ (?=FLOWSTONE_)/m)
      .slice(1)
      .filter((section) => /^\S+\s*(#|$)/.test(section));
    expect(empty).toEqual([]);
  });

  it('has only codes that the library raises', () => {
    const raised = sourceFiles('lib').filter(({ path }) => path !== 'lib/flowstone.errors.ts');
    expect(codes.filter((code) => !raised.some(({ text }) => text.includes(code)))).toEqual([]);
  });

  it('has only codes that a test expects', () => {
    const tests = sourceFiles('test');
    expect(codes.filter((code) => !tests.some(({ text }) => text.includes(code)))).toEqual([]);
  });
});
