import { describe, expect, it } from '@jest/globals';
import { buildGraph, findCycles } from '../../../lib/graph/asset-graph.js';

function nodes(edges: Record<string, readonly string[]>) {
  return Object.entries(edges).map(([key, upstreams]) => ({ key, upstreams }));
}

function names(of: ReturnType<typeof buildGraph>, indices: Iterable<number>): string[] {
  return [...indices].map((index) => of.keyAt(index));
}

const flights = nodes({
  report: ['network', 'ranking'],
  ranking: ['delays', 'airports'],
  network: ['cleaned'],
  delays: ['cleaned', 'airports', 'cleaned'],
  cleaned: ['raw'],
  airports: [],
  raw: [],
});

describe('an asset graph', () => {
  const graph = buildGraph(flights);

  it('orders every asset after its upstreams', () => {
    expect(names(graph, graph.order)).toEqual(['airports', 'raw', 'cleaned', 'network', 'delays', 'ranking', 'report']);
  });

  it('knows neighbours, each once', () => {
    expect(names(graph, graph.upstreamsOf(graph.indexOf('delays')))).toEqual(['cleaned', 'airports']);
    expect(names(graph, graph.downstreamsOf(graph.indexOf('cleaned')))).toEqual(['network', 'delays']);
    expect(graph.indexOf('nobody')).toBe(-1);
  });

  it.each([
    ['upstream', 0, ['ranking']],
    ['upstream', 1, ['ranking', 'delays', 'airports']],
    ['upstream', Infinity, ['ranking', 'delays', 'airports', 'cleaned', 'raw']],
    ['downstream', 1, ['ranking', 'report']],
  ] as const)('walks %s %s steps, nearest first', (direction, depth, expected) => {
    expect(names(graph, graph.closure([graph.indexOf('ranking')], direction, depth))).toEqual(expected);
  });

  it('walks from several seeds without repeating what they share', () => {
    const seeds = [graph.indexOf('network'), graph.indexOf('delays'), graph.indexOf('network')];
    expect(names(graph, graph.closure(seeds, 'upstream'))).toEqual(['network', 'delays', 'cleaned', 'airports', 'raw']);
  });

  it('may be empty', () => {
    expect(buildGraph([]).order).toHaveLength(0);
  });

  it('refuses a cycle and shows its path', () => {
    const cyclic = nodes({ a: ['b'], b: ['c', 'd'], c: ['a'], d: [] });
    expect(() => buildGraph(cyclic)).toThrow(
      expect.objectContaining({
        code: 'FLOWSTONE_GRAPH_CYCLE',
        message: expect.stringContaining('a -> b -> c -> a'),
        context: { cycle: ['a', 'b', 'c', 'a'] },
      }),
    );
  });

  it('walks over look-back edges, which order nothing and may lead in a circle', () => {
    const lookingBack = buildGraph([
      { key: 'forecast', upstreams: ['sales'] },
      { key: 'sales', upstreams: ['raw'], lookBacks: ['forecast'] },
      { key: 'raw', upstreams: [] },
    ]);
    expect(names(lookingBack, lookingBack.order)).toEqual(['raw', 'sales', 'forecast']);
    expect(names(lookingBack, lookingBack.closure([1], 'upstream'))).toEqual(['sales', 'forecast', 'raw']);
    expect(lookingBack.connectedGroups().map((group) => names(lookingBack, group))).toEqual([
      ['raw'],
      ['forecast', 'sales'],
    ]);
  });

  it('refuses two assets of one key, and an upstream that is no asset, with what was meant', () => {
    const invalid = { code: 'FLOWSTONE_GRAPH_INVALID' };
    expect(() => buildGraph([...nodes({ a: [] }), ...nodes({ a: [] })])).toThrow(expect.objectContaining(invalid));
    expect(() => buildGraph(nodes({ airports: [], delays: ['airport'] }))).toThrow(
      expect.objectContaining({ ...invalid, message: expect.stringContaining('did you mean "airports"?') }),
    );
  });
});

describe('finding cycles', () => {
  it('finds none in a graph that has an order', () => {
    expect(findCycles(flights)).toEqual([]);
  });

  it('finds one per knot of assets, also behind another, and of an asset with itself', () => {
    const knots = nodes({ a: ['b', 'x'], b: ['a'], x: ['y'], y: ['z', 'y'], z: ['x'], alone: ['alone', 'unknown'] });
    expect(findCycles(knots)).toEqual([
      ['x', 'y', 'z', 'x'],
      ['a', 'b', 'a'],
      ['alone', 'alone'],
    ]);
  });

  it('takes a chain of 200,000 assets without recursion', () => {
    const size = 200_000;
    const ring = Array.from({ length: size }, (_, i) => ({ key: `a${i}`, upstreams: [`a${(i + 1) % size}`] }));
    expect(findCycles(ring)[0]).toHaveLength(size + 1);
  });
});
