// Recorded provenance of one version: where it begins, and the walk from there.
import { FlowStoneError } from '../flowstone.errors.js';
import type { ApprovalDecision } from '../ledger/approval.records.js';
import type { TracedEdge, TracedRemoval, TracedVersion, Walk } from '../ledger/lineage.port.js';
import type { LineageParts } from './lineage.parts.js';
import type { TraceOptions } from './lineage.requests.js';

/** Versions that are told where nothing else is asked for. */
const USUAL_LIMIT = 10_000;
const NO_END = 1_000_000;

/** What a version came of, or what came of it. */
export interface LineageTrace {
  readonly asset: string;
  /** `''` for an unpartitioned asset. */
  readonly partition: string;
  /** The version it begins with; null: there is none, or was none then. */
  readonly materialization: number | null;
  /** Each version once, the nearest first; the first is where it begins. */
  readonly nodes: readonly (TracedVersion | TracedRemoval)[];
  /** Of checkpoints and signals among them, by materialization: how they were decided, and by whom. */
  readonly decisions: readonly TracedDecision[];
  /** Which consumed which, as far as it was followed. */
  readonly edges: readonly TracedEdge[];
  /** There is more within the depth than `limit`, or more edges between them than ten for each of these. */
  readonly truncated: boolean;
}

/** How a version came to be that people, or the outside, decided upon. */
export interface TracedDecision extends ApprovalDecision {
  readonly materialization: number;
  readonly approval: number;
}

export async function findTrace(
  parts: LineageParts,
  { asset, key: partition }: { readonly asset: string; readonly key: string },
  direction: Walk['direction'],
  options: TraceOptions,
): Promise<LineageTrace> {
  const { ledger } = parts;
  const { version, at = null, depth = NO_END, limit = USUAL_LIMIT } = options;
  const place = { asset, partition };
  const from = version === undefined ? await headOf() : await requireVersion(version);
  if (from === null) return { ...place, materialization: null, nodes: [], decisions: [], edges: [], truncated: false };
  const { versions, edges, truncated } = await ledger.lineage.trace(from, { direction, depth, most: limit, at });
  const decisions = await decisionsOf(parts, versions);
  return { ...place, materialization: from, nodes: versions, decisions, edges, truncated };

  async function headOf(): Promise<number | null> {
    if (at !== null) return (await ledger.lineage.versionAt(asset, partition, at)) ?? null;
    const [heads] = await ledger.heads([{ asset, partitions: [partition] }]);
    return heads!.get(partition)?.materialization ?? null;
  }

  async function requireVersion(id: number): Promise<number> {
    const record = await ledger.materialization(id);
    const isThis = record?.asset === asset && record.partition === partition && record.status === 'success';
    if (isThis) return id;
    throw noSuchVersion(asset, partition, `no version ${id}, unless retention removed its record`, id);
  }
}

async function decisionsOf(
  parts: LineageParts,
  versions: readonly (TracedVersion | TracedRemoval)[],
): Promise<TracedDecision[]> {
  const decided = new Set(parts.definitions().flatMap(({ key, checkpoint }) => (checkpoint ? [key] : [])));
  const ids = versions.flatMap((version) =>
    'asset' in version && decided.has(version.asset) ? [version.materialization] : [],
  );
  if (ids.length === 0) return [];
  const found = await parts.ledger.approvals.decided(ids);
  return Array.from(found, ([materialization, { approval }]) => ({
    ...{ materialization, approval: approval.id },
    ...approval.decision!,
  }));
}

/** @param what of its versions it does not have */
export function noSuchVersion(asset: string, partition: string, what: string, version?: number): FlowStoneError {
  const name = partition === '' ? asset : `${asset}[${partition}]`;
  return new FlowStoneError('FLOWSTONE_VALUE_MISSING', `${name} has ${what}. See history().`, {
    context: { asset, partition, version },
  });
}
