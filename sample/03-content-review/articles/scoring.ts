// Measures the text of a notice: what a reader wants to know and is not told, figures that cannot be true, and how hard
// it is to read. It looks at nothing but the text, so that what a reviewer writes is measured by the same rule. Pure.

/** Something that is wrong with a text, and what that costs. */
export interface Finding {
  problem: string;
  points: number;
}

/** 100 less the points of all findings, 0 at least. */
export interface Score {
  score: number;
  /** Flesch reading ease: about 100 is very easy, 60 plain English, below 30 very hard. */
  readingEase: number;
  findings: Finding[];
}

/** What a notice answers, and the words by which it does. */
const QUESTIONS: readonly (readonly [question: string, answered: RegExp])[] = [
  ['when it opened', /\b(opened|released)\b/],
  ['who directed it', /\bdirect(ed|or|s)\b/],
  ['who distributed it', /\b(brought it to|distributed)\b/],
  ['how long it is', /\bminutes\b/],
  ['what it cost', /\bcost\b/],
  ['what it earned', /\bearned\b/],
  ['what critics say', /\bcritics\b/],
];
const UNANSWERED = 8;

/** The records were gathered in 2010: what they say of later years is a mistake, such as 2039 for 1939. */
const LAST_YEAR = 2011;
const IMPOSSIBLE_YEAR = 40;

/** Critics and audience differ, but hardly by more than half of the scale: one of the figures is of another film. */
const MOST_DISAGREEMENT = 50;
const DISAGREEMENT = 40;

const HARD_TO_READ = 40;
const HARD = 20;

export function scoreOf(body: string): Score {
  // Titles may hold anything: 2012 is a film.
  const text = body.replaceAll(/“[^”]*”/g, 'It');
  const readingEase = readingEaseOf(text);
  const findings = [
    ...QUESTIONS.flatMap(([question, answered]) =>
      answered.test(text) ? [] : [{ problem: `it does not say ${question}`, points: UNANSWERED }],
    ),
    ...impossibleYears(text),
    ...disagreement(text),
    ...(readingEase < HARD_TO_READ
      ? [{ problem: `it is hard to read (reading ease ${readingEase.toFixed(0)})`, points: HARD }]
      : []),
  ];
  const lost = findings.reduce((sum, { points }) => sum + points, 0);
  return { score: Math.max(0, 100 - lost), readingEase, findings };
}

function impossibleYears(text: string): Finding[] {
  const years = new Set(Array.from(text.matchAll(/\b(?:19|20)\d\d\b/g), ([year]) => Number(year)));
  return [...years]
    .filter((year) => year > LAST_YEAR)
    .map((year) => ({ problem: `it speaks of ${year}, and the records are of 2010`, points: IMPOSSIBLE_YEAR }));
}

function disagreement(text: string): Finding[] {
  const critics = /(\d+)%/.exec(text)?.[1];
  const audience = /(\d+(?:\.\d+)?) of 10\b/.exec(text)?.[1];
  if (critics === undefined || audience === undefined) return [];
  const apart = Math.round(Math.abs(Number(critics) - Number(audience) * 10));
  if (apart <= MOST_DISAGREEMENT) return [];
  return [{ problem: `critics (${critics}%) and audience (${audience} of 10) are far apart`, points: DISAGREEMENT }];
}

/**
 * R. Flesch, A new readability yardstick (1948): 206.835 - 1.015 words per sentence - 84.6 syllables per word. Figures
 * count as one syllable; syllables are counted as groups of vowels without a silent e.
 */
export function readingEaseOf(text: string): number {
  const words = text.match(/[\p{L}\d][\p{L}\d.,'’-]*/gu) ?? [];
  if (words.length === 0) return 0;
  const sentences = text.match(/[.!?](?=\s|$)/g)?.length ?? 1;
  const syllables = words.reduce((sum, word) => sum + syllablesOf(word), 0);
  return 206.835 - (1.015 * words.length) / sentences - (84.6 * syllables) / words.length;
}

function syllablesOf(word: string): number {
  const spoken = word.toLowerCase().replace(/[^\p{L}]/gu, '');
  return Math.max(1, (spoken.replace(/e$/, '').match(/[aeiouyäöüéèáíóú]+/g) ?? []).length);
}
