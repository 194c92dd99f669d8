// The records of films: movies.json of the npm package vega-datasets (BSD-3-Clause), gathered in 2010 from several
// sources by title, with the mistakes that come of that.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import type { Film } from './film.js';

// The package exports its entry only, so its data is found beside that.
const FILE = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data', 'movies.json');

type Row = Readonly<Record<string, string | number | null>>;

/** Lent to the assets that read it. */
@Injectable()
export class FilmsFile {
  private rows: Promise<readonly Row[]> | undefined;

  /** The film of that title. Throws where there is none. */
  async film(title: string): Promise<Film> {
    this.rows ??= readFile(FILE, 'utf8').then((text) => JSON.parse(text) as Row[]);
    const row = (await this.rows).find((one) => one['Title'] === title);
    if (row === undefined) throw new Error(`${FILE} has no film "${title}"`);
    return filmOf(row);
  }
}

function filmOf(row: Row): Film {
  const text = (column: string): string | null => {
    const value = row[column];
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const number = (column: string): number | null => {
    const value = row[column];
    return typeof value === 'number' ? value : null;
  };
  const released = text('Release Date');
  return {
    title: String(row['Title']),
    released: released === null ? null : new Date(`${released} UTC`),
    director: text('Director'),
    distributor: text('Distributor'),
    minutes: number('Running Time min'),
    genre: text('Major Genre'),
    budget: number('Production Budget'),
    gross: number('Worldwide Gross'),
    critics: number('Rotten Tomatoes Rating'),
    audience: number('IMDB Rating'),
  };
}
