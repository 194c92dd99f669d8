// The catalogue of events and its documentation.
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { EVENT_CATALOGUE, EVENT_KINDS } from '../../../lib/ledger/event.catalogue.js';

const page = readFileSync(new URL('../../../docs/events.md', import.meta.url), 'utf8');

describe('every kind of events', () => {
  const rows = [...page.matchAll(/^\| `([a-z_.]+)` +\| ([^|]*?) +\|/gm)];

  it('is explained in docs/events.md, in the order of the catalogue, and no other is', () => {
    expect(rows.map(([, kind]) => kind)).toEqual([...EVENT_KINDS]);
  });

  it('is said there to be about what it always is about', () => {
    for (const [, kind, subjects] of rows) {
      const { about } = EVENT_CATALOGUE[kind as keyof typeof EVENT_CATALOGUE];
      expect([kind, subjects]).toEqual([kind, about.join(', ')]);
    }
  });
});
