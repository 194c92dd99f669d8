// What an asset's `execute` is given beside its inputs, and how code it calls reaches the same.
// Contexts are made by whoever executes (the worker, the testing module), never here.
import { AsyncLocalStorage } from 'node:async_hooks';
import { FlowStoneError } from '../flowstone.errors.js';
import type { PartitionWindow } from '../partitions/partition-set.js';
import type { AssetClass } from './asset.definition.js';

/** Resource classes by alias, as `@Requires` takes them. */
export type ResourceClasses = Readonly<Record<string, AssetClass>>;

/** The partition that is being computed. */
export interface ContextPartition {
  /** Canonical key; the empty string for an unpartitioned asset. */
  readonly key: string;
  /** The time window. Reading it of a partition without one throws `FLOWSTONE_CONTEXT_NO_WINDOW`. */
  readonly window: PartitionWindow;
  /** Whether there is a window to read. */
  readonly timed: boolean;
  /** The part of the key in each dimension of a `multi` or `custom` scheme; empty for the others. */
  readonly dimensions: Readonly<Record<string, string>>;
}

/** What an attempt tells about the value it computed; later reports add to earlier ones. */
export interface ContextReport {
  /** Identifies the value instead of its content hash, e.g. an upstream system's ETag or version number. */
  readonly dataVersion?: string;
  /** Recorded with the materialization and shown; plain JSON. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** What the columns of the value are, by name: a description, and the input columns (`alias.column`) they come from. */
  readonly columns?: Readonly<Record<string, { readonly description?: string; readonly from?: readonly string[] }>>;
}

/** Where an asset logs: bound to run, asset and partition. Nest's `Logger` is one. */
export interface ContextLogger {
  log(message: unknown, ...details: unknown[]): void;
  warn(message: unknown, ...details: unknown[]): void;
  error(message: unknown, ...details: unknown[]): void;
  debug(message: unknown, ...details: unknown[]): void;
  verbose(message: unknown, ...details: unknown[]): void;
}

/** The first argument of `execute`: one attempt at one materialization. */
// oxlint-disable-next-line typescript/no-generated-empty-object-type -- nothing is lent unless it is declared
export interface AssetContext<R extends ResourceClasses = Record<never, never>> {
  readonly run: number;
  /** Key of the asset. */
  readonly asset: string;
  readonly partition: ContextPartition;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** Fencing token of this attempt: a newer attempt has a higher one. */
  readonly epoch: number;
  /** Exactly the resources declared with `@Requires`. */
  readonly resources: { readonly [K in keyof R]: InstanceType<R[K]> };
  readonly logger: ContextLogger;
  /** Aborted by timeout, cancel, shutdown or a lost lease. What goes on after that cannot commit. */
  readonly signal: AbortSignal;
  /** The same for every attempt at this materialization: pass it to systems that must not do a thing twice. */
  readonly idempotencyKey: string;
  /** Data version of the value this one would replace; `undefined` if there is none. */
  readonly previousVersion: string | undefined;
  report(report: ContextReport): void;
  /** Tells how far the work is; `total` only where it is known. Cheap: call it as often as you like. */
  progress(done: number, total?: number): void;
}

/** The partition of a context, from its key and what its partition set says of it. */
export function contextPartition(
  key: string,
  window: PartitionWindow | undefined,
  dimensions: Readonly<Record<string, string>> | undefined,
): ContextPartition {
  const partition = { key, timed: window !== undefined, dimensions: dimensions ?? {} };
  if (window) return { ...partition, window };
  // Not enumerable, so that a context can be logged.
  return Object.defineProperty(partition, 'window', {
    get() {
      const message = `Partition '${key}' has no time window. Read context.partition.key or .dimensions, or give the asset a time scheme.`;
      throw new FlowStoneError('FLOWSTONE_CONTEXT_NO_WINDOW', message, { context: { partition: key } });
    },
  }) as ContextPartition;
}

const storage = new AsyncLocalStorage<AssetContext>();

/** Runs `work` so that {@link currentContext} finds `context` in it and in everything it calls, awaits or iterates. */
export function runInContext<T>(context: AssetContext, work: () => T): T {
  return storage.run(context, work);
}

/** The context of the attempt this code runs for; `undefined` outside `execute`, where e.g. a logger also has to work. */
export function currentContext(): AssetContext | undefined {
  return storage.getStore();
}

/**
 * {@link currentContext} for code that only makes sense inside `execute`.
 * @throws FlowStoneError `FLOWSTONE_CONTEXT_UNAVAILABLE`
 */
export function requireContext(): AssetContext {
  const context = storage.getStore();
  if (context) return context;
  throw new FlowStoneError(
    'FLOWSTONE_CONTEXT_UNAVAILABLE',
    'There is no asset context here: this code was not called from the execute method of an asset. Call it from there, or use currentContext() and expect undefined.',
  );
}
