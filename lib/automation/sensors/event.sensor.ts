// Sensors of what the ledger itself tells: an asset was materialized, a run ended. They read the log of events, each once, and
// are woken by its commit.
import type { AssetClass } from '../../assets/asset.definition.js';
import { keyOf } from '../../assets/asset.metadata.js';
import { text } from '../../assets/expectations.js';
import { eventOf, type FlowStoneEvent } from '../../events/event.js';
import type { EventKind } from '../../ledger/event.catalogue.js';
import type { Sensing, SensorAnswer, SensorContext, SensorResult } from './sensor.js';

/** Where such a sensor is in the log. */
export interface EventSensorCursor {
  readonly log: string;
  readonly [name: string]: string;
}

/** Rows of the log that are read by one evaluation. */
const PAGE = 200;

/** Asks about each event of some kinds, from the first evaluation on. */
export abstract class EventSensor<K extends EventKind = EventKind> implements Sensing<EventSensorCursor> {
  abstract readonly kinds: readonly K[];

  /** What one event asks for; nothing: nothing. Called again with the same where what it answered could not be recorded. */
  protected abstract see(
    event: FlowStoneEvent<K>,
    context: SensorContext<EventSensorCursor>,
  ): SensorAnswer | Promise<SensorAnswer>;

  /** What is wrong with how it is made, and how to mend it. */
  problems(): [string, string][] {
    return [];
  }

  async evaluate(context: SensorContext<EventSensorCursor>): Promise<SensorAnswer<EventSensorCursor>> {
    const { cursor, log, cause, signal } = context;
    if (!cursor) return { cursor: { log: await log.cursor() }, skip: 'it sees what happens from now on' };
    const page = await log.since(cursor.log, PAGE, this.kinds);
    // It has not moved on, so that nobody has to write it down.
    if (page.events.length === 0 && cause === 'news' && !page.more) return undefined;
    const answers: SensorResult[] = [];
    for (const record of page.events) {
      const event = eventOf(record);
      const answer = event && (await this.see(event as unknown as FlowStoneEvent<K>, context));
      if (answer) answers.push(answer);
      signal.throwIfAborted();
    }
    const skip = answers.find((answer) => answer.skip !== undefined)?.skip ?? 'there was nothing for it';
    return {
      runs: answers.flatMap(({ runs }) => runs ?? []),
      partitions: answers.flatMap(({ partitions }) => partitions ?? []),
      cursor: { log: page.cursor },
      again: page.more,
      skip,
    };
  }
}

/** Asks about each new version of some assets: extend it, and answer in `onMaterialized`. */
export abstract class AssetMaterializedSensor extends EventSensor<'materialization.success'> {
  readonly kinds = ['materialization.success'] as const;
  /** Classes or keys. */
  abstract readonly assets: readonly (AssetClass | string)[];

  /** What one materialization asks for. */
  abstract onMaterialized(
    event: FlowStoneEvent<'materialization.success'>,
    context: SensorContext<EventSensorCursor>,
  ): SensorAnswer | Promise<SensorAnswer>;

  override problems(): [string, string][] {
    const isRight =
      Array.isArray(this.assets) &&
      this.assets.length > 0 &&
      this.assets.every((asset) => typeof asset === 'function' || text(asset) === undefined);
    return isRight ? [] : [['names no assets', 'give it assets = [TheAsset], classes or keys']];
  }

  protected see(
    event: FlowStoneEvent<'materialization.success'>,
    context: SensorContext<EventSensorCursor>,
  ): SensorAnswer | Promise<SensorAnswer> {
    const isOne = this.assets.some((asset) => (typeof asset === 'string' ? asset : keyOf(asset)) === event.asset);
    return isOne ? this.onMaterialized(event, context) : undefined;
  }
}

/** How a run ends. */
export type RunEnd = FlowStoneEvent<'run.ended'>['detail']['status'];

/** Asks about each run that ended: extend it, and answer in `onRunEnded`. Its own runs end as well: do not ask for ever. */
export abstract class RunEndedSensor extends EventSensor<'run.ended'> {
  readonly kinds = ['run.ended'] as const;
  /** Runs that ended otherwise are passed over. Default: all. */
  readonly ends: readonly RunEnd[] = ['success', 'failed', 'cancelled'];

  /** What the end of one run asks for. */
  abstract onRunEnded(
    event: FlowStoneEvent<'run.ended'>,
    context: SensorContext<EventSensorCursor>,
  ): SensorAnswer | Promise<SensorAnswer>;

  protected see(
    event: FlowStoneEvent<'run.ended'>,
    context: SensorContext<EventSensorCursor>,
  ): SensorAnswer | Promise<SensorAnswer> {
    return this.ends.includes(event.detail.status) ? this.onRunEnded(event, context) : undefined;
  }
}
