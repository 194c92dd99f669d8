// Tokens of signals: derived, signed, and told from what is none.
import { describe, expect, it } from '@jest/globals';
import { SignalTokens } from '../../../lib/checkpoints/signal.tokens.js';

const tokens = new SignalTokens('default', ['one secret of at least 32 characters']);
const place = { materialization: 4711, round: 2 };

describe('the tokens of signals', () => {
  it('say what they are of, the same each time', () => {
    const token = tokens.tokenOf(place);
    expect(tokens.tokenOf({ ...place })).toBe(token);
    expect(tokens.read(token)).toEqual(place);
    expect(tokens.hashOf(token)).toMatch(/^[0-9a-f]{64}$/);
  });

  it('are different for another wait, namespace or secret', () => {
    const others = [
      tokens.tokenOf({ ...place, round: 3 }),
      tokens.tokenOf({ ...place, materialization: 4712 }),
      new SignalTokens('other', ['one secret of at least 32 characters']).tokenOf(place),
      new SignalTokens('default', ['another secret, just as long as that']).tokenOf(place),
    ];
    expect(new Set([...others, tokens.tokenOf(place)]).size).toBe(5);
    for (const foreign of others.slice(2)) expect(tokens.read(foreign)).toBeUndefined();
  });

  it('cannot be changed', () => {
    const token = tokens.tokenOf(place);
    for (let at = 0; at < token.length; at++) {
      const changed = token.slice(0, at) + (token[at] === 'b' ? 'c' : 'b') + token.slice(at + 1);
      expect(tokens.read(changed)).toBeUndefined();
    }
    for (const none of ['', 'fs1', `${token}x`, `x${token}`, null, 7, {}, [token]]) {
      expect(tokens.read(none)).toBeUndefined();
    }
  });

  it('are accepted while their secret is among those of the list', () => {
    const newer = new SignalTokens('default', [
      'a new secret of more than 32 characters',
      'one secret of at least 32 characters',
    ]);
    expect(newer.read(tokens.tokenOf(place))).toEqual(place);
    expect(tokens.read(newer.tokenOf(place))).toBeUndefined();
    expect(newer.read(newer.tokenOf(place))).toEqual(place);
  });
});
