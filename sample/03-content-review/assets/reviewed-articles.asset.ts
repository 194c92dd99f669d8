// The review: a person decides on what scored too low.
import { Checkpoint, DependsOn, type AssetContext, type Decision, type InputsOf } from 'nestjs-flowstone';
import type { ReviewedArticle } from '../articles/article.js';
import { ArticleDto } from './article.dto.js';
import { Drafts } from './drafts.asset.js';
import { ARTICLES, titleOf } from './partitions.js';
import { Scores } from './scores.asset.js';

/** What scores less is reviewed. */
const GOOD_ENOUGH = 80;

const inputs = { article: Drafts, score: Scores };
type Inputs = InputsOf<typeof inputs>;

/** What nobody looks at for two weeks is withheld. */
@Checkpoint({
  description: 'Notices that were reviewed where their score was low',
  partitions: ARTICLES,
  codeVersion: '1',
  assignees: { roles: ['editor'] },
  modification: ArticleDto,
  timeout: '14d',
  timeoutAction: 'reject',
})
@DependsOn(inputs)
export class ReviewedArticles {
  condition(_context: AssetContext, { score }: Inputs): boolean {
    return score.score < GOOD_ENOUGH;
  }

  message({ partition }: AssetContext, { score }: Inputs): string {
    return `“${titleOf(partition.key)}” scores ${score.score} of 100. May it be published?`;
  }

  onSkip(_context: AssetContext, { article }: Inputs): ReviewedArticle {
    return { ...article, verdict: 'passed', by: null, reason: null };
  }

  onApprove(_context: AssetContext, { article }: Inputs, { by, reason }: Decision): ReviewedArticle {
    return { ...article, verdict: 'approved', by, reason };
  }

  onModify(_context: AssetContext, _inputs: Inputs, { value, by, reason }: Decision<ArticleDto>): ReviewedArticle {
    return { headline: value.headline, body: value.body, verdict: 'edited', by, reason };
  }

  /** A notice that is rejected is a result as well: it is withheld, and the others go on. */
  onReject(_context: AssetContext, { article }: Inputs, { by, reason }: Decision): ReviewedArticle {
    return { ...article, verdict: 'withheld', by, reason };
  }
}
