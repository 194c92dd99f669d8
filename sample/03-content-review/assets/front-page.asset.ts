// The front page, once all notices are decided upon.
import { all, Asset, DependsOn, Requires, type AssetContext, type InputsOf } from 'nestjs-flowstone';
import { frontPageOf, type Listed } from '../articles/page.js';
import { Press } from '../source/press.js';
import { PublishedArticles } from './published-articles.asset.js';

const inputs = { articles: all(PublishedArticles) };
const resources = { press: Press };

@Asset({ description: 'The front page', codeVersion: '1', io: 'filesystem', format: 'text' })
@DependsOn(inputs)
@Requires(resources)
export class FrontPage {
  async execute({ resources: { press } }: AssetContext<typeof resources>, { articles }: InputsOf<typeof inputs>) {
    const listed: Listed[] = [];
    for await (const [, article] of articles) listed.push(article);
    const page = frontPageOf(listed);
    await press.publish('index.md', page);
    return page;
  }
}
