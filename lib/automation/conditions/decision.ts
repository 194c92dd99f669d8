// The words of automation: what may become of a partition, and the asset that it is of.
import type { AutomationDefinition, DeclaredAsset } from '../../assets/asset.definition.js';
import { dimensionsOf, dimensionValue } from '../../partitions/partition-dimensions.js';

/**
 * What became of a partition:
 * - `requested`: it is requested now. `upstream_of`: likewise, since something below it needs it.
 * - `not_wanted`: its condition does not hold.
 * - `open`: a run that has not ended has it in hand.
 * - `upstream`: what it consumes is not there, and will not be by what is requested now.
 * - `failed`, `rejected`, `cancelled`: it ended so with the same inputs, code and definition.
 * - `unchanged`: it was computed from the same, and is stale all the same.
 * - `debounce`, `throttle`, `concurrency`: its flow control.
 * - `paused`: a person paused the automation of its asset.
 * - `turn`: more are requested now than one request is to hold; it is in the next.
 */
export type DecisionKind =
  | 'requested'
  | 'upstream_of'
  | 'not_wanted'
  | 'open'
  | 'upstream'
  | 'failed'
  | 'rejected'
  | 'cancelled'
  | 'unchanged'
  | 'debounce'
  | 'throttle'
  | 'concurrency'
  | 'paused'
  | 'turn';

/** The decision about one partition. */
export interface Decision {
  readonly kind: DecisionKind;
  readonly message: string;
  /** When it may be otherwise without anything else happening, where that is known. */
  readonly until?: Date;
  /** The run that has it in hand, or in which it failed. */
  readonly run?: number;
  /** Of the flow control that it waits for. */
  readonly key?: string;
}

/** An asset that automation computes, with what its condition needs to know that is not of a partition. */
export interface Automated {
  readonly declared: DeclaredAsset;
  readonly automation: AutomationDefinition;
  readonly paused: boolean;
  /** The newest tick of a cron expression, ms. */
  readonly lastTick: (cron: string, timeZone: string) => number | undefined;
  /** The newest one that was attended to. */
  readonly attendedTo: (cron: string, timeZone: string) => number | undefined;
}

/** What its flow control counts by; '' without keys. */
export function flowKey(
  { declared, automation }: Pick<Automated, 'declared' | 'automation'>,
  partition: string,
): string {
  if (automation.key === undefined) return '';
  return dimensionValue(dimensionsOf(declared.scheme), automation.key, partition) ?? '';
}
