// Cuts the text of a selection into words, strings and signs, in one pass. What they mean is the parser's.

import { selectionError } from './selection.js';

/** A piece of the text, `[start, end)`. `text` of a string is what stands between its quotes, escapes resolved. */
export interface SelectionToken {
  readonly kind: 'word' | 'string' | '+' | '(' | ')' | 'end';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const signs = new Set(['+', '(', ')', ',', '"', "'"]);

/** All tokens in order, the last of kind `end`. Throws FLOWSTONE_SELECTION_INVALID for an open string or a comma. */
export function selectionTokens(text: string): SelectionToken[] {
  const tokens: SelectionToken[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text[at]!;
    if (isSpace(character)) at++;
    else {
      const token = tokenAt(text, at, character);
      tokens.push(token);
      at = token.end;
    }
  }
  tokens.push({ kind: 'end', text: '', start: text.length, end: text.length });
  return tokens;
}

function tokenAt(text: string, start: number, character: string): SelectionToken {
  if (character === '+' || character === '(' || character === ')') {
    return { kind: character, text: character, start, end: start + 1 };
  }
  if (character === '"' || character === "'") return stringAt(text, start, character);
  if (character === ',') {
    // Elsewhere a comma means `and` (dbt) or `or` (lists): guessing would run the wrong assets.
    throw selectionError(
      'FLOWSTONE_SELECTION_INVALID',
      'a comma has no meaning here: write `and` or `or`',
      text,
      start,
    );
  }
  let end = start + 1;
  while (end < text.length && !isSpace(text[end]!) && !signs.has(text[end]!)) end++;
  return { kind: 'word', text: text.slice(start, end), start, end };
}

function stringAt(text: string, start: number, quote: string): SelectionToken {
  const characters: string[] = [];
  for (let at = start + 1; at < text.length; at++) {
    const character = text[at]!;
    if (character === quote) return { kind: 'string', text: characters.join(''), start, end: at + 1 };
    if (character === '\\' && at + 1 < text.length) characters.push(text[++at]!);
    else characters.push(character);
  }
  throw selectionError('FLOWSTONE_SELECTION_INVALID', `the string has no closing ${quote}`, text, start);
}

function isSpace(character: string): boolean {
  return character.trim() === '';
}
