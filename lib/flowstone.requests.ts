// What the methods of the service take beside what they are about: each option with its type, its meaning and what is
// expected of it. What comes of them is decided where they are used.
import { flag, isRecord, oneOf, text, wholeFrom, type Expectation } from './assets/expectations.js';
import type { LogPlace } from './ledger/logs.port.js';
import { EXPECTED_DURATION, readDuration, type Duration } from './assets/duration.js';
import type { EntityManager, PageRequest } from './ledger/ledger.port.js';
import type { JsonObject, RunRecord } from './ledger/records.js';
import type { PartitionKeyInput } from './partitions/partition-key.js';
import type { EnsureConditions } from './runs/ensurer.js';
import { elsewhere, requireStorable, type Expected } from './request.options.js';
import type { PlanOptions } from './runs/request.reader.js';
import type { RunOptions } from './runs/requester.js';

/** Who acts, why, and in which transaction. */
export interface ActOptions {
  readonly by?: string;
  readonly reason?: string;
  /** An open transaction on the ledger's database: the act exists exactly if it commits. */
  readonly manager?: EntityManager;
}

export interface MaterializeOptions extends PlanOptions, RunOptions {}

export interface EnsureOptions extends EnsureConditions {
  readonly partition?: PartitionKeyInput;
}

/** Which partitions an act names; without any: all. */
export interface PartitionsOfAct {
  readonly partition?: PartitionKeyInput;
  readonly partitions?: readonly PartitionKeyInput[];
}

/** Of a partitioned asset, that it is all of them has to be said. */
export interface DeleteOptions extends Omit<ActOptions, 'manager'> {
  readonly partition?: PartitionKeyInput;
  readonly partitions?: readonly PartitionKeyInput[] | 'all';
}

export interface LoadOptions {
  readonly partition?: PartitionKeyInput;
  /** Id of an earlier materialization. */
  readonly version?: number;
}

export interface PreviewOptions extends LoadOptions {
  /** Rows at most, up to 1,000; 20 by default. */
  readonly rows?: number;
}

/** Which runs are listed; without anything: all. */
export interface RunFilter {
  readonly status?: readonly RunRecord['status'][];
  /** Key of an asset of which the run has a materialization. */
  readonly asset?: string;
}

export interface HistoryOptions extends Partial<PageRequest> {
  readonly partition?: PartitionKeyInput;
}

/** The version that an external asset has now. */
export interface ReportedVersion {
  readonly dataVersion: string;
  readonly partition?: PartitionKeyInput;
  readonly metadata?: JsonObject;
}

const list: Expectation = (value) => (Array.isArray(value) ? undefined : 'a list');
const record: Expectation = (value) => (isRecord(value) ? undefined : 'an object');
const namedPartitions = oneOf('all', 'missing', 'stale', 'failed');
const somePartitions: Expectation = (value) => {
  const isRange = isRecord(value) && Object.keys(value).sort().join() === 'from,to';
  const problem = isRange || Array.isArray(value) ? undefined : namedPartitions(value);
  return problem && `${problem} or a list or { from, to }`;
};
const STATUSES: readonly RunRecord['status'][] = ['planning', 'running', 'success', 'failed', 'cancelled'];

/** What materialize() takes serves plan() as well, but for a transaction: it does not read in that. */
export const PLAN: Expected<PlanOptions & Omit<RunOptions, 'manager'>> = {
  partition: elsewhere,
  partitions: somePartitions,
  upstream: oneOf('stale', 'all', 'none'),
  downstream: flag,
  force: flag,
  runKey: elsewhere,
  priority: wholeFrom(-1_000_000),
  tags: record,
  requestedBy: elsewhere,
  maxConcurrency: wholeFrom(1),
  failFast: flag,
};

export const MATERIALIZE: Expected<MaterializeOptions> = { ...PLAN, manager: elsewhere };

export const ENSURE: Expected<EnsureOptions> = {
  partition: elsewhere,
  maxAge: elsewhere,
  stale: oneOf('ok'),
  timeout: elsewhere,
};

export const LOAD: Expected<LoadOptions> = { partition: elsewhere, version: elsewhere };

export const PREVIEW: Expected<PreviewOptions> = { ...LOAD, rows: wholeFrom(1, 1000) };

export const RUNS: Expected<RunFilter> = {
  status: (value) =>
    Array.isArray(value) && value.every((status) => STATUSES.includes(status))
      ? undefined
      : `a list of ${STATUSES.join(', ')}`,
  asset: text,
};

/** Which lines of a log. */
export interface LogOptions {
  /** Those after this line, or after its place. Left out: from the first. */
  readonly after?: LogPlace;
  /** At most so many. Default 1,000. */
  readonly limit?: number;
}

const place: Expectation = (value) =>
  isRecord(value) && Number.isSafeInteger(value['epoch']) && Number.isSafeInteger(value['number'])
    ? undefined
    : 'a line of the log, or its { epoch, number }';

export const LOGS: Expected<LogOptions> = { after: place, limit: wholeFrom(1, 10_000) };

/** For how long a token is valid. */
export interface ProgressTokenOptions {
  /** Default `15m`; at most `1d`. */
  readonly ttl?: Duration;
}

const shortTime: Expectation = (value) => {
  const milliseconds = readDuration(value);
  const isShort = milliseconds !== undefined && milliseconds > 0 && milliseconds <= 86_400_000;
  return isShort ? undefined : `a duration of at most 1d: ${EXPECTED_DURATION}`;
};

export const PROGRESS_TOKEN: Expected<ProgressTokenOptions> = { ttl: shortTime };

export const FOLLOW: Expected<Pick<LogOptions, 'after'>> = { after: place };

/** Looked at as a whole. */
export const PAGE: Expected<PageRequest> = { limit: elsewhere, before: elsewhere };

export const HISTORY: Expected<HistoryOptions> = { partition: elsewhere, ...PAGE };

export const RETRY: Expected<Pick<RunOptions, 'requestedBy'>> = { requestedBy: elsewhere };

export const CANCEL: Expected<Omit<ActOptions, 'manager'>> = { by: elsewhere, reason: elsewhere };

export const ACT: Expected<ActOptions> = { ...CANCEL, manager: elsewhere };

export const INVALIDATE: Expected<PartitionsOfAct & ActOptions> = { partition: elsewhere, partitions: list, ...ACT };

export const DELETE: Expected<DeleteOptions> = {
  partition: elsewhere,
  partitions: (value) => (value === 'all' ? undefined : list(value) && "a list or 'all'"),
  ...CANCEL,
};

export const REPORT: Expected<ReportedVersion> = { dataVersion: text, partition: elsewhere, metadata: record };

/** Who acts and why, as the ledger keeps it. @throws FlowStoneError FLOWSTONE_REQUEST_INVALID */
export function actOf({ by, reason, manager }: ActOptions): {
  actor: string | null;
  reason: string | null;
  manager?: EntityManager;
} {
  requireStorable('by and reason', [by, reason]);
  return { actor: by ?? null, reason: reason ?? null, ...(manager && { manager }) };
}
