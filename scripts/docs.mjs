// Writes the pages of docs/ that are made from code. A test fails when they are out of date.
import { writeFile } from 'node:fs/promises';
import { OPTION_CATALOGUE } from '../dist/lib/flowstone.options.js';
import { configurationPage } from './configuration-page.mjs';

await writeFile('docs/configuration.md', configurationPage(OPTION_CATALOGUE));
