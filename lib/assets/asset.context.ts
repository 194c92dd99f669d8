// What an asset's `execute` and `executeMany` are given, and how code they call reaches the same.
// Contexts are made by whoever executes (the worker, the testing module), never here.
import { AsyncLocalStorage } from 'node:async_hooks';
import { FlowStoneError } from '../flowstone.errors.js';
import type { PartitionWindow } from '../partitions/partition-set.js';
import type { AssetClass } from './asset.definition.js';
import type { BatchFailure } from './batch.failure.js';

/** Resource classes by alias, as `@Requires` takes them. */
export type ResourceClasses = Readonly<Record<string, AssetClass>>;

// oxlint-disable-next-line typescript/no-generated-empty-object-type -- nothing is lent unless it is declared
type NoResources = Record<never, never>;

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

/** What a line tells beside its message; kept as JSON. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes lines to the log of the materialization, and to `logger`; itself at the level `log`. */
export interface ContextLog {
  (message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** {@link ContextLog} for one item of a batch. */
export interface BatchLog {
  (key: string, message: string, fields?: LogFields): void;
  debug(key: string, message: string, fields?: LogFields): void;
  warn(key: string, message: string, fields?: LogFields): void;
  error(key: string, message: string, fields?: LogFields): void;
}

/** What is the same for one materialization and for a batch of them. */
interface SharedContext<R extends ResourceClasses> {
  /** Key of the asset. */
  readonly asset: string;
  /** Exactly the resources declared with `@Requires`. */
  readonly resources: { readonly [K in keyof R]: InstanceType<R[K]> };
  readonly logger: ContextLogger;
  /** Aborted by timeout, cancel, shutdown or a lost lease. What goes on after that cannot commit. */
  readonly signal: AbortSignal;
}

/** The first argument of `execute`: one attempt at one materialization. */
export interface AssetContext<R extends ResourceClasses = NoResources> extends SharedContext<R> {
  readonly run: number;
  readonly partition: ContextPartition;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** Fencing token of this attempt: a newer attempt has a higher one. */
  readonly epoch: number;
  /** The same for every attempt at this materialization: pass it to systems that must not do a thing twice. */
  readonly idempotencyKey: string;
  /** Data version of the value this one would replace; `undefined` if there is none. */
  readonly previousVersion: string | undefined;
  report(report: ContextReport): void;
  /** What is kept of this attempt for people: `flowstone.logs()`. Lines of `logger` (log, warn, error) are kept as well. */
  readonly log: ContextLog;
  /** Tells how far the work is; `total` only where it is known. Cheap: call it as often as you like. */
  progress(done: number, total?: number): void;
}

/** The first argument of `executeMany`. Its signal is aborted once every item that is still to come is to stop. */
export interface BatchContext<R extends ResourceClasses = NoResources> extends SharedContext<R> {
  /** The items of a batch may be of several runs. */
  readonly run?: undefined;
  /** Each item has its own. */
  readonly partition?: undefined;
  /** Fails one item, at once; the others go on. What it returns may be yielded in place of the item's value. */
  fail(key: string, error: unknown): BatchFailure;
  /** {@link AssetContext.log} for one item; lines of `logger` are of no item, and are not kept. */
  readonly log: BatchLog;
  /** {@link AssetContext.report} for one item, before its value is yielded. */
  report(key: string, report: ContextReport): void;
}

/** One of the materializations that `executeMany` is given at a time; `I` is `InputsOf<typeof inputs>`. */
export interface BatchItem<I = object> {
  /** Its `key` is what is yielded with the value. */
  readonly partition: ContextPartition;
  readonly inputs: I;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** Fencing token of this attempt: a newer attempt has a higher one. */
  readonly epoch: number;
  /** The same for every attempt at this materialization: pass it to systems that must not do a thing twice. */
  readonly idempotencyKey: string;
  /** Data version of the value this one would replace; `undefined` if there is none. */
  readonly previous: string | undefined;
  /** Aborted when this item is to stop, by the cancel of its run for one: its value cannot commit any more. */
  readonly signal: AbortSignal;
}

/** What `executeMany` yields: each item's key with its value, in any order, as they become known. */
export type BatchResults<V> = AsyncIterable<readonly [key: string, value: V | BatchFailure]>;

const NO_DIMENSIONS: ContextPartition['dimensions'] = Object.freeze({});

/** The partition of a context, from its key and what its partition set says of it. */
export function contextPartition(
  key: string,
  window: PartitionWindow | undefined,
  dimensions: Readonly<Record<string, string>> | undefined,
): ContextPartition {
  if (!window) return new UntimedPartition(key, dimensions ?? NO_DIMENSIONS);
  return { key, timed: true, dimensions: dimensions ?? NO_DIMENSIONS, window };
}

class UntimedPartition implements ContextPartition {
  readonly timed = false;

  constructor(
    readonly key: string,
    readonly dimensions: ContextPartition['dimensions'],
  ) {}

  // Of the class, not of the object, so that a context can be logged.
  get window(): never {
    const message = `Partition '${this.key}' has no time window. Read context.partition.key or .dimensions, or give the asset a time scheme.`;
    throw new FlowStoneError('FLOWSTONE_CONTEXT_NO_WINDOW', message, { context: { partition: this.key } });
  }
}

const storage = new AsyncLocalStorage<AssetContext | BatchContext>();

/** Runs `work` so that {@link currentContext} finds `context` in it and in everything it calls, awaits or iterates. */
export function runInContext<T>(context: AssetContext | BatchContext, work: () => T): T {
  return storage.run(context, work);
}

/**
 * The context of the attempt, or of the batch of attempts, this code runs for; `undefined` outside `execute` and
 * `executeMany`, where e.g. a logger also has to work.
 */
export function currentContext(): AssetContext | BatchContext | undefined {
  return storage.getStore();
}

/**
 * {@link currentContext} for code that only makes sense inside `execute`.
 * @throws FlowStoneError `FLOWSTONE_CONTEXT_UNAVAILABLE`
 */
export function requireContext(): AssetContext | BatchContext {
  const context = storage.getStore();
  if (context) return context;
  throw new FlowStoneError(
    'FLOWSTONE_CONTEXT_UNAVAILABLE',
    'There is no asset context here: this code was not called from execute or executeMany of an asset. Call it from there, or use currentContext() and expect undefined.',
  );
}
