// docs/configuration.md says what the options are.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { OPTION_CATALOGUE } from '../../lib/flowstone.options.js';
import { configurationPage } from '../../scripts/configuration-page.mjs';
import { projectFile } from './source-files.js';

describe('docs/configuration.md', () => {
  it('is what "npm run docs" writes', () => {
    expect(readFileSync(projectFile('docs/configuration.md'), 'utf8')).toBe(configurationPage(OPTION_CATALOGUE));
  });
});
