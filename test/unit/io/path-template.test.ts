import { describe, expect, it } from '@jest/globals';
import { USUAL_TEMPLATE, valuePath } from '../../../lib/io/blobs/blob-path.js';
import { longestPath, templateProblem } from '../../../lib/io/blobs/path-template.js';

const address = { namespace: 'default', asset: 'flights.daily', materialization: 12, epoch: 3, options: {} };

describe('a template of paths', () => {
  it.each([
    [USUAL_TEMPLATE, 'default/flights.daily/2001-03-04/12-3.json'],
    ['exports/{asset}/day={partition}', 'default/exports/flights.daily/day=2001-03-04/12-3.json'],
    ['{partition}/{asset}', 'default/2001-03-04/flights.daily/12-3.json'],
    ['{asset}-{partition}', 'default/flights.daily-2001-03-04/12-3.json'],
    ['all', 'default/all/12-3.json'],
  ])('such as %s says where values lie within their namespace', (template, path) => {
    expect(templateProblem(template, 1024)).toBeUndefined();
    expect(valuePath({ ...address, partition: '2001-03-04' }, 'json', template)).toBe(path);
  });

  it('gives an asset without partitions a step of its own, and takes no key for a placeholder', () => {
    expect(valuePath({ ...address, partition: undefined }, 'json', 'day={partition}')).toBe('default/day=_/12-3.json');
    expect(valuePath({ ...address, partition: '_' }, 'json', 'day={partition}')).toBe('default/day=%5F/12-3.json');
    expect(valuePath({ ...address, asset: '{partition}', partition: "$&$'" }, 'json')).toBe(
      'default/%7Bpartition%7D/%24%26%24%27/12-3.json',
    );
  });

  it.each([
    [
      'exports/{asset}/{partion}',
      'path is "exports/{asset}/{partion}", in which {partion} stands for nothing: did you mean {partition}?',
    ],
    [
      '{year}/{asset}',
      'path is "{year}/{asset}", in which {year} stands for nothing: {asset} and {partition} are known',
    ],
    ['{}', 'in which {} stands for nothing'],
    [5, 'path is 5, must be text such as'],
    ...[
      '',
      '/',
      '/a',
      'a/',
      'a//b',
      '..',
      'a/../b',
      './a',
      'a b',
      'a\\b',
      'a%2F',
      '{asset',
      'asset}',
      '{{asset}}',
      'é',
      'a\0',
    ].map((template) => [template, '"'] as const),
  ])('%j is refused', (template, words) => {
    expect(templateProblem(template, 1024)).toContain(words);
  });

  it('is refused where a path could be longer than a key may be', () => {
    const template = 'x/{asset}/{partition}';
    const long = { namespace: 'n'.repeat(300), asset: 'a'.repeat(300), partition: '日'.repeat(300) };
    const path = valuePath({ ...address, ...long, materialization: Number.MAX_SAFE_INTEGER }, 'jsonl.gz', template);
    expect(longestPath(template)).toBeGreaterThanOrEqual(path.length);
    expect(templateProblem(template, longestPath(template))).toBeUndefined();
    expect(templateProblem(template, longestPath(template) - 1)).toContain('with long keys it takes');
    expect(templateProblem('{asset}/'.repeat(5) + '{partition}', 1024)).toContain('1024 are left for it');
  });
});
