// Tokens of progress: what they say, and which are refused.
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { ProgressTokens } from '../../../lib/events/progress.tokens.js';

const SECRET = 'a secret that nobody else knows, for tests';
const INVALID = expect.objectContaining({ code: 'FLOWSTONE_PROGRESS_TOKEN_INVALID' });

afterEach(() => {
  jest.useRealTimers();
});

describe('a token of progress', () => {
  const tokens = new ProgressTokens('default', [SECRET]);

  it('names its run, until its time is over', () => {
    jest.useFakeTimers({ now: 1_000_000 });
    const token = tokens.tokenOf(1234, 5000);
    expect(tokens.read(token)).toBe(1234);
    jest.setSystemTime(1_005_000);
    expect(tokens.read(token)).toBe(1234);
    jest.setSystemTime(1_005_001);
    expect(() => tokens.read(token)).toThrow(INVALID);
  });

  it('is refused where it is of another run, time, namespace or secret, or is none', () => {
    const [, run, until, signature] = /^fp1-(.*?)-(.*?)-(.*)$/.exec(tokens.tokenOf(7, 60_000))!;
    const later = (Number.parseInt(until!, 36) + 1).toString(36);
    const foreign = [new ProgressTokens('other', [SECRET]), new ProgressTokens('default', [`${SECRET}!`])];
    for (const token of [
      `fp1-8-${until}-${signature}`,
      `fp1-${run}-${later}-${signature}`,
      `fp1-${run}-${until}-${'A'.repeat(43)}`,
      ...foreign.map((other) => other.tokenOf(7, 60_000)),
      '',
      'fp1',
      undefined,
      7,
    ]) {
      expect(() => tokens.read(token)).toThrow(INVALID);
    }
  });

  it('is accepted while its secret is one of several, and signed by the first', () => {
    const token = tokens.tokenOf(7, 60_000);
    const both = new ProgressTokens('default', [`new ${SECRET}`, SECRET]);
    expect(both.read(token)).toBe(7);
    expect(() => tokens.read(both.tokenOf(7, 60_000))).toThrow(INVALID);
  });

  it('needs a secret', () => {
    expect(() => new ProgressTokens('default', []).tokenOf(7, 1)).toThrow('signalSecret');
  });
});
