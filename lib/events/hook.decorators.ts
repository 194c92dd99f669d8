// @OnEvent and its like: methods of any provider that hear of every event they name, at least once over all processes.
import 'reflect-metadata';
import type { AssetClass } from '../assets/asset.definition.js';
import type { EventName, EventOf } from './event.names.js';
import type { HookDelivery } from './hook.js';

export interface HookOptions {
  /** Its own in the application. Default: `Class.method`; give one, since renaming either begins anew. */
  readonly name?: string;
  /** How often an event is given to it until it is given up. Default 10, which takes about a quarter of an hour. */
  readonly attempts?: number;
}

export interface OnEventOptions extends HookOptions {
  /** Only of these assets. */
  readonly asset?: AssetClass | string | readonly (AssetClass | string)[];
}

/** A hook as declared. Unchecked. */
export interface MarkedHook {
  readonly method: string;
  readonly events: readonly EventName[];
  readonly options: OnEventOptions;
}

type HookMethod<N extends EventName> = (event: EventOf<N>, delivery: HookDelivery) => unknown;

/** What decorates a method that takes such events. */
export type HookDecorator<N extends EventName> = <M extends HookMethod<N>>(
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

const HOOKS = Symbol.for('flowstone:hooks');

/**
 * The method hears of every event of these kinds, from the first start of an application that declares it: at least once,
 * in one process that works, after the commit. What it throws, or rejects with, has it called again later. See
 * docs/hooks.md.
 */
export function OnEvent<N extends EventName>(events: N | readonly N[], options: OnEventOptions = {}): HookDecorator<N> {
  const names: readonly EventName[] = typeof events === 'string' ? [events] : events;
  return (target, method) => {
    const before = hooksOf(target.constructor);
    const marked: MarkedHook = { method: String(method), events: names, options };
    Reflect.defineMetadata(HOOKS, [...before, marked], target.constructor);
  };
}

/** A run ended, however: {@link OnEvent}. */
export const OnRunEnded = (options?: HookOptions): HookDecorator<'run.ended'> => OnEvent('run.ended', options);
/** A run ended `success`: {@link OnEvent}. */
export const OnRunSucceeded = (options?: HookOptions): HookDecorator<'run.succeeded'> =>
  OnEvent('run.succeeded', options);
/** A run ended `failed`: {@link OnEvent}. */
export const OnRunFailed = (options?: HookOptions): HookDecorator<'run.failed'> => OnEvent('run.failed', options);

/** Which assets, where not all. */
type OfAsset = OnEventOptions['asset'];

/** An asset was computed and has a new head; of one asset, or of any: {@link OnEvent}. */
export const OnMaterialized = (asset?: OfAsset, options?: HookOptions): HookDecorator<'materialization.success'> =>
  OnEvent('materialization.success', { ...options, ...(asset !== undefined && { asset }) });
/** A materialization failed for good; of one asset, or of any: {@link OnEvent}. */
export const OnMaterializationFailed = (
  asset?: OfAsset,
  options?: HookOptions,
): HookDecorator<'materialization.failed'> =>
  OnEvent('materialization.failed', { ...options, ...(asset !== undefined && { asset }) });
/** Somebody is asked for a decision; of one checkpoint, or of any: {@link OnEvent}. */
export const OnApprovalRequested = (asset?: OfAsset, options?: HookOptions): HookDecorator<'approval.requested'> =>
  OnEvent('approval.requested', { ...options, ...(asset !== undefined && { asset }) });

/** What is declared on a class and those it extends. */
export function hooksOf(target: object): readonly MarkedHook[] {
  return (Reflect.getMetadata(HOOKS, target) as readonly MarkedHook[] | undefined) ?? [];
}
