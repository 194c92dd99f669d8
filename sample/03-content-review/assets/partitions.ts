// The notices of this issue: one partition each.
import { Partitions } from 'nestjs-flowstone';

/** Key of each notice and the title of its film in the records. */
const TITLES: Readonly<Record<string, string>> = {
  'the-dark-knight': 'The Dark Knight',
  'finding-nemo': 'Finding Nemo',
  casablanca: 'Casablanca',
  'slumdog-millionaire': 'Slumdog Millionaire',
  'gone-with-the-wind': 'Gone with the Wind',
  'modern-times': 'Modern Times',
  scream: 'Scream',
  'beauty-and-the-beast': 'Beauty and the Beast',
};

export const ARTICLE_KEYS = Object.keys(TITLES);

export const ARTICLES = Partitions.static(ARTICLE_KEYS);

export function titleOf(article: string): string {
  return TITLES[article]!;
}
