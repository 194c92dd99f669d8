import { describe, expect, it } from '@jest/globals';
import { declaredUpstreams, mustRun } from '../../../lib/planning/must-run.js';
import type { HeadFact } from '../../../lib/planning/planning.port.js';
import { asset, on } from './planning-assets.js';
import { RecordedFacts } from './recorded-facts.js';

const using = asset('using', {
  codeVersion: '1',
  dependencies: [on('b'), on('a', { optional: true }), on('b', { alias: 'again' }), on('setup', { ordering: true })],
});
const inputs = [{ asset: 'b', partition: '', dataVersion: 'x' }];

function head(changes: Partial<HeadFact> = {}): HeadFact {
  const facts = new RecordedFacts();
  facts.materialize(using, '', 'y', inputs);
  return { ...facts.head('using', '')!, ...changes };
}

describe('the look before running', () => {
  it('records each consumed asset once, sorted, without what is only ordered before', () => {
    expect(declaredUpstreams(using)).toBe('a,b');
    expect(declaredUpstreams(asset('source'))).toBe('');
  });

  it('finds nothing to do when nothing differs', () => {
    expect(mustRun(using, head(), inputs)).toBe(false);
  });

  it.each<[string, HeadFact | undefined]>([
    ['there is no head', undefined],
    ['the head was deleted', head({ materialization: null })],
    ['the value is gone', head({ lost: 'value was in memory' })],
    ['it was invalidated', head({ invalidated: true })],
    ['the code version differs', head({ codeVersion: '0' })],
    ['the declared upstreams differ', head({ upstreams: 'b' })],
    ['nothing is recorded of its inputs', head({ inputs: null })],
  ])('runs when %s', (_why, found) => expect(mustRun(using, found, inputs)).toBe(true));

  it('runs when an input has another version, is gone, or is new', () => {
    expect(mustRun(using, head(), [{ ...inputs[0]!, dataVersion: 'z' }])).toBe(true);
    expect(mustRun(using, head(), [])).toBe(true);
    expect(mustRun(using, head(), [...inputs, { asset: 'a', partition: '', dataVersion: 'x' }])).toBe(true);
  });

  it('does not mind a failed try, an undeclared code version, or upstreams that were not recorded', () => {
    expect(mustRun(using, head({ failed: true }), inputs)).toBe(false);
    expect(mustRun({ ...using, codeVersion: undefined }, head(), inputs)).toBe(false);
    expect(mustRun(using, head({ upstreams: null }), inputs)).toBe(false);
  });
});
