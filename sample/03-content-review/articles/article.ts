// What the sample is about: short notices of films, as they are drafted, reviewed and published.

/** A notice as it is written. */
export interface Article {
  headline: string;
  /** One paragraph. */
  body: string;
}

/** How a notice came through the review. `passed`: its score was good enough, nobody was asked. */
export type Verdict = 'passed' | 'approved' | 'edited' | 'withheld';

/** A notice as it may be published, or not (`withheld`). */
export interface ReviewedArticle extends Article {
  verdict: Verdict;
  /** Who decided; null: nobody was asked, or nobody answered in time. */
  by: string | null;
  reason: string | null;
}
