// The sample as a Nest module: its assets, and what they are lent.
import { join } from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import { FlowStoneModule } from 'nestjs-flowstone';
import { Drafts } from './assets/drafts.asset.js';
import { FilmRecords } from './assets/film-records.asset.js';
import { FrontPage } from './assets/front-page.asset.js';
import { PublishedArticles } from './assets/published-articles.asset.js';
import { ReviewedArticles } from './assets/reviewed-articles.asset.js';
import { Scores } from './assets/scores.asset.js';
import { FilmsFile } from './source/films.file.js';
import { Press } from './source/press.js';

/** The sample's assets from the records to the front page, upstream first. */
const ASSETS = [FilmRecords, Drafts, Scores, ReviewedArticles, PublishedArticles, FrontPage];

@Module({ providers: [FilmsFile, ...ASSETS] })
export class ContentReviewModule {
  /** Records and values below `directory`, pages in `published/` of it. */
  static forRoot(directory: string): DynamicModule {
    return {
      module: ContentReviewModule,
      imports: [FlowStoneModule.forRoot({ directory })],
      providers: [{ provide: Press, useValue: new Press(join(directory, 'published')) }],
    };
  }
}
