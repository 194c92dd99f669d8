// One asset by itself: its execute() or executeMany() with given inputs and resources, no graph, no storage.
import {
  contextPartition,
  runInContext,
  type AssetContext,
  type BatchContext,
  type BatchItem,
  type BatchResults,
  type ContextReport,
} from '../assets/asset.context.js';
import type { ValueOf } from '../assets/asset.value.js';
import { BatchKeys } from '../runs/batch.keys.js';
import {
  asConsumed,
  batchLogInto,
  contextFor,
  loggerInto,
  type AttemptOptions,
  type GivenPartition,
  type Logged,
  type Told,
} from './test-context.js';

type Executes = new (...args: never[]) => { execute: (...args: never[]) => unknown };
type InputsTaken<C extends Executes> = Parameters<InstanceType<C>['execute']> extends [unknown, infer I] ? I : object;
type ContextTaken<C extends Executes> =
  Parameters<InstanceType<C>['execute']> extends [infer T, ...unknown[]] ? T : AssetContext;

type ResourcesTaken<T> = T extends { readonly resources: infer R } ? R : never;

export interface ExecuteOptions<C extends Executes> extends AttemptOptions {
  readonly inputs?: InputsTaken<C>;
  readonly resources?: ResourcesTaken<ContextTaken<C>>;
}

/** What execute() returned and told. */
export interface Executed<C extends Executes> extends Told {
  /** As a consumer would be given it: rows that were yielded are `Rows`. */
  readonly value: ValueOf<C>;
}

/** Runs execute() of an instance (constructed by the test) once. What it throws is thrown unchanged. */
export async function executeAsset<C extends Executes>(
  asset: InstanceType<C>,
  options: ExecuteOptions<C> = {},
): Promise<Executed<C>> {
  const { context, ...told } = contextFor(asset, options);
  const execute = asset.execute.bind(asset) as unknown as (context: AssetContext, inputs: unknown) => unknown;
  const value = await runInContext(context, async () => {
    return asConsumed(await execute(context, options.inputs ?? {}));
  });
  return { value: value as ValueOf<C>, ...told };
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
  const logs: Parameters<typeof batchLogInto>[0] = [];
  const context: BatchContext = {
    asset: name,
    resources: options.resources ?? {},
    logger: loggerInto(logs),
    log: batchLogInto(logs),
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
