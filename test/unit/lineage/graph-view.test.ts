import { describe, expect, it } from '@jest/globals';
import { partOfGraph, type GraphView } from '../../../lib/lineage/graph.view.js';

/** a -> b -> c -> d, a -> c, and e -> e, which consumes its own past. */
const edge = (from: string, to: string) => ({ from, to, alias: 'input', mapping: 'same' });
const view: GraphView = {
  nodes: ['a', 'b', 'c', 'd', 'e'].map((key) => ({
    key,
    type: 'asset',
    external: false,
    tags: [],
    owners: [],
    kinds: [],
  })),
  edges: [edge('a', 'b'), edge('b', 'c'), edge('c', 'd'), edge('a', 'c'), edge('e', 'e')],
};
const part = (...args: [string, number, 'upstream' | 'downstream' | 'both']) => {
  const { nodes, edges } = partOfGraph(view, ...args);
  return [nodes.map(({ key }) => key).join(''), edges.map(({ from, to }) => from + to).join(' ')];
};

describe('a part of the graph', () => {
  it.each([
    ['b', Infinity, 'both', 'abcd', 'ab bc cd ac'],
    ['b', Infinity, 'upstream', 'ab', 'ab'],
    ['b', Infinity, 'downstream', 'bcd', 'bc cd'],
    ['b', 1, 'both', 'abc', 'ab bc ac'],
    ['d', 2, 'upstream', 'abcd', 'ab bc cd ac'],
    ['d', 1, 'upstream', 'cd', 'cd'],
    ['a', 0, 'both', 'a', ''],
    ['e', Infinity, 'both', 'e', 'ee'],
  ] as const)('around %s, %i steps %s, has the nodes %s', (asset, depth, direction, nodes, edges) => {
    expect(part(asset, depth, direction)).toEqual([nodes, edges]);
  });

  it('goes either way from the asset, never back', () => {
    // What else consumes what is upstream of b is no part of b's.
    expect(part('b', 1, 'upstream')).toEqual(['ab', 'ab']);
  });
});
