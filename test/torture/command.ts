// What the torture asks of a worker and what it hears back, over the channel between parent and child process.
import type { FlowStoneOptions, MaterializeOptions } from '../../lib/index.js';
import type { AssetKey } from './assets.js';

/** What a worker is told when it starts. */
export interface WorkerSettings {
  readonly options: FlowStoneOptions;
  /** Where executions leave their evidence. */
  readonly evidence: string;
  readonly seed: number;
}

/** What may travel of the options of materialize(). */
export type MaterializeRequest = Omit<MaterializeOptions, 'manager'>;

export type Command =
  | { readonly act: 'materialize'; readonly asset: AssetKey; readonly options: MaterializeRequest }
  /** The same inside a transaction, which is then committed, rolled back, or forgotten: its connection is given back amid it. */
  | {
      readonly act: 'transact';
      readonly asset: AssetKey;
      readonly options: MaterializeRequest;
      readonly end: 'commit' | 'rollback' | 'forget';
    }
  | {
      readonly act: 'ensure';
      readonly asset: AssetKey;
      readonly partition: string | undefined;
      readonly maxAge: number | undefined;
    }
  /** Somebody does something with an open approval: `which` of them, from 0 to 1. */
  | {
      readonly act: 'decide';
      readonly what: 'approve' | 'modify' | 'reject' | 'escalate' | 'extend' | 'comment';
      readonly which: number;
      readonly by: string;
      readonly roles: readonly string[];
    }
  | { readonly act: 'cancel'; readonly run: number }
  | { readonly act: 'retry'; readonly run: number }
  | { readonly act: 'invalidate'; readonly asset: AssetKey; readonly partition: string | undefined }
  | { readonly act: 'add' | 'remove'; readonly keys: readonly string[] };

/** What a worker says; the first one is `ready`. */
export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly number: number; readonly run?: number }
  /** `expected`: an error of FlowStone's own, as its documentation has it. */
  | { readonly kind: 'refused'; readonly number: number; readonly expected: boolean; readonly error: string };

export interface Order {
  readonly number: number;
  readonly command: Command;
}
