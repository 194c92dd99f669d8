// What a ledger tells whoever wants of an approval what cannot be.
import { FlowStoneError } from '../flowstone.errors.js';
import { nameOf, type ApprovalAnswer } from './approval.machine.js';
import type { ApprovalRecord } from './approval.records.js';

export function approvalUnknown(id: number): FlowStoneError {
  const message = `There is no approval ${id}. Look at the list of approvals.`;
  return new FlowStoneError('FLOWSTONE_APPROVAL_UNKNOWN', message, { context: { approval: id } });
}

/** The machine's refusal as an error. */
export function refusal({ code, message, context }: Extract<ApprovalAnswer, { kind: 'refused' }>): FlowStoneError {
  return new FlowStoneError(code, message, { context });
}

/** Somebody wanted to decide what was superseded just then. */
export function refusalOfMoved(approval: ApprovalRecord): FlowStoneError {
  const message = `${nameOf(approval)} is void: one of its inputs has another version than was shown. People are asked again where that is needed.`;
  return new FlowStoneError('FLOWSTONE_APPROVAL_CONFLICT', message, {
    context: { approval: approval.id, status: 'superseded', winner: null },
  });
}

/** A signal has come that is not the one which came before. */
export function refusalOfSecond(materialization: number): FlowStoneError {
  const message = `Materialization ${materialization} was given another signal before. Nothing was changed.`;
  return new FlowStoneError('FLOWSTONE_APPROVAL_CONFLICT', message, {
    context: { materialization, status: 'received', winner: null },
  });
}
