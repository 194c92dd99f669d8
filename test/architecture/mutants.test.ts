// The mutants of the torture take away what is there: who moves a guard moves its mutant.
import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { MUTANTS } from '../torture/mutants.js';
import { projectFile } from './source-files.js';

it.each(MUTANTS)('mutant $name finds its guard, once, in $file', ({ file, find }) => {
  expect(readFileSync(projectFile(file), 'utf8').split(find)).toHaveLength(2);
});
