// What requests runs without anybody asking, in one process: automation, schedules and sensors, started and stopped together.
import type { AssetClass, DeclaredAsset } from '../assets/asset.definition.js';
import type { EventBus } from '../events/event.bus.js';
import type { Ledger } from '../ledger/ledger.port.js';
import type { PlanningFacts } from '../planning/planning.port.js';
import type { PlanningModel } from '../planning/planning-model.js';
import type { RequestReader } from '../runs/request.reader.js';
import type { RunRequester } from '../runs/requester.js';
import type { AutomationDeskParts } from './automation.desk.js';
import type { FreshnessDeskParts } from './freshness/freshness.desk.js';
import { FreshnessReader } from './freshness/freshness.reader.js';
import { FreshnessWatch } from './freshness/freshness.watch.js';
import { Reconciler } from './conditions/reconciler.js';
import type { OwnSchedule } from './schedules/declared.schedules.js';
import type { ContextLogger } from '../assets/asset.context.js';
import type { ScheduleDeskParts } from './schedules/schedule.desk.js';
import { Scheduler } from './schedules/scheduler.js';
import type { OwnSensor } from './sensors/declared.sensors.js';
import { Evaluator } from './sensors/evaluator.js';
import type { SensorDeskParts } from './sensors/sensor.desk.js';

export interface TriggerParts {
  readonly ledger: Ledger;
  readonly facts: PlanningFacts;
  /** @param added as if these keys of dynamic schemes were there already */
  readonly model: (added?: ReadonlyMap<string, readonly string[]>) => Promise<PlanningModel>;
  /** All that is declared, by the definitions that count. */
  readonly definitions: () => readonly DeclaredAsset[];
  readonly resolve: (asset: AssetClass | string) => DeclaredAsset;
  /** Id of this process as the ledger knows it. */
  readonly process: () => string;
  readonly reader: RequestReader;
  readonly requester: RunRequester;
  readonly bus: EventBus;
  readonly schedules: readonly OwnSchedule[];
  readonly sensors: readonly OwnSensor[];
  readonly loggerOf: (name: string) => ContextLogger;
  /** Something was recorded, perhaps with new partitions. */
  readonly told: () => void;
  /** Whether it requests anything by itself. */
  readonly enabled: boolean;
  readonly beforeUse: () => void;
  /** Something could not be done, and is tried again. */
  readonly stumbled: (what: string, error: unknown) => void;
}

export class Triggers {
  readonly automationDesk: AutomationDeskParts;
  readonly scheduleDesk: ScheduleDeskParts;
  readonly sensorDesk: SensorDeskParts;
  readonly #reconciler: Reconciler;
  readonly #scheduler: Scheduler;
  readonly freshnessDesk: FreshnessDeskParts;
  readonly #evaluator: Evaluator;
  readonly #watch: FreshnessWatch;

  constructor(private readonly parts: TriggerParts) {
    const { ledger, requester, stumbled, reader } = parts;
    const reconciler = new Reconciler({
      ...parts,
      ledger: () => ledger.automation,
      checks: () => ledger.checks,
      prepare: (...request) => requester.prepare(...request),
      recorded: (...run) => requester.recorded(...run),
      failed: (error) => stumbled('Automation looks again soon', error),
    });
    const scheduler = new Scheduler({
      ...parts,
      ledger: () => ledger.schedules,
      failed: (error) => stumbled('A schedule is looked at again soon', error),
    });
    const evaluator = new Evaluator({
      ...parts,
      ledger: () => ledger.sensors,
      log: () => ledger.eventLog,
      failed: (error) => stumbled('A sensor is looked at again soon', error),
      random: Math.random,
    });
    const freshness = new FreshnessReader(() => ledger);
    this.freshnessDesk = {
      ...{ ledger: () => ledger.freshness, reader: freshness, resolve: parts.resolve, beforeUse: parts.beforeUse },
      model: () => parts.model(),
      partitionIn: (...place) => reader.partitionIn(...place),
    };
    this.#watch = new FreshnessWatch({
      ...parts,
      ledger: () => ledger.freshness,
      ...{ reader: freshness, model: () => parts.model(), recorded: () => parts.told() },
      failed: (error) => stumbled('What is overdue is looked at again soon', error),
    });
    this.#reconciler = reconciler;
    this.#scheduler = scheduler;
    this.#evaluator = evaluator;
    this.automationDesk = { ...parts, reconciler, partitionIn: (...place) => reader.partitionIn(...place) };
    this.scheduleDesk = { ...parts, scheduler };
    this.sensorDesk = { ...parts, evaluator };
  }

  /** @param works whether this process works; one that does not is still called by senders of webhooks */
  async start(works: boolean): Promise<void> {
    const { enabled } = this.parts;
    if (enabled && works) this.#reconciler.start();
    if (works) await this.#scheduler.start(enabled);
    if (enabled && works) this.#watch.start();
    await this.#evaluator.start(works, enabled);
  }

  /** Time has passed in another way than by itself. */
  clockChanged(): void {
    this.#reconciler.clockChanged();
    this.#scheduler.wake();
    this.#evaluator.wake();
    this.#watch.wake();
  }

  /** Requests nothing more. */
  async close(): Promise<void> {
    await this.#watch.close();
    await this.#evaluator.close();
    await this.#scheduler.close();
    await this.#reconciler
      .close()
      .catch((error: unknown) => this.parts.stumbled('Automation was left as it was', error));
  }
}
