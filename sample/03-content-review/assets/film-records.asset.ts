// What is recorded of the film of a notice.
import { Asset, Requires, type AssetContext } from 'nestjs-flowstone';
import type { Film } from '../source/film.js';
import { FilmsFile } from '../source/films.file.js';
import { ARTICLES, titleOf } from './partitions.js';

const resources = { films: FilmsFile };

@Asset({ description: 'Records of films', partitions: ARTICLES, codeVersion: '1' })
@Requires(resources)
export class FilmRecords {
  execute({ resources: { films }, partition }: AssetContext<typeof resources>): Promise<Film> {
    return films.film(titleOf(partition.key));
  }
}
