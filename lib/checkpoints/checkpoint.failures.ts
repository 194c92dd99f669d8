// How checkpoints and signals fail where nothing in their class says otherwise.
import { FlowStoneError, type FlowStoneErrorCode } from '../flowstone.errors.js';
import type { ApprovalRecord } from '../ledger/approval.records.js';

export function rejected(approval: ApprovalRecord): FlowStoneError {
  return failed(approval, 'FLOWSTONE_CHECKPOINT_REJECTED', `was rejected by ${approval.decision?.by ?? 'its timeout'}`);
}

export function timedOut(approval: ApprovalRecord): FlowStoneError {
  const how = approval.kind === 'signal' ? 'got no signal in time' : 'was not decided in time';
  return failed(approval, 'FLOWSTONE_CHECKPOINT_TIMED_OUT', how);
}

function failed(
  { id, asset, partition, decision }: ApprovalRecord,
  code: FlowStoneErrorCode,
  how: string,
): FlowStoneError {
  const place = partition === '' ? asset : `${asset}[${partition}]`;
  const { by = null, reason = null } = decision ?? {};
  return new FlowStoneError(
    code,
    `${place} ${how} (approval ${id})${reason === null ? '' : `: ${reason}`}. Change its inputs, or retry the run to ask again.`,
    { context: { asset, partition, approval: id, by, reason } },
  );
}
