// What is told at the end, and by --list: how each notice stands.
import { FlowStoneError, type FlowStoneService } from 'nestjs-flowstone';
import type { ReviewedArticle, Verdict } from '../articles/article.js';
import { ARTICLE_KEYS } from '../assets/partitions.js';
import { ReviewedArticles } from '../assets/reviewed-articles.asset.js';
import { Scores } from '../assets/scores.asset.js';

const STANDING: Readonly<Record<Verdict, string>> = {
  passed: 'published',
  approved: 'published, approved',
  edited: 'published, edited',
  withheld: 'withheld',
};

/** A line for each notice, and a last one that says what waits. */
export async function standingOf(flowstone: FlowStoneService): Promise<string[]> {
  const { items: open } = await flowstone.approvals.list({ asset: ReviewedArticles });
  const waiting = new Set(open.map(({ partition }) => partition));
  const rows = ARTICLE_KEYS.map(async (key) => {
    const score = (await flowstone.load(Scores, { partition: key }).catch(orNothing))?.score ?? '';
    const reviewed = await flowstone.load(ReviewedArticles, { partition: key }).catch(orNothing);
    return `${key.padEnd(22)}${String(score).padStart(5)}   ${waiting.has(key) ? 'waits for a decision' : told(reviewed)}`;
  });
  return [
    `${'notice'.padEnd(22)}score`,
    ...(await Promise.all(rows)),
    '',
    waiting.size === 0
      ? 'Nothing waits for a decision.'
      : `${waiting.size} of ${ARTICLE_KEYS.length} wait for a decision: start again to go on.`,
  ];
}

function told(reviewed: ReviewedArticle | undefined): string {
  if (!reviewed) return 'not made yet';
  const { verdict, by, reason } = reviewed;
  return `${STANDING[verdict]}${by === null ? '' : ` by ${by}`}${reason === null ? '' : ` (${reason})`}`;
}

/** A notice that was never made has no value yet, which is no error here. */
function orNothing(error: unknown): undefined {
  if (error instanceof FlowStoneError && error.code === 'FLOWSTONE_VALUE_MISSING') return undefined;
  throw error;
}
