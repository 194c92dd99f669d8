// Notices as they are drafted from the records.
import { Asset, DependsOn, type AssetContext, type InputsOf } from 'nestjs-flowstone';
import type { Article } from '../articles/article.js';
import { draftOf } from '../articles/drafting.js';
import { FilmRecords } from './film-records.asset.js';

const inputs = { film: FilmRecords };

/** Change the wording in articles/drafting.ts and codeVersion here: what is worded otherwise is reviewed again. */
@Asset({ description: 'Notices drafted from the records', partitions: 'inherit', codeVersion: '1' })
@DependsOn(inputs)
export class Drafts {
  execute(_context: AssetContext, { film }: InputsOf<typeof inputs>): Article {
    return draftOf(film);
  }
}
