// Notices as they stand in the directory of published pages.
import { Asset, DependsOn, Requires, type AssetContext, type InputsOf } from 'nestjs-flowstone';
import { pageOf, type Listed } from '../articles/page.js';
import { Press } from '../source/press.js';
import { ReviewedArticles } from './reviewed-articles.asset.js';

const inputs = { article: ReviewedArticles };
const resources = { press: Press };

/** Writes the page, or takes it away. Each is published as soon as it may be, whatever the others wait for. */
@Asset({ description: 'Pages that are published', partitions: 'inherit', codeVersion: '1' })
@DependsOn(inputs)
@Requires(resources)
export class PublishedArticles {
  async execute(context: AssetContext<typeof resources>, { article }: InputsOf<typeof inputs>): Promise<Listed> {
    const { press } = context.resources;
    const { headline, verdict } = article;
    const file = `${context.partition.key}.md`;
    const page = pageOf(article);
    if (page === undefined) await press.withdraw(file);
    else await press.publish(file, page);
    return { headline, verdict, file: page === undefined ? null : file };
  }
}
