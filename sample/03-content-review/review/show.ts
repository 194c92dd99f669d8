// A question as it is shown in the terminal: the message, what was found, the text, what differs from the last time.
import type { JsonValue, ReviewedInput, ValueDifference, ValuePreview } from 'nestjs-flowstone';
import { scoreOf } from '../articles/scoring.js';
import type { Question } from './reviewer.js';

const WIDTH = 100;
const INDENT = 10;

export function shown({ review, article, number, of }: Question): string[] {
  const { approval, inputs, history } = review;
  const comments = history.flatMap(({ kind, actor, detail }) => {
    const text = detail?.['text'];
    return kind === 'commented' && typeof text === 'string' ? [`  ${actor} says: ${text}`] : [];
  });
  return [
    `${number} of ${of}: ${approval.partition}, asked for on ${whenOf(approval.openedAt)}${untilOf(approval.deadline)}`,
    approval.message,
    ...scoreOf(article.body).findings.map(({ problem, points }) => `  - ${problem} (-${points})`),
    '',
    ...paragraph('headline', article.headline),
    ...paragraph('body', article.body),
    ...differencesOf(inputs),
    ...comments,
  ];
}

function differencesOf(inputs: readonly ReviewedInput<ValuePreview>[]): string[] {
  const lines = inputs.flatMap(({ differences }) => (differences ?? []).flatMap(differenceLines));
  return lines.length === 0 ? [] : ['', 'Since it was decided the last time:', ...lines];
}

function differenceLines({ path, before, after }: ValueDifference): string[] {
  return [
    `  ${path.join('.')}`,
    ...(before === undefined ? [] : paragraph('  was', wordsOf(before))),
    ...(after === undefined ? [] : paragraph('  is', wordsOf(after))),
  ];
}

function wordsOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A name and a text beside it, in lines of readable width. */
function paragraph(name: string, text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && INDENT + line.length + word.length >= WIDTH) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  lines.push(line);
  return lines.map((one, index) => `${index === 0 ? name.padEnd(INDENT) : ' '.repeat(INDENT)}${one}`);
}

function whenOf(date: Date): string {
  return date.toISOString().slice(0, 16).replace('T', ' ');
}

function untilOf(deadline: Date | null): string {
  return deadline === null ? '' : `, open until ${whenOf(deadline)} UTC`;
}
