// How good the text of each draft is.
import { Asset, DependsOn, type AssetContext, type InputsOf } from 'nestjs-flowstone';
import { scoreOf, type Score } from '../articles/scoring.js';
import { Drafts } from './drafts.asset.js';

const inputs = { article: Drafts };

@Asset({ description: 'What is wrong with the drafts', partitions: 'inherit', codeVersion: '1' })
@DependsOn(inputs)
export class Scores {
  execute(_context: AssetContext, { article }: InputsOf<typeof inputs>): Score {
    return scoreOf(article.body);
  }
}
