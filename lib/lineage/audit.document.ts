// One materialization with everything that is recorded of it, as one document.
import type { ApprovalAct, ApprovalRecord } from '../ledger/approval.records.js';
import type { TracedRemoval, TracedVersion } from '../ledger/lineage.port.js';
import type { EventRecord, MaterializationRecord, RunRecord } from '../ledger/records.js';
import type { LineageParts } from './lineage.parts.js';
import { noSuchVersion } from './trace.js';

/** Events, neighbours and approvals that are told at most, of each. */
const MOST = 1000;

/** An approval that a checkpoint asked for, with what happened to it, oldest first. */
export interface AuditedApproval extends ApprovalRecord {
  readonly acts: readonly ApprovalAct[];
}

/** Everything recorded of one materialization. Plain data: `JSON.stringify` keeps all of it, times as ISO texts. */
export interface AuditDocument {
  readonly asset: string;
  /** `''` for an unpartitioned asset. */
  readonly partition: string;
  readonly isHead: boolean;
  /** Status, attempts, times, process, error; versions; where its value is, its size and hash; metadata. */
  readonly execution: MaterializationRecord;
  /** Who asked for it, and for what; null: reported, or retention removed the run. */
  readonly run: RunRecord | null;
  /** What it consumed, and what consumed it. */
  readonly lineage: {
    readonly consumed: readonly (TracedVersion | TracedRemoval)[];
    readonly consumers: readonly (TracedVersion | TracedRemoval)[];
  };
  /** Who decided upon it: requests for decisions, oldest first. */
  readonly approvals: readonly AuditedApproval[];
  /** What happened to it, and since it was made to its partition, oldest first. */
  readonly events: readonly EventRecord[];
  /** Of neighbours, events or approvals there are more than the 1,000 of each that are told. */
  readonly truncated: boolean;
}

/** @throws FlowStoneError FLOWSTONE_VALUE_MISSING where nothing is recorded */
export async function auditOf(
  parts: LineageParts,
  { asset, key: partition }: { readonly asset: string; readonly key: string },
  version: number | undefined,
): Promise<AuditDocument> {
  const { ledger } = parts;
  const [heads] = await ledger.heads([{ asset, partitions: [partition] }]);
  const head = heads!.get(partition)?.materialization ?? null;
  const execution = await found();
  const { id } = execution;
  const [run, consumed, consumers, events, approvals] = [
    execution.run === null ? undefined : await ledger.run(execution.run),
    await neighbours('upstream'),
    await neighbours('downstream'),
    await ledger.lineage.eventsOf(id, MOST + 1),
    await ledger.approvals.approvals({ materialization: id }, { limit: MOST, order: 'newest' }),
  ];
  const audited: AuditedApproval[] = [];
  for (const approval of approvals.items.toReversed()) {
    audited.push({ ...approval, acts: await ledger.approvals.acts(approval.id) });
  }
  const cut = consumed.truncated || consumers.truncated || events.length > MOST || approvals.next !== null;
  return {
    ...{ asset, partition, isHead: id === head, execution, run: run ?? null },
    lineage: { consumed: consumed.versions, consumers: consumers.versions },
    approvals: audited,
    events: events.slice(0, MOST),
    truncated: cut,
  };

  async function found(): Promise<MaterializationRecord> {
    const newest = async (): Promise<MaterializationRecord | undefined> =>
      (await ledger.materializations({ asset, partition }, { limit: 1 })).items[0];
    const wanted = version ?? head;
    const record = wanted === null ? await newest() : await ledger.materialization(wanted);
    if (record?.asset === asset && record.partition === partition) return record;
    const what =
      version === undefined ? 'nothing recorded' : `no materialization ${version}, unless retention removed it`;
    throw noSuchVersion(asset, partition, what, version);
  }

  /** Of what did not succeed, edges are those of a plan and no provenance. */
  async function neighbours(direction: 'upstream' | 'downstream') {
    if (execution.status !== 'success') return { versions: [], truncated: false };
    const walk = { direction, depth: 1, most: MOST + 1, at: null };
    const { versions, truncated } = await ledger.lineage.trace(id, walk);
    return { versions: versions.slice(1), truncated };
  }
}
