// The declared graph for drawing, and the part of it around some assets.
import type { DeclaredAsset } from '../assets/asset.definition.js';

/** Assets as nodes and declared dependencies as edges, for drawing. */
export interface GraphView {
  readonly nodes: readonly (Pick<
    DeclaredAsset,
    'key' | 'external' | 'description' | 'group' | 'tags' | 'owners' | 'kinds'
  > & {
    /** Whether people decide upon it, or it waits for the outside. */
    readonly type: 'asset' | 'checkpoint' | 'signal';
  })[];
  readonly edges: readonly {
    readonly from: string;
    readonly to: string;
    readonly alias: string;
    /** Kind of the mapping, or `after`. */
    readonly mapping: string;
  }[];
}

/** Which way a part of the graph reaches. */
export type GraphDirection = 'upstream' | 'downstream' | 'both';

export function graphView(definitions: readonly DeclaredAsset[]): GraphView {
  return {
    nodes: definitions.map(({ key, external, description, group, tags, owners, kinds, checkpoint }) => ({
      ...{ key, external, tags, owners, kinds, type: checkpoint?.kind ?? 'asset' },
      ...(description !== undefined && { description }),
      ...(group !== undefined && { group }),
    })),
    edges: definitions.flatMap(({ key, dependencies }) =>
      dependencies.map(({ upstream, alias, mapping, ordering }) => ({
        ...{ from: upstream, to: key, alias },
        mapping: ordering ? 'after' : mapping.kind,
      })),
    ),
  };
}

/**
 * What is within so many steps of an asset, with the edges between. By the edges alone: amid a rollout the definitions of
 * different processes may make no graph that could be planned, and are shown all the same.
 */
export function partOfGraph(view: GraphView, asset: string, depth: number, direction: GraphDirection): GraphView {
  const reached = new Set([asset]);
  if (direction !== 'downstream') reach(reached, asset, depth, neighbours(view, 'to', 'from'));
  if (direction !== 'upstream') reach(reached, asset, depth, neighbours(view, 'from', 'to'));
  return {
    nodes: view.nodes.filter(({ key }) => reached.has(key)),
    edges: view.edges.filter(({ from, to }) => reached.has(from) && reached.has(to)),
  };
}

function neighbours(
  { edges }: GraphView,
  of: 'from' | 'to',
  are: 'from' | 'to',
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const edge of edges) {
    const known = found.get(edge[of]);
    if (known) known.push(edge[are]);
    else found.set(edge[of], [edge[are]]);
  }
  return found;
}

function reach(into: Set<string>, asset: string, depth: number, next: ReadonlyMap<string, readonly string[]>): void {
  const seen = new Set([asset]);
  let layer = [asset];
  for (let step = 0; step < depth && layer.length > 0; step++) {
    layer = [...new Set(layer.flatMap((key) => next.get(key) ?? []))].filter((key) => !seen.has(key));
    for (const key of layer) seen.add(key);
  }
  for (const key of seen) into.add(key);
}
