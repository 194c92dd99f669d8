// Reads a selection: recursive descent over its tokens, linear in the text, nesting capped. Knows no graph.

import { closest } from './did-you-mean.js';
import type { Selection, SelectionAttribute, SelectionExpression } from './selection.js';
import { SELECTABLE_STATES, SELECTION_ATTRIBUTES, selectionError } from './selection.js';
import type { SelectionToken } from './selection-tokens.js';
import { selectionTokens } from './selection-tokens.js';

/** Longest accepted text, in UTF-16 units. */
export const longestSelection = 10_000;
const deepestNesting = 100;

/**
 * Reads a selection. From tightest to loosest:
 * - a term: an asset key (`daily_delays`), a key with `*` (any characters) and `?` (one), `*` alone for everything,
 *   `tag:x`, `group:x`, `owner:x`, `kind:x` (with `*` and `?` too), `status:missing|stale|fresh|failed`, an expression
 *   in parentheses; what stands in quotes is taken literally (`"and"`, `tag:"two words"`);
 * - `+term` adds all that is upstream, `term+` all that is downstream, `2+term` and `term+2` so many steps of it;
 * - `not`, then `and`, then `or`. Terms with only space between them are joined by `or`.
 *
 * Throws FLOWSTONE_SELECTION_INVALID, with the position, for anything else.
 */
export function parseSelection(text: string): Selection {
  if (text.length > longestSelection) {
    const problem = `the text has ${text.length} characters, at most ${longestSelection} are read`;
    throw selectionError('FLOWSTONE_SELECTION_INVALID', problem, text, longestSelection);
  }
  return new SelectionParser(text).parse();
}

class SelectionParser {
  readonly #tokens: readonly SelectionToken[];
  #at = 0;
  #depth = 0;
  #usesStatus = false;

  constructor(private readonly text: string) {
    this.#tokens = selectionTokens(text);
  }

  parse(): Selection {
    const expression = this.#either();
    if (this.#next.kind === ')') this.#fail('this ")" closes nothing', this.#next);
    return { text: this.text, expression, usesStatus: this.#usesStatus };
  }

  get #next(): SelectionToken {
    return this.#tokens[this.#at]!;
  }

  #either(): SelectionExpression {
    const of = [this.#both()];
    while (this.#next.kind !== 'end' && this.#next.kind !== ')') {
      if (isKeyword(this.#next, 'or')) this.#at++;
      else if (this.#touchesPrevious()) this.#fail('put a space, `and` or `or` before this', this.#next);
      of.push(this.#both());
    }
    return of.length === 1 ? of[0]! : { kind: 'or', of };
  }

  #both(): SelectionExpression {
    const of = [this.#negation()];
    while (isKeyword(this.#next, 'and')) {
      this.#at++;
      of.push(this.#negation());
    }
    return of.length === 1 ? of[0]! : { kind: 'and', of };
  }

  #negation(): SelectionExpression {
    let negated = false;
    while (isKeyword(this.#next, 'not')) {
      this.#at++;
      negated = !negated;
    }
    const of = this.#traversal();
    return negated ? { kind: 'not', of } : of;
  }

  /** `2+term+3`: each sign touches its term, each number its sign. */
  #traversal(): SelectionExpression {
    let upstream = 0;
    if (isNumber(this.#next) && this.#touch('+', this.#at + 1)) {
      upstream = Number(this.#next.text);
      this.#at += 2;
      this.#requireTouching();
    } else if (this.#next.kind === '+') {
      upstream = Infinity;
      this.#at++;
      this.#requireTouching();
    }
    const of = this.#primary();
    let downstream = 0;
    if (this.#next.kind === '+' && this.#touchesPrevious()) {
      downstream = Infinity;
      this.#at++;
      if (isNumber(this.#next) && this.#touchesPrevious()) {
        downstream = Number(this.#next.text);
        this.#at++;
      }
    }
    return upstream === 0 && downstream === 0 ? of : { kind: 'around', of, upstream, downstream };
  }

  #primary(): SelectionExpression {
    const token = this.#next;
    this.#at++;
    if (token.kind === '(') return this.#parenthesis(token);
    if (token.kind === 'string') {
      return { kind: 'attribute', attribute: 'key', value: token.text, glob: false, position: token.start };
    }
    if (token.kind !== 'word' || ['and', 'or', 'not'].some((keyword) => isKeyword(token, keyword))) {
      const found = token.kind === 'end' ? 'the end' : `"${token.text}"`;
      return this.#fail(`expected an asset, an attribute or "(" but found ${found}`, token);
    }
    if (token.text === '*') return { kind: 'all' };
    const colon = token.text.indexOf(':');
    if (colon !== -1) return this.#attribute(token, token.text.slice(0, colon), token.text.slice(colon + 1));
    return { kind: 'attribute', attribute: 'key', value: token.text, glob: isGlob(token.text), position: token.start };
  }

  #parenthesis(opening: SelectionToken): SelectionExpression {
    if (++this.#depth > deepestNesting) this.#fail(`parentheses are nested more than ${deepestNesting} deep`, opening);
    const expression = this.#either();
    if (this.#next.kind !== ')') this.#fail('this "(" is never closed', opening);
    this.#at++;
    this.#depth--;
    return expression;
  }

  #attribute(token: SelectionToken, name: string, bare: string): SelectionExpression {
    const known = [...SELECTION_ATTRIBUTES, 'status'];
    if (!known.includes(name)) {
      const meant = closest(name, known);
      const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean "${meant}:"?`;
      this.#fail(`there is no attribute "${name}" (${hint})`, token);
    }
    const quoted = bare === '' && this.#next.kind === 'string' && this.#touchesPrevious();
    const value = quoted ? this.#next.text : bare;
    if (quoted) this.#at++;
    else if (value === '') this.#fail(`"${name}:" needs a value`, token);
    if (name === 'status') return this.#status(token, value);
    const attribute = name as SelectionAttribute;
    return { kind: 'attribute', attribute, value, glob: !quoted && isGlob(value), position: token.start };
  }

  #status(token: SelectionToken, value: string): SelectionExpression {
    const state = SELECTABLE_STATES.find((known) => known === value);
    if (state === undefined) {
      const meant = closest(value, SELECTABLE_STATES) ?? SELECTABLE_STATES.join('", "');
      return this.#fail(`there is no status "${value}" (did you mean "${meant}"?)`, token);
    }
    this.#usesStatus = true;
    return { kind: 'status', state };
  }

  #touchesPrevious(): boolean {
    return this.#at > 0 && this.#tokens[this.#at - 1]!.end === this.#next.start;
  }

  #touch(kind: SelectionToken['kind'], at: number): boolean {
    const token = this.#tokens[at];
    return token?.kind === kind && token.start === this.#tokens[at - 1]!.end;
  }

  #requireTouching(): void {
    if (!this.#touchesPrevious())
      this.#fail('"+" must touch what it extends (`+asset`, `asset+`)', this.#tokens[this.#at - 1]!);
  }

  #fail(problem: string, token: SelectionToken): never {
    throw selectionError('FLOWSTONE_SELECTION_INVALID', problem, this.text, token.start);
  }
}

function isKeyword(token: SelectionToken, keyword: string): boolean {
  return token.kind === 'word' && token.text.toLowerCase() === keyword;
}

function isNumber(token: SelectionToken): boolean {
  return token.kind === 'word' && /^[0-9]+$/.test(token.text);
}

function isGlob(text: string): boolean {
  return text.includes('*') || text.includes('?');
}
