// What the class of a checkpoint may say, and the types of values that follow from it.
import type { AssetContext } from './asset.context.js';
import type { Modification, ModificationClass } from './asset.definition.js';

/** How a checkpoint was decided, as its handlers are told. `V`: what `modification` declares. */
export interface Decision<V = unknown> {
  /** Id of the approval. */
  readonly approval: number;
  readonly action: 'approve' | 'modify' | 'reject' | 'timeout';
  /** Null: nobody, its deadline passed. */
  readonly by: string | null;
  readonly at: Date;
  readonly reason: string | null;
  /** Who agreed, in that order. */
  readonly votes: readonly { readonly by: string; readonly at: Date; readonly reason: string | null }[];
  /** What the reviewer gave (`modify`), an instance of the declared class. */
  readonly value: V;
}

/** The methods of a checkpoint, each of which may be left out. */
export interface CheckpointCode {
  /** Whether to ask at all. Default: always. */
  condition?(context: AssetContext, inputs: unknown): boolean | Promise<boolean>;
  message?(context: AssetContext, inputs: unknown): string | Promise<string>;
  /** The value where it does not ask. Default: that of its only input. */
  onSkip?(context: AssetContext, inputs: unknown): unknown;
  /** The value once it is approved. Default: that of its only input. */
  onApprove?(context: AssetContext, inputs: unknown, decision: Decision): unknown;
  /** Default: the value that the reviewer gave. */
  onModify?(context: AssetContext, inputs: unknown, decision: Decision): unknown;
  /** Default: it fails (FLOWSTONE_CHECKPOINT_REJECTED). */
  onReject?(context: AssetContext, inputs: unknown, decision: Decision): unknown;
  /** Default: it fails (FLOWSTONE_CHECKPOINT_TIMED_OUT). */
  onTimeout?(context: AssetContext, inputs: unknown, decision: Decision): unknown;
}

/** The methods that a class may have, by name. */
export const CHECKPOINT_METHODS = [
  ...['condition', 'message', 'onSkip', 'onApprove', 'onModify', 'onReject', 'onTimeout'],
] as const;

/** Of those of these methods that it has. */
type Returned<I, N extends string> = N extends string
  ? I extends { [K in N]: (...args: never[]) => infer V }
    ? Awaited<V>
    : never
  : never;
type InputsSeen<I> = I extends { condition: (context: never, inputs: infer In) => unknown } ? In : never;
type PassedThrough<I> = InputsSeen<I>[keyof InputsSeen<I>];

/** What of a checkpoint comes of agreeing. */
type Agreed<I> = I extends { onApprove: (...args: never[]) => unknown } ? Returned<I, 'onApprove'> : PassedThrough<I>;

/** What comes of not asking, where that may be. */
type Skipped<I> = I extends { onSkip: (...args: never[]) => unknown } ? Returned<I, 'onSkip'> : PassedThrough<I>;

/** The value of a checkpoint: whatever its methods return, or pass through. */
export type CheckpointValue<I> = Agreed<I> | Skipped<I> | Returned<I, 'onModify' | 'onReject' | 'onTimeout'>;

/** What a reviewer gives, by the option `modification`. */
export type ModificationValue<M> = M extends readonly [infer C extends ModificationClass]
  ? InstanceType<C>[]
  : M extends ModificationClass
    ? InstanceType<M>
    : never;

/** Whether a class can take what its reviewers give: by onModify, or else as its value. */
export type TakesModification<I, M> = [M] extends [Modification]
  ? I extends { onModify: (context: never, inputs: never, decision: infer D) => unknown }
    ? Decision<ModificationValue<M>> extends D
      ? unknown
      : { readonly 'onModify does not take what modification declares': ModificationValue<M> }
    : [ModificationValue<M>] extends [Agreed<I>]
      ? unknown
      : { readonly 'what modification declares is no value of the checkpoint': ModificationValue<M> }
  : unknown;
