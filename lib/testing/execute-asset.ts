// One asset by itself: its execute() or executeMany() with given inputs and resources, no graph, no storage.
import {
  contextPartition,
  runInContext,
  type AssetContext,
  type BatchContext,
  type BatchItem,
  type BatchResults,
  type ContextLogger,
  type ContextReport,
} from '../assets/asset.context.js';
import type { ValueOf } from '../assets/asset.value.js';
import { isRowStream } from '../io/data-version.js';
import { rowsOf } from '../io/rows.js';
import { BatchKeys } from '../runs/batch.keys.js';

type Executes = new (...args: never[]) => { execute: (...args: never[]) => unknown };
type InputsTaken<C extends Executes> = Parameters<InstanceType<C>['execute']> extends [unknown, infer I] ? I : object;
type ContextTaken<C extends Executes> =
  Parameters<InstanceType<C>['execute']> extends [infer T, ...unknown[]] ? T : AssetContext;

type ResourcesTaken<T> = T extends { readonly resources: infer R } ? R : never;

/** A partition as an asset is told of it. */
interface GivenPartition {
  readonly key: string;
  readonly window?: { readonly start: Date; readonly end: Date };
  readonly dimensions?: Readonly<Record<string, string>>;
}

type Logged = readonly (readonly [level: string, message: unknown])[];

export interface ExecuteOptions<C extends Executes> {
  readonly inputs?: InputsTaken<C>;
  readonly resources?: ResourcesTaken<ContextTaken<C>>;
  readonly partition?: GivenPartition;
  /** Default 1. */
  readonly attempt?: number;
  readonly previousVersion?: string;
  readonly signal?: AbortSignal;
}

/** What execute() returned and told. */
export interface Executed<C extends Executes> {
  /** As a consumer would be given it: rows that were yielded are `Rows`. */
  readonly value: ValueOf<C>;
  readonly reports: readonly ContextReport[];
  /** What was logged, as [level, message]. */
  readonly logs: Logged;
  readonly progress: readonly (readonly [done: number, total: number | undefined])[];
}

/** Runs execute() of an instance (constructed by the test) once. What it throws is thrown unchanged. */
export async function executeAsset<C extends Executes>(
  asset: InstanceType<C>,
  options: ExecuteOptions<C> = {},
): Promise<Executed<C>> {
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
  const execute = asset.execute.bind(asset) as unknown as (context: AssetContext, inputs: unknown) => unknown;
  const value = await runInContext(context, async () => {
    return asConsumed(await execute(context, options.inputs ?? {}));
  });
  return { value: value as ValueOf<C>, reports, logs, progress };
}

type ExecutesMany = new (...args: never[]) => { executeMany: (...args: never[]) => BatchResults<unknown> };
type ItemTaken<C extends ExecutesMany> =
  Parameters<InstanceType<C>['executeMany']> extends [unknown, readonly BatchItem<infer I>[]] ? I : object;

export interface ExecuteBatchOptions<C extends ExecutesMany> {
  /** Each with a partition of its own; without one: of an unpartitioned asset. */
  readonly items: readonly {
    readonly partition?: GivenPartition;
    readonly inputs?: ItemTaken<C>;
    /** Default 1. */
    readonly attempt?: number;
    readonly previous?: string;
    readonly signal?: AbortSignal;
  }[];
  readonly resources?: ResourcesTaken<Parameters<InstanceType<C>['executeMany']>[0]>;
  readonly signal?: AbortSignal;
}

/** What executeMany() yielded and told, by partition key. */
export interface ExecutedBatch<C extends ExecutesMany> {
  /** As consumers would be given them. */
  readonly values: ReadonlyMap<string, ValueOf<C>>;
  /** What each of the others failed with. */
  readonly failures: ReadonlyMap<string, unknown>;
  readonly reports: ReadonlyMap<string, readonly ContextReport[]>;
  readonly logs: Logged;
}

/**
 * Runs executeMany() of an instance (constructed by the test) once, by the rules of a batch: what it throws, and keys that
 * it does not yield, fail the items that are left.
 */
export async function executeBatch<C extends ExecutesMany>(
  asset: InstanceType<C>,
  options: ExecuteBatchOptions<C>,
): Promise<ExecutedBatch<C>> {
  const name = asset.constructor.name;
  const items = options.items.map(({ partition: { key, window, dimensions } = { key: '' }, ...given }, index) => ({
    partition: contextPartition(key, window, dimensions),
    inputs: given.inputs ?? {},
    attempt: given.attempt ?? 1,
    epoch: 1,
    idempotencyKey: `test:${index + 1}`,
    previous: given.previous,
    signal: given.signal ?? new AbortController().signal,
  }));
  const keys = new BatchKeys(
    name,
    items.map(({ partition }) => partition.key),
  );
  const values = new Map<string, ValueOf<C>>();
  const failures = new Map<string, unknown>();
  const reports = new Map<string, ContextReport[]>();
  const logs: [string, unknown][] = [];
  const context: BatchContext = {
    asset: name,
    resources: options.resources ?? {},
    logger: loggerInto(logs),
    signal: options.signal ?? new AbortController().signal,
    fail(key, error) {
      const failure = keys.fail(key);
      failures.set(key, error);
      return failure;
    },
    report(key, report) {
      keys.expect(key, 'a report on the key');
      reports.set(key, [...(reports.get(key) ?? []), report]);
    },
  };
  const executeMany = asset.executeMany.bind(asset) as unknown as (
    context: BatchContext,
    items: readonly BatchItem[],
  ) => BatchResults<unknown>;
  await runInContext(context, async () => {
    try {
      for await (const yielded of executeMany(context, items)) {
        const [key, value] = keys.take(yielded) ?? [];
        if (key === undefined) continue;
        await asConsumed(value).then(
          (consumed) => values.set(key, consumed as ValueOf<C>),
          (error: unknown) => failures.set(key, error),
        );
      }
      for (const key of keys.open) failures.set(key, keys.missing(key, key !== ''));
    } catch (error) {
      for (const key of keys.open) failures.set(key, error);
    }
  });
  return { values, failures, reports, logs };
}

async function asConsumed(value: unknown): Promise<unknown> {
  if (!isRowStream(value)) return value;
  const rows: unknown[] = [];
  for await (const row of value) rows.push(row);
  return rowsOf(rows);
}

function loggerInto(logs: [string, unknown][]): ContextLogger {
  const logTo = (level: string) => (message: unknown) => void logs.push([level, message]);
  return {
    log: logTo('log'),
    warn: logTo('warn'),
    error: logTo('error'),
    debug: logTo('debug'),
    verbose: logTo('verbose'),
  };
}
