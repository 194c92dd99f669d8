// Drafts a notice from the record of a film. It says what the record says, and leaves out what that does not know. Pure.
import type { Film } from '../source/film.js';
import type { Article } from './article.js';

export function draftOf(film: Film): Article {
  const { title, released, director, distributor, minutes, genre } = film;
  const year = released && ` (${released.getUTCFullYear()})`;
  const kind = genre === null ? 'film' : `${genre.toLowerCase()} film`;
  const sentences = [
    `The ${kind} “${title}” ${released ? `opened on ${dayOf(released)}` : 'was made'}.`,
    ...(director === null ? [] : [`${director} directed it.`]),
    ...(distributor === null ? [] : [`${distributor} brought it to the cinemas.`]),
    ...(minutes === null ? [] : [`It runs for ${minutes} minutes.`]),
    ...moneyOf(film),
    ...opinionsOf(film),
  ];
  return { headline: `${title}${year ?? ''}`, body: sentences.join(' ') };
}

function moneyOf({ budget, gross }: Film): string[] {
  if (budget === null && gross === null) return [];
  const cost = budget === null ? [] : [`cost ${dollars(budget)}`];
  const earned = gross === null ? [] : [`earned ${dollars(gross)} worldwide`];
  return [`It ${[...cost, ...earned].join(' and ')}.`];
}

function opinionsOf({ critics, audience }: Film): string[] {
  return [
    ...(critics === null ? [] : [`Of the critics, ${critics}% liked it.`]),
    ...(audience === null ? [] : [`The audience gives it ${audience} of 10.`]),
  ];
}

function dollars(amount: number): string {
  return amount < 1_000_000 ? `$${amount.toLocaleString('en-US')}` : `$${(amount / 1_000_000).toFixed(1)} million`;
}

function dayOf(date: Date): string {
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' }).format(date);
}
