// Which partitions a tick is for: those that its schedule names, or the windows that ended last at the tick.
import type { DeclaredAsset } from '../../assets/asset.definition.js';
import { FlowStoneError } from '../../flowstone.errors.js';
import type { RunRequest } from '../../ledger/records.js';
import { resolvePartitions } from '../../partitions/partition-set.js';
import type { PartitionKeyInput } from '../../partitions/partition-key.js';
import { WHOLE } from '../../partitions/partition-key.js';
import type { PlanningModel } from '../../planning/planning-model.js';
import type { PlanOptions, RequestReader } from '../../runs/request.reader.js';
import type { ScheduleDefinition } from './schedule.options.js';

/** Schemes of which one window ends last. */
export const TIME_KINDS: ReadonlySet<string> = new Set(['hourly', 'daily', 'weekly', 'monthly', 'cron']);

/**
 * What a tick requests; undefined: nothing. `named`: what the function of the schedule answered.
 * @throws FlowStoneError where targets or partitions are none
 */
export async function requestAt(
  reader: RequestReader,
  model: PlanningModel,
  definition: ScheduleDefinition,
  tick: Date,
  named: readonly PartitionKeyInput[] | undefined,
): Promise<RunRequest | undefined> {
  const { targets, partitions, force, upstream, downstream } = definition;
  const options: PlanOptions = { force, upstream, downstream };
  if (named?.length === 0) return undefined;
  if (named) return reader.read(model, targets, { ...options, partitions: named });
  if (partitions !== 'window' && partitions !== 'function') {
    return reader.read(model, targets, { ...options, partitions });
  }
  const { definitions } = await reader.resolve(model, targets);
  const found = definitions.flatMap((declared) => {
    const key = windowAt(declared, tick);
    return key === undefined ? [] : [{ asset: declared.key, partitions: { keys: [key] } }];
  });
  if (found.length === 0) return undefined;
  found.sort((a, b) => (a.asset < b.asset ? -1 : 1));
  return { targets: found, upstream, downstream, force, forceMaxAge: null };
}

/** The partition whose window ended last at the tick; undefined: none had by then. */
function windowAt({ key, scheme }: DeclaredAsset, tick: Date): string | undefined {
  if (!scheme) return WHOLE;
  if (!TIME_KINDS.has(scheme.kind)) {
    throw new FlowStoneError(
      'FLOWSTONE_PARTITION_REQUIRED',
      `${key} is partitioned, and not by time alone: its schedule has to say which partitions it means.`,
      { context: { asset: key } },
    );
  }
  const none = (): readonly string[] => [];
  const set = resolvePartitions(scheme, { now: tick, dynamicKeys: none, customKeys: none });
  return set.size > 0 ? set.keyAt(set.size - 1) : undefined;
}
