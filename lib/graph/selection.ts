// The selection language as data: what a parsed selection is, and the errors of its text.
// Reading it stands in selection-parser.ts, applying it to a graph in selection-evaluation.ts.

import { FlowStoneError } from '../flowstone.errors.js';

/** What `status:` may ask for. An asset has a state when one of its partitions has it. */
export const SELECTABLE_STATES = ['missing', 'stale', 'fresh', 'failed'] as const;
export type SelectableState = (typeof SELECTABLE_STATES)[number];

/** What a term compares: the asset key, or what the asset declares. */
export const SELECTION_ATTRIBUTES = ['key', 'tag', 'group', 'owner', 'kind'] as const;
export type SelectionAttribute = (typeof SELECTION_ATTRIBUTES)[number];

export type SelectionExpression =
  | { readonly kind: 'all' }
  | {
      readonly kind: 'attribute';
      readonly attribute: SelectionAttribute;
      readonly value: string;
      /** Whether `*` and `?` in the value stand for any characters, one character. */
      readonly glob: boolean;
      /** Where the term stands in the text, for errors. */
      readonly position: number;
    }
  | { readonly kind: 'status'; readonly state: SelectableState }
  /** What `of` selects and what is up to so many steps upstream and downstream of it (0: none, Infinity: all). */
  | {
      readonly kind: 'around';
      readonly of: SelectionExpression;
      readonly upstream: number;
      readonly downstream: number;
    }
  | { readonly kind: 'not'; readonly of: SelectionExpression }
  | { readonly kind: 'and' | 'or'; readonly of: readonly SelectionExpression[] };

/** A parsed selection. `usesStatus`: evaluating it needs the states of assets. */
export interface Selection {
  readonly text: string;
  readonly expression: SelectionExpression;
  readonly usesStatus: boolean;
}

/** How much of the text is shown on each side of a mistake. */
const shownAround = 40;

/** An error about a selection that shows the place: the text around it and a caret below the position (from 0). */
export function selectionError(
  code: 'FLOWSTONE_SELECTION_INVALID' | 'FLOWSTONE_SELECTION_UNKNOWN',
  problem: string,
  text: string,
  position: number,
): FlowStoneError {
  const start = Math.max(0, position - shownAround);
  // One column per character, so that the caret stands below the place.
  const excerpt = text.slice(start, position + shownAround).replace(/\s/g, ' ');
  const message = `selection: ${problem}, at position ${position}\n  ${excerpt}\n  ${' '.repeat(position - start)}^`;
  return new FlowStoneError(code, message, { context: { selection: excerpt, position } });
}
