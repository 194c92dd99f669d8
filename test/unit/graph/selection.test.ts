import { describe, expect, it } from '@jest/globals';
import { buildGraph } from '../../../lib/graph/asset-graph.js';
import type { SelectableState } from '../../../lib/graph/selection.js';
import { evaluateSelection } from '../../../lib/graph/selection-evaluation.js';
import { longestSelection, parseSelection } from '../../../lib/graph/selection-parser.js';

const assets: Record<
  string,
  { upstreams: string[]; tags?: string[]; group?: string; owners?: string[]; kinds?: string[] }
> = {
  raw_flights: { upstreams: [], tags: ['raw', 'big'], group: 'ingest', kinds: ['parquet'] },
  airports: { upstreams: [], tags: ['raw'], group: 'ingest', owners: ['ops+data@example.com'] },
  cleaned_flights: { upstreams: ['raw_flights'], tags: ['big'], group: 'clean' },
  daily_delays: { upstreams: ['cleaned_flights', 'airports'], group: 'report', owners: ['ann'] },
  monthly_network: { upstreams: ['cleaned_flights'], group: 'report', owners: ['bob'] },
  and: { upstreams: ['daily_delays'], tags: ['two words'] },
};
const keys = Object.keys(assets);
const graph = buildGraph(keys.map((key) => ({ key, upstreams: assets[key]!.upstreams })));
const states: Record<string, SelectableState[]> = { daily_delays: ['fresh', 'stale'], airports: ['missing', 'failed'] };

function select(text: string): string[] {
  const selected = evaluateSelection(parseSelection(text), {
    graph,
    attributesOf: (index) => ({ tags: [], owners: [], kinds: [], ...assets[keys[index]!]! }),
    statesOf: (index) => new Set(states[keys[index]!] ?? ['fresh']),
  });
  return [...selected].map((index) => keys[index]!);
}

describe('a selection', () => {
  it.each([
    ['daily_delays', ['daily_delays']],
    ['*', ['raw_flights', 'airports', 'cleaned_flights', 'daily_delays', 'monthly_network', 'and']],
    ['*_flights', ['raw_flights', 'cleaned_flights']],
    ['*l*_d?lays', ['daily_delays']],
    ['nothing_*', []],
    ['tag:raw', ['raw_flights', 'airports']],
    ['group:re*', ['daily_delays', 'monthly_network']],
    ['kind:parquet', ['raw_flights']],
    ['owner:"ops+data@example.com"', ['airports']],
    ["tag:'two words'", ['and']],
    ['"and"', ['and']],
    ['status:stale', ['daily_delays']],
    ['status:failed or status:missing', ['airports']],
    ['+cleaned_flights', ['raw_flights', 'cleaned_flights']],
    ['cleaned_flights+', ['cleaned_flights', 'daily_delays', 'monthly_network', 'and']],
    ['1+daily_delays', ['airports', 'cleaned_flights', 'daily_delays']],
    ['raw_flights+1', ['raw_flights', 'cleaned_flights']],
    ['raw_flights+2', ['raw_flights', 'cleaned_flights', 'daily_delays', 'monthly_network']],
    ['1+cleaned_flights+1', ['raw_flights', 'cleaned_flights', 'daily_delays', 'monthly_network']],
    ['0+cleaned_flights', ['cleaned_flights']],
    ['1+(daily_delays or monthly_network)', ['airports', 'cleaned_flights', 'daily_delays', 'monthly_network']],
    ['+tag:raw+1', ['raw_flights', 'airports', 'cleaned_flights', 'daily_delays']],
    ['tag:raw and tag:big', ['raw_flights']],
    ['tag:raw AND NOT tag:big', ['airports']],
    ['not not tag:raw', ['raw_flights', 'airports']],
    ['airports raw_flights and tag:big', ['raw_flights', 'airports']],
    ['(airports raw_flights) and tag:big', ['raw_flights']],
    ['(airports)or(raw_flights)', ['raw_flights', 'airports']],
    ['\n airports\t', ['airports']],
  ])('%s', (text, expected) => expect(select(text).sort()).toEqual([...expected].sort()));

  it('comes out upstream before downstream', () => {
    expect(select('daily_delays raw_flights cleaned_flights')).toEqual([
      'raw_flights',
      'cleaned_flights',
      'daily_delays',
    ]);
  });

  it('says whether it needs states', () => {
    expect(parseSelection('+(a and not status:fresh)').usesStatus).toBe(true);
    expect(parseSelection('tag:status').usesStatus).toBe(false);
  });

  it.each([
    ['', 'found the end', 0],
    ['daily and', 'found the end', 9],
    ['daily and or x', 'found "or"', 10],
    ['(a or b', 'this "(" is never closed', 0],
    ['a)', 'closes nothing', 1],
    ['a, b', 'a comma has no meaning', 1],
    ['a + b', '"+" must touch', 2],
    ['+ a', '"+" must touch', 0],
    ['a+b', 'put a space', 2],
    ['a+2b', 'put a space', 2],
    ['++a', 'expected an asset', 1],
    ['tags:x', 'did you mean "tag:"?', 0],
    ['x y:z', 'known are key, tag', 2],
    ['tag:', 'needs a value', 0],
    ['tag: x', 'needs a value', 0],
    ['status:stael', 'did you mean "stale"?', 0],
    ['a "b', 'no closing "', 2],
    [`${'('.repeat(101)}a`, 'nested more than 100', 100],
    ['a'.repeat(longestSelection + 1), 'at most 10000', longestSelection],
  ])('text %# is refused with the place', (text, problem, position) => {
    expect(() => parseSelection(text)).toThrow(
      expect.objectContaining({
        code: 'FLOWSTONE_SELECTION_INVALID',
        message: expect.stringContaining(problem),
        context: expect.objectContaining({ position }),
      }),
    );
  });

  it('puts a caret below the mistake', () => {
    expect(() => parseSelection('daily\tand or x')).toThrow(/\n {2}daily and or x\n {2} {10}\^$/);
  });

  it.each([
    ['airport', 'there is no asset "airport" (did you mean "airports"?)'],
    ['* and tag:rwa', 'no asset has the tag "rwa" (did you mean "raw"?)'],
    ['group:reports', 'did you mean "report"?'],
  ])('%s is refused, since nothing has that name', (text, problem) => {
    expect(() => select(text)).toThrow(
      expect.objectContaining({ code: 'FLOWSTONE_SELECTION_UNKNOWN', message: expect.stringContaining(problem) }),
    );
  });
});
