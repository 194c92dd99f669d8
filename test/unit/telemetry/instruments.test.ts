// The names and units of metrics: what the page for users says is what is made.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { INSTRUMENTS } from '../../../lib/telemetry/instruments.js';
import { projectFile } from '../../architecture/source-files.js';

describe('metrics', () => {
  it('are those of the page, with their units', () => {
    const page = readFileSync(projectFile('docs/telemetry.md'), 'utf8');
    const rows = page.matchAll(/^\| `(flowstone\.[a-z_.]+)` +\| [^|`]+ \| `([^`]+)` +\|/gm);
    const documented = Object.fromEntries(Array.from(rows, ([, name, unit]) => [name, unit]));
    const made = Object.fromEntries(Object.entries(INSTRUMENTS).map(([name, { unit }]) => [name, unit]));
    expect(documented).toEqual(made);
  });
});
