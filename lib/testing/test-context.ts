// What code of assets is given and told in tests, where nothing runs around it.
import {
  contextPartition,
  type AssetContext,
  type BatchLog,
  type ContextLog,
  type ContextLogger,
  type ContextReport,
  type LogFields,
} from '../assets/asset.context.js';
import { isRowStream } from '../io/data-version.js';
import { rowsOf } from '../io/rows.js';

/** A partition as an asset is told of it. */
export interface GivenPartition {
  readonly key: string;
  readonly window?: { readonly start: Date; readonly end: Date };
  readonly dimensions?: Readonly<Record<string, string>>;
}

type LoggedLine = [level: string, message: unknown, fields?: LogFields];
export type Logged = readonly Readonly<LoggedLine>[];

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
  /** What was logged, as [level, message], with fields [level, message, fields]. */
  readonly logs: Logged;
  readonly progress: readonly (readonly [done: number, total: number | undefined])[];
}

/** A context for one attempt, and what is told to it. */
export function contextFor(
  asset: object,
  options: AttemptOptions & { readonly resources?: unknown },
): Told & { readonly context: AssetContext } {
  const reports: ContextReport[] = [];
  const logs: LoggedLine[] = [];
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
    log: logInto(logs),
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

/** Keeps what is logged by `context.log`. */
function logInto(logs: LoggedLine[]): ContextLog {
  const logTo = (level: string) => (message: string, fields?: LogFields) =>
    void logs.push(fields === undefined ? [level, message] : [level, message, fields]);
  return Object.assign(logTo('log'), { debug: logTo('debug'), warn: logTo('warn'), error: logTo('error') });
}

/** The same of a batch: each message with its key. */
export function batchLogInto(logs: LoggedLine[]): BatchLog {
  const log = logInto(logs);
  const logTo =
    (level: 'debug' | 'warn' | 'error' | undefined) =>
    (key: string, message: string, fields?: LogFields): void =>
      (level ? log[level] : log)(`[${key}] ${message}`, fields);
  return Object.assign(logTo(undefined), { debug: logTo('debug'), warn: logTo('warn'), error: logTo('error') });
}

/** Keeps what is logged. */
export function loggerInto(logs: LoggedLine[]): ContextLogger {
  const logTo = (level: string) => (message: unknown) => void logs.push([level, message]);
  return {
    log: logTo('log'),
    warn: logTo('warn'),
    error: logTo('error'),
    debug: logTo('debug'),
    verbose: logTo('verbose'),
  };
}
