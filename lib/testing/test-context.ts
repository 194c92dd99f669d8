// What code of assets is given and told in tests, where nothing runs around it.
import {
  contextPartition,
  type AssetContext,
  type ContextLogger,
  type ContextReport,
} from '../assets/asset.context.js';
import { isRowStream } from '../io/data-version.js';
import { rowsOf } from '../io/rows.js';

/** A partition as an asset is told of it. */
export interface GivenPartition {
  readonly key: string;
  readonly window?: { readonly start: Date; readonly end: Date };
  readonly dimensions?: Readonly<Record<string, string>>;
}

export type Logged = readonly (readonly [level: string, message: unknown])[];

/** Of the attempt that is made. */
export interface AttemptOptions {
  readonly partition?: GivenPartition;
  /** Default 1. */
  readonly attempt?: number;
  readonly previousVersion?: string;
  readonly signal?: AbortSignal;
}

/** What code told beside its value. */
export interface Told {
  readonly reports: readonly ContextReport[];
  /** What was logged, as [level, message]. */
  readonly logs: Logged;
  readonly progress: readonly (readonly [done: number, total: number | undefined])[];
}

/** A context for one attempt, and what is told to it. */
export function contextFor(
  asset: object,
  options: AttemptOptions & { readonly resources?: unknown },
): Told & { readonly context: AssetContext } {
  const reports: ContextReport[] = [];
  const logs: [string, unknown][] = [];
  const progress: [number, number | undefined][] = [];
  const { key = '', window, dimensions } = options.partition ?? {};
  const context: AssetContext = {
    run: 1,
    asset: asset.constructor.name,
    partition: contextPartition(key, window, dimensions),
    attempt: options.attempt ?? 1,
    epoch: 1,
    resources: options.resources ?? {},
    logger: loggerInto(logs),
    signal: options.signal ?? new AbortController().signal,
    idempotencyKey: 'test:1',
    previousVersion: options.previousVersion,
    report: (report) => void reports.push(report),
    progress: (done, total) => void progress.push([done, total]),
  };
  return { context, reports, logs, progress };
}

/** A value as consumers are given it. */
export async function asConsumed(value: unknown): Promise<unknown> {
  if (!isRowStream(value)) return value;
  const rows: unknown[] = [];
  for await (const row of value) rows.push(row);
  return rowsOf(rows);
}

/** Keeps what is logged. */
export function loggerInto(logs: [string, unknown][]): ContextLogger {
  const logTo = (level: string) => (message: unknown) => void logs.push([level, message]);
  return {
    log: logTo('log'),
    warn: logTo('warn'),
    error: logTo('error'),
    debug: logTo('debug'),
    verbose: logTo('verbose'),
  };
}
