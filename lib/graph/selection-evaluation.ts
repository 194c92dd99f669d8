// Applies a parsed selection to a graph. States come from outside: planning knows them.

import type { AssetGraph, Direction } from './asset-graph.js';
import { didYouMean } from './did-you-mean.js';
import { globMatcher } from './glob.js';
import type { SelectableState, Selection, SelectionAttribute, SelectionExpression } from './selection.js';
import { selectionError } from './selection.js';

/** What an asset declares that a selection can ask for. */
export interface SelectableAttributes {
  readonly group?: string;
  readonly tags: readonly string[];
  readonly owners: readonly string[];
  readonly kinds: readonly string[];
}

/** What a selection is applied to. Assets are named by their index in the graph. */
export interface SelectionSource {
  readonly graph: AssetGraph;
  attributesOf(index: number): SelectableAttributes;
  /** The states the asset's partitions have. Asked only if the selection has `usesStatus`. */
  statesOf(index: number): ReadonlySet<SelectableState>;
}

/** One byte per asset: 1 when selected. */
type Marks = Uint8Array;

/**
 * The selected assets, upstream before downstream. A pattern may match nothing; a key, tag, group, owner or kind that
 * is written out and that no asset has is FLOWSTONE_SELECTION_UNKNOWN, since a typo must not run as an empty selection.
 */
export function evaluateSelection(selection: Selection, source: SelectionSource): Int32Array {
  const marks = new SelectionEvaluator(selection.text, source).marksOf(selection.expression);
  return source.graph.order.filter((index) => marks[index] === 1);
}

class SelectionEvaluator {
  constructor(
    private readonly text: string,
    private readonly source: SelectionSource,
  ) {}

  marksOf(expression: SelectionExpression): Marks {
    switch (expression.kind) {
      case 'all':
        return this.#markWhere(() => true);
      case 'attribute':
        return this.#attribute(expression);
      case 'status':
        return this.#markWhere((index) => this.source.statesOf(index).has(expression.state));
      case 'around':
        return this.#around(this.marksOf(expression.of), expression.upstream, expression.downstream);
      case 'not':
        return this.marksOf(expression.of).map((mark) => 1 - mark);
      case 'and':
      case 'or':
        return this.#combine(expression.kind, expression.of);
    }
  }

  #combine(kind: 'and' | 'or', of: readonly SelectionExpression[]): Marks {
    const combined = this.marksOf(of[0]!);
    for (const part of of.slice(1)) {
      const marks = this.marksOf(part);
      for (let index = 0; index < marks.length; index++) {
        if (kind === 'and') combined[index]! &= marks[index]!;
        else combined[index]! |= marks[index]!;
      }
    }
    return combined;
  }

  #around(marks: Marks, upstream: number, downstream: number): Marks {
    const seeds: number[] = [];
    for (let index = 0; index < marks.length; index++) if (marks[index] === 1) seeds.push(index);
    const add = (direction: Direction, depth: number): void => {
      if (depth === 0) return;
      for (const index of this.source.graph.closure(seeds, direction, depth)) marks[index] = 1;
    };
    add('upstream', upstream);
    add('downstream', downstream);
    return marks;
  }

  #attribute(term: SelectionExpression & { kind: 'attribute' }): Marks {
    const { graph } = this.source;
    if (term.attribute === 'key' && !term.glob) {
      const marks = new Uint8Array(graph.size);
      const index = graph.indexOf(term.value);
      if (index === -1) this.#failUnknown(term);
      marks[index] = 1;
      return marks;
    }
    const matches = term.glob ? globMatcher(term.value) : (value: string) => value === term.value;
    const marks = this.#markWhere((index) => this.#valuesOf(index, term.attribute).some(matches));
    if (!term.glob && !marks.includes(1)) this.#failUnknown(term);
    return marks;
  }

  #valuesOf(index: number, attribute: SelectionAttribute): readonly string[] {
    if (attribute === 'key') return [this.source.graph.keyAt(index)];
    const { group, tags, owners, kinds } = this.source.attributesOf(index);
    if (attribute === 'group') return group === undefined ? [] : [group];
    return { tag: tags, owner: owners, kind: kinds }[attribute];
  }

  #markWhere(selects: (index: number) => boolean): Marks {
    const marks = new Uint8Array(this.source.graph.size);
    for (let index = 0; index < marks.length; index++) if (selects(index)) marks[index] = 1;
    return marks;
  }

  #failUnknown({ attribute, value, position }: SelectionExpression & { kind: 'attribute' }): never {
    const known = new Set<string>();
    for (let index = 0; index < this.source.graph.size; index++) {
      for (const existing of this.#valuesOf(index, attribute)) known.add(existing);
    }
    const what = attribute === 'key' ? 'there is no asset' : `no asset has the ${attribute}`;
    const problem = `${what} "${value}"${didYouMean(value, known)}`;
    throw selectionError('FLOWSTONE_SELECTION_UNKNOWN', problem, this.text, position);
  }
}
