import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FlowStoneError } from '../../lib/flowstone.errors.js';
import { buildGraph, findCycles } from '../../lib/graph/asset-graph.js';
import { globMatcher } from '../../lib/graph/glob.js';
import { parseSelection } from '../../lib/graph/selection-parser.js';

/** Edges between up to 20 assets: of any direction, or only to assets of lower number. */
const graphs = (acyclic: boolean) =>
  fc.array(fc.array(fc.nat(19), { maxLength: 5 }), { maxLength: 20 }).map((rows) =>
    rows.map((row, index) => {
      const targets = row.filter((target) => target < (acyclic ? index : rows.length));
      return { key: `a${index}`, upstreams: targets.map((target) => `a${target}`) };
    }),
  );

/** How often the inputs of the parser are drawn; a long run sets FLOWSTONE_FUZZ_RUNS=1000000. */
const fuzzRuns = Number(process.env.FLOWSTONE_FUZZ_RUNS ?? 20_000);

describe('graphs', () => {
  it('have an order that respects every edge, and reach by closure what is reachable', () => {
    fc.assert(
      fc.property(graphs(true), fc.nat(), (nodes, pick) => {
        const graph = buildGraph(nodes);
        const place = new Map([...graph.order].map((index, at) => [index, at]));
        expect(place.size).toBe(nodes.length);
        for (const index of graph.order) {
          for (const upstream of graph.upstreamsOf(index)) expect(place.get(upstream)).toBeLessThan(place.get(index)!);
        }
        if (nodes.length === 0) return;
        const seed = pick % nodes.length;
        const reachable = (from: number): number[] => [from, ...[...graph.upstreamsOf(from)].flatMap(reachable)];
        expect(new Set(graph.closure([seed], 'upstream'))).toEqual(new Set(reachable(seed)));
      }),
    );
  });

  it('are refused exactly when a cycle is found, and every cycle found is one', () => {
    fc.assert(
      fc.property(graphs(false), (nodes) => {
        const cycles = findCycles(nodes);
        const upstreams = new Map(nodes.map((node) => [node.key, node.upstreams]));
        for (const cycle of cycles) {
          expect(cycle.length).toBeGreaterThan(1);
          expect(cycle[0]).toBe(cycle.at(-1));
          for (let at = 1; at < cycle.length; at++) expect(upstreams.get(cycle[at - 1]!)).toContain(cycle[at]);
        }
        if (cycles.length === 0) expect(buildGraph(nodes).size).toBe(nodes.length);
        else expect(() => buildGraph(nodes)).toThrow(expect.objectContaining({ code: 'FLOWSTONE_GRAPH_CYCLE' }));
      }),
    );
  });
});

describe('selections', () => {
  const piece = fc.constantFrom(
    ...[
      'and',
      'or',
      'not',
      '+',
      '2',
      '(',
      ')',
      ' ',
      ' ',
      '*',
      '?',
      'tag:',
      'status:',
      'stale',
      '"',
      "'",
      '\\',
      ',',
      'a',
      'daily_',
    ],
  );
  const texts = fc.oneof(
    fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
    fc.string({ unit: 'binary' }),
  );

  it('are either read or refused with a typed error, whatever the text', () => {
    let read = 0;
    fc.assert(
      fc.property(texts, (text) => {
        try {
          expect(parseSelection(text).text).toBe(text);
          read++;
        } catch (error) {
          if (!(error instanceof FlowStoneError)) throw error;
          expect(error.code).toBe('FLOWSTONE_SELECTION_INVALID');
        }
      }),
      { numRuns: fuzzRuns },
    );
    expect(read).toBeGreaterThan(fuzzRuns / 100);
  });

  it('match patterns as a regular expression would', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
    fc.assert(
      fc.property(pattern, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 }), (glob, text) => {
        const expression = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        expect(globMatcher(glob)(text)).toBe(expression.test(text));
      }),
      { numRuns: 2000 },
    );
  });
});
