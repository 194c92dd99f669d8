// Pages as they are published, in Markdown. Pure.
import type { ReviewedArticle, Verdict } from './article.js';

/** How the review of a published notice is told. */
const REVIEWED: Readonly<Record<Exclude<Verdict, 'withheld'>, (by: string) => string>> = {
  passed: () => 'Drafted from records.',
  approved: (by) => `Drafted from records, approved by ${by}.`,
  edited: (by) => `Drafted from records, edited by ${by}.`,
};

/** The page of a notice; undefined: it is withheld. */
export function pageOf({ headline, body, verdict, by }: ReviewedArticle): string | undefined {
  if (verdict === 'withheld') return undefined;
  return `# ${headline}\n\n${body}\n\n_${REVIEWED[verdict](by ?? 'nobody')}_\n`;
}

/** What the front page tells of a notice. */
export interface Listed {
  headline: string;
  verdict: Verdict;
  /** Name of its file; null: it is withheld. */
  file: string | null;
}

export function frontPageOf(articles: readonly Listed[]): string {
  const entries = articles.flatMap(({ headline, file }) => (file === null ? [] : [`- [${headline}](${file})`]));
  return `# Films\n\n${entries.length > 0 ? entries.join('\n') : 'Nothing yet.'}\n`;
}
