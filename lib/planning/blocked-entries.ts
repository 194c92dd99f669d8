// Which planned nodes cannot run, since something they must consume does not exist.

import { FlowStoneError } from '../flowstone.errors.js';
import type { Inclusion } from './inclusion.js';
import { MARK } from './inclusion.js';
import type { NodeStates } from './node-states.js';
import type { Pace } from './pace.js';
import type { PlanningScope } from './planning-scope.js';
import { MOST_LISTED, namePartitions } from './reasons.js';
import { ROLE } from './scope-edges.js';

/** The blocked nodes of a plan. Errors are made when asked for: there may be a million. */
export class BlockedEntries {
  /** @internal Made by {@link findBlocked}. */
  constructor(
    private readonly scope: PlanningScope,
    private readonly blocked: ReadonlySet<number>,
    private readonly lacks: (upstream: number, role: number) => boolean,
  ) {}

  get isEmpty(): boolean {
    return this.blocked.size === 0;
  }

  has(node: number): boolean {
    return this.blocked.has(node);
  }

  errorOf(node: number): FlowStoneError | undefined {
    if (!this.blocked.has(node)) return undefined;
    return this.#missingPartitions(node) ?? this.#missingValues(node);
  }

  /** A mapping names upstream partitions that do not exist. */
  #missingPartitions(node: number): FlowStoneError | undefined {
    const { model } = this.scope;
    const block = this.scope.blockOf(node);
    const ordinal = block.ranges.ordinalAt(node - block.start);
    for (const { declared, mapping } of model.dependenciesOf(block.asset)) {
      const missing = declared.optional ? [] : mapping.missingOf(ordinal);
      if (missing.length === 0) continue;
      const upstream = namePartitions(declared.upstream, missing, missing.length);
      const message = `${this.#name(node)} consumes ${upstream}, which does not exist: correct the mapping or the partitions, or allow it with allowMissing`;
      return this.#error('FLOWSTONE_PLAN_UPSTREAM_PARTITION_MISSING', message, node, declared.upstream);
    }
    return undefined;
  }

  /** Nothing was ever materialized, and nothing will be by this plan. */
  #missingValues(node: number): FlowStoneError {
    const missing = new Map<string, string[]>();
    this.scope.eachUpstream(node, (upstream, role) => {
      if (!this.lacks(upstream, role)) return;
      const asset = this.scope.assetKeyOf(upstream);
      missing.set(asset, [...(missing.get(asset) ?? []), this.scope.partitionKeyOf(upstream)]);
    });
    const [upstream, partitions] = [...missing][0]!;
    const name = namePartitions(upstream, partitions.slice(0, MOST_LISTED), partitions.length);
    const message = `${this.#name(node)} needs ${name}, which has no value and is not planned: materialize it first, or leave out upstream: 'none'`;
    return this.#error('FLOWSTONE_PLAN_UPSTREAM_MISSING', message, node, upstream);
  }

  #name(node: number): string {
    return namePartitions(this.scope.assetKeyOf(node), [this.scope.partitionKeyOf(node)], 1);
  }

  #error(
    code: 'FLOWSTONE_PLAN_UPSTREAM_MISSING' | 'FLOWSTONE_PLAN_UPSTREAM_PARTITION_MISSING',
    message: string,
    node: number,
    upstream: string,
  ): FlowStoneError {
    const context = { asset: this.scope.assetKeyOf(node), partition: this.scope.partitionKeyOf(node), upstream };
    return new FlowStoneError(code, message, { context });
  }
}

/**
 * Finds the blocked ones among the planned `nodes`. `upstreamNone`: what they need is not planned in, and may have no
 * value.
 */
export async function findBlocked(
  scope: PlanningScope,
  states: NodeStates,
  inclusion: Inclusion,
  nodes: Int32Array,
  upstreamNone: boolean,
  pace: Pace,
): Promise<BlockedEntries> {
  const lacks = (upstream: number, role: number): boolean =>
    role !== ROLE.optional && !states.hasValue(upstream) && !inclusion.has(upstream, MARK.external | MARK.planned);
  const blocked = new Set<number>();
  for (const block of scope.blocks) {
    const dependencies = scope.model.dependenciesOf(block.asset).filter(({ declared }) => !declared.optional);
    if (dependencies.length === 0) continue;
    await pace.through(block.ranges.size, (from, to) => {
      for (let position = from; position < to; position++) {
        const node = block.start + position;
        if (!inclusion.has(node, MARK.planned)) continue;
        const ordinal = block.ranges.ordinalAt(position);
        if (dependencies.some(({ mapping }) => mapping.missingOf(ordinal).length > 0)) blocked.add(node);
      }
    });
  }
  if (upstreamNone) {
    await pace.through(nodes.length, (from, to) => {
      for (const node of nodes.subarray(from, to)) {
        scope.eachUpstream(node, (upstream, role) => {
          if (lacks(upstream, role)) blocked.add(node);
        });
      }
    });
  }
  return new BlockedEntries(scope, blocked, lacks);
}
