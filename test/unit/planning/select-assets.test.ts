import { beforeEach, describe, expect, it } from '@jest/globals';
import { buildPlanningModel } from '../../../lib/planning/planning-model.js';
import { selectAssets } from '../../../lib/planning/select-assets.js';
import { asset, daily, DAYS, moment, on } from './planning-assets.js';
import { RecordedFacts } from './recorded-facts.js';

const raw = asset('raw', { scheme: daily });
const clean = asset('clean', { scheme: daily, dependencies: [on('raw')] });
const back = { kind: 'window', start: -1, end: -1, allowMissing: true } as const;
const trend = asset('trend', { scheme: daily, dependencies: [on('clean', { mapping: back })] });
const model = buildPlanningModel([raw, clean, trend], moment);

let facts: RecordedFacts;
beforeEach(() => {
  facts = new RecordedFacts();
  for (const key of DAYS) {
    facts.materialize(raw, key, key);
    facts.materialize(clean, key, key, [facts.version('raw', key)!]);
  }
});

async function select(text: string): Promise<string[]> {
  return selectAssets(model, facts, text, (key) => ({ tags: [key.slice(0, 1)], owners: [], kinds: [] }));
}

describe('selecting assets', () => {
  it('answers keys, upstream first, and walks over look-back edges, too', async () => {
    expect(await select('+trend')).toEqual(['raw', 'clean', 'trend']);
    expect(await select('tag:c or tag:r')).toEqual(['raw', 'clean']);
  });

  it('takes an asset in every state its partitions have', async () => {
    facts.change('raw', DAYS[2], { invalidated: true, failed: true });
    expect(await select('status:fresh')).toEqual(['raw', 'clean']);
    expect(await select('status:stale')).toEqual(['raw', 'clean']);
    expect(await select('status:missing')).toEqual(['trend']);
    expect(await select('status:failed')).toEqual(['raw']);
    expect(await select('not status:fresh')).toEqual(['trend']);
  });

  it('reads no facts unless the text asks for a status', async () => {
    facts.headsRead = 0;
    await select('+trend');
    expect(facts.headsRead).toBe(0);
  });

  it('refuses unknown names', async () => {
    await expect(select('+trand')).rejects.toMatchObject({ code: 'FLOWSTONE_SELECTION_UNKNOWN' });
  });
});
