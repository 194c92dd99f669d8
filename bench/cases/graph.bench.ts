// The graph of 100,000 assets: build, order, cycle check, closure.
import type { GraphNode } from '../../lib/graph/asset-graph.js';
import { buildGraph } from '../../lib/graph/asset-graph.js';
import type { BenchCase } from '../bench.case.js';

const ASSETS = 100_000;
const LAYER = 1000;
const UPSTREAMS = 3;

/** A hundred layers of a thousand assets, each consuming three of the layer before. */
function layeredNodes(): GraphNode[] {
  const nodes: GraphNode[] = [];
  for (let index = 0; index < ASSETS; index++) {
    const upstreams: string[] = [];
    for (let count = 0; count < UPSTREAMS && index >= LAYER; count++) {
      const layerBefore = index - LAYER - (index % LAYER);
      upstreams.push(nodes[layerBefore + ((index * 7 + count * 331) % LAYER)]!.key);
    }
    nodes.push({ key: `asset_${index}`, upstreams });
  }
  return nodes;
}

const bench: BenchCase = {
  title: 'graph of 100,000 assets: build, order, cycle check, closure',
  nodeOptions: ['--expose-gc'],
  parts: {
    graph() {
      const nodes = layeredNodes();
      // What making the nodes left behind is not part of building the graph.
      globalThis.gc?.();
      const start = performance.now();
      // Building orders, and refuses a cycle.
      const graph = buildGraph(nodes);
      const below = graph.closure([0], 'downstream');
      const above = graph.closure([ASSETS - 1], 'upstream');
      const ms = performance.now() - start;
      if (graph.order.length !== ASSETS) throw new Error('the order is incomplete');
      if (below.length < ASSETS / 2 || above.length < ASSETS / 2) throw new Error('the closures are incomplete');
      return { ms };
    },
  },
  measures: [{ name: 'all of it', unit: 'ms', ours: 'ms', atMost: 150 }],
};

export default bench;
