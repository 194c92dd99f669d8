// What the methods of `flowstone.approvals` take, and what is expected of it.
import { isRecord, oneOf, text, wholeFrom, type Expectation } from '../assets/expectations.js';
import { EXPECTED_WAIT, isWait, type AudienceOptions } from '../assets/checkpoint.options.js';
import type { AssetClass } from '../assets/asset.definition.js';
import type { Duration } from '../assets/duration.js';
import type { ApprovalStatus } from '../ledger/approval.records.js';
import { elsewhere, type Expected } from '../request.options.js';

/** Who acts upon an approval. The application has to know that it is them: FlowStone only compares names. */
export interface ActingPerson {
  readonly by: string;
  /** The roles that they have. */
  readonly roles?: readonly string[];
  readonly reason?: string;
}

export interface ApproveOptions extends ActingPerson {
  /** The number of the modification that is agreed to, where another reviewer has proposed one. */
  readonly proposal?: number;
}

export interface EscalateOptions extends ActingPerson {
  /** Default: the next step of the declared chain. */
  readonly to?: AudienceOptions;
}

export interface ExtendOptions extends ActingPerson {
  /** Default: the declared timeout. */
  readonly for?: Duration;
}

/** Which approvals are listed; without anything: the open ones. */
export interface ApprovalsFilter {
  readonly status?: ApprovalStatus | readonly ApprovalStatus[] | 'all';
  readonly asset?: AssetClass | string;
  readonly run?: number;
  readonly materialization?: number;
  /** Only those that this person may decide. */
  readonly for?: { readonly user: string; readonly roles?: readonly string[] };
}

/** Which signals are listed; without anything: those that are waited for. */
export interface SignalsFilter {
  readonly status?: ApprovalStatus | readonly ApprovalStatus[] | 'all';
  readonly asset?: AssetClass | string;
  readonly run?: number;
}

export interface ApprovalsPage {
  /** Default 50. */
  readonly limit?: number;
  /** The `next` of the page before. */
  readonly before?: number;
  /** Default: by deadline, those without one last. */
  readonly order?: 'deadline' | 'newest';
}

const STATUSES: readonly ApprovalStatus[] = [
  ...(['open', 'approved', 'modified', 'rejected', 'received', 'timed_out', 'superseded', 'cancelled'] as const),
];

const texts: Expectation = (value) =>
  Array.isArray(value) && value.every((item) => text(item) === undefined) ? undefined : 'a list of non-empty strings';
const id: Expectation = (value) =>
  Number.isSafeInteger(value) && (value as number) > 0 ? undefined : 'a whole number of at least 1';
const audience: Expectation = (value) => {
  const names = isRecord(value) ? Object.entries(value) : [];
  const fits =
    names.length > 0 &&
    names.every(([name, list]) => (name === 'users' || name === 'roles') && texts(list) === undefined);
  return fits ? undefined : "an object { users: ['...'], roles: ['...'] }";
};
const someone: Expectation = (value) => {
  const fits =
    isRecord(value) &&
    text(value['user']) === undefined &&
    (value['roles'] === undefined || texts(value['roles']) === undefined);
  return fits ? undefined : "an object { user: '...', roles: ['...'] }";
};

export const PERSON: Expected<ActingPerson> = { by: text, roles: texts, reason: text };
export const APPROVE: Expected<ApproveOptions> = { ...PERSON, proposal: id };
export const ESCALATE: Expected<EscalateOptions> = { ...PERSON, to: audience };
export const EXTEND: Expected<ExtendOptions> = {
  ...PERSON,
  for: (value) => (isWait(value) ? undefined : EXPECTED_WAIT),
};
export const APPROVALS: Expected<ApprovalsFilter> = {
  status: (value) => {
    const named = Array.isArray(value) ? (value as unknown[]) : [value];
    const known = value === 'all' || named.every((status) => STATUSES.includes(status as ApprovalStatus));
    return known ? undefined : `'all', or some of ${STATUSES.join(', ')}`;
  },
  asset: elsewhere,
  run: id,
  materialization: id,
  for: someone,
};
export const SIGNALS: Expected<SignalsFilter> = { status: APPROVALS.status, asset: elsewhere, run: id };
export const APPROVALS_PAGE: Expected<ApprovalsPage> = {
  limit: wholeFrom(1, 1000),
  before: id,
  order: oneOf('deadline', 'newest'),
};
