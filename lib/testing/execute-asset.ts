// One asset by itself: its execute() with given inputs and resources, no graph, no storage.
import { contextPartition, runInContext, type AssetContext, type ContextReport } from '../assets/asset.context.js';
import type { ValueOf } from '../assets/asset.value.js';
import { isRowStream } from '../io/data-version.js';
import { rowsOf } from '../io/rows.js';

type Executes = new (...args: never[]) => { execute: (...args: never[]) => unknown };
type InputsTaken<C extends Executes> = Parameters<InstanceType<C>['execute']> extends [unknown, infer I] ? I : object;
type ContextTaken<C extends Executes> =
  Parameters<InstanceType<C>['execute']> extends [infer T, ...unknown[]] ? T : AssetContext;

export interface ExecuteOptions<C extends Executes> {
  readonly inputs?: InputsTaken<C>;
  readonly resources?: ContextTaken<C> extends { readonly resources: infer R } ? R : never;
  readonly partition?: {
    readonly key: string;
    readonly window?: { readonly start: Date; readonly end: Date };
    readonly dimensions?: Readonly<Record<string, string>>;
  };
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
  readonly logs: readonly (readonly [level: string, message: unknown])[];
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
  const logTo = (level: string) => (message: unknown) => void logs.push([level, message]);
  const { key = '', window, dimensions } = options.partition ?? {};
  const context: AssetContext = {
    run: 1,
    asset: asset.constructor.name,
    partition: contextPartition(key, window, dimensions),
    attempt: options.attempt ?? 1,
    epoch: 1,
    resources: options.resources ?? {},
    logger: {
      log: logTo('log'),
      warn: logTo('warn'),
      error: logTo('error'),
      debug: logTo('debug'),
      verbose: logTo('verbose'),
    },
    signal: options.signal ?? new AbortController().signal,
    idempotencyKey: 'test:1',
    previousVersion: options.previousVersion,
    report: (report) => void reports.push(report),
    progress: (done, total) => void progress.push([done, total]),
  };
  const execute = asset.execute.bind(asset) as unknown as (context: AssetContext, inputs: unknown) => unknown;
  const value = await runInContext(context, async () => {
    const returned = await execute(context, options.inputs ?? {});
    if (!isRowStream(returned)) return returned;
    const rows: unknown[] = [];
    for await (const row of returned) rows.push(row);
    return rowsOf(rows);
  });
  return { value: value as ValueOf<C>, reports, logs, progress };
}
