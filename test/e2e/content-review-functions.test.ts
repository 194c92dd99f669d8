// The plain functions of the content review sample, where the films it is about do not show it.
import { describe, expect, it } from '@jest/globals';
import { draftOf } from '../../sample/03-content-review/articles/drafting.js';
import { frontPageOf, pageOf } from '../../sample/03-content-review/articles/page.js';
import { readingEaseOf, scoreOf } from '../../sample/03-content-review/articles/scoring.js';
import { parseCommandLine } from '../../sample/03-content-review/command-line.js';
import type { Film } from '../../sample/03-content-review/source/film.js';

const FILM: Film = {
  ...{ title: '2012', released: new Date('2009-11-13'), director: 'Roland Emmerich', distributor: 'Sony Pictures' },
  ...{ minutes: 158, genre: 'Action', budget: 200_000_000, gross: 766_812_167, critics: 39, audience: 6.2 },
};
const NOTHING = Object.fromEntries(Object.keys(FILM).map((name) => [name, null])) as unknown as Film;

describe('a draft', () => {
  it('says what the record says', () => {
    expect(draftOf(FILM)).toEqual({
      headline: '2012 (2009)',
      body: 'The action film “2012” opened on 13 November 2009. Roland Emmerich directed it. Sony Pictures brought it to the cinemas. It runs for 158 minutes. It cost $200.0 million and earned $766.8 million worldwide. Of the critics, 39% liked it. The audience gives it 6.2 of 10.',
    });
  });

  it('leaves out what the record does not know', () => {
    expect(draftOf({ ...NOTHING, title: 'Lost' })).toEqual({ headline: 'Lost', body: 'The film “Lost” was made.' });
    expect(draftOf({ ...NOTHING, title: 'Lost', gross: 5 }).body).toContain('It earned $5 worldwide.');
  });
});

describe('the score', () => {
  const problems = (body: string): string[] => scoreOf(body).findings.map(({ problem }) => problem);

  it('is 100 for a draft of a complete record, whatever the title', () => {
    expect(scoreOf(draftOf(FILM).body)).toMatchObject({ score: 100, findings: [] });
  });

  it('takes off for each question that stays open', () => {
    expect(scoreOf(draftOf({ ...FILM, minutes: null, director: null }).body)).toMatchObject({
      score: 84,
      findings: [{ problem: 'it does not say who directed it' }, { problem: 'it does not say how long it is' }],
    });
  });

  it('finds years that cannot be, once each', () => {
    expect(problems('It opened in 2039, in December 2039, and not in 2011.')).toContain(
      'it speaks of 2039, and the records are of 2010',
    );
  });

  it('finds opinions that differ by more than half of the scale', () => {
    const told = (audience: number): string[] => problems(draftOf({ ...FILM, critics: 90, audience }).body);
    expect(told(4)).toEqual([]);
    expect(told(3.9)).toEqual(['critics (90%) and audience (3.9 of 10) are far apart']);
  });

  it('is not below 0, and finds hard words', () => {
    expect(scoreOf('Notwithstanding incontrovertible institutional considerations in 2039 and 2040.')).toMatchObject({
      score: 0,
      findings: expect.arrayContaining([expect.objectContaining({ points: 20 })]),
    });
  });

  it('measures reading ease by the formula of Flesch', () => {
    // 6 words of one syllable in one sentence.
    expect(readingEaseOf('The cat sat on the mat.')).toBeCloseTo(206.835 - 1.015 * 6 - 84.6, 6);
    expect(readingEaseOf('')).toBe(0);
  });
});

it('a page is published unless it is withheld, and the front page lists those', () => {
  const article = { headline: 'A', body: 'B.', by: null, reason: null };
  expect(pageOf({ ...article, verdict: 'withheld' })).toBeUndefined();
  expect(pageOf({ ...article, verdict: 'passed' })).toBe('# A\n\nB.\n\n_Drafted from records._\n');
  expect(frontPageOf([{ headline: 'A', verdict: 'withheld', file: null }])).toBe('# Films\n\nNothing yet.\n');
});

it('the command line says who decides', () => {
  expect(parseCommandLine(['--by', 'ada', '--auto-approve'])).toEqual({
    kind: 'review',
    decider: { kind: 'approve' },
    by: 'ada',
  });
  expect(() => parseCommandLine(['--by', ' '])).toThrow('needs a name');
});
