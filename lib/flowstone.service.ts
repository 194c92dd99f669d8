// The facade: everything an application asks of FlowStone, typed by the asset classes passed in.
import { Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { Automation } from './automation/automation.desk.js';
import { FreshnessDesk } from './automation/freshness/freshness.desk.js';
import { Schedules } from './automation/schedules/schedule.desk.js';
import { Sensors } from './automation/sensors/sensor.desk.js';
import { Approvals } from './checkpoints/approvals.js';
import { Checks } from './checks/check.desk.js';
import { Signals } from './checkpoints/signals.js';
import { parseDuration } from './assets/duration.js';
import type { AssetClass } from './assets/asset.definition.js';
import type { ValueOf } from './assets/asset.value.js';
import { messagesOf, progressOf, type ProgressMessage } from './events/progress.stream.js';
import { FlowStoneEvents } from './events/flowstone.events.js';
import type { FlowStoneEngine } from './flowstone.engine.js';
import { FlowStoneError } from './flowstone.errors.js';
import { readHealth, type FlowStoneHealth } from './flowstone.health.js';
import {
  ACT,
  CANCEL,
  DELETE,
  ENSURE,
  FOLLOW,
  HISTORY,
  INVALIDATE,
  LOAD,
  LOGS,
  MATERIALIZE,
  PAGE,
  PLAN,
  PREVIEW,
  PROGRESS_TOKEN,
  REPORT,
  RETRY,
  RUNS,
  actOf,
  type ActOptions,
  type DeleteOptions,
  type EnsureOptions,
  type HistoryOptions,
  type LoadOptions,
  type LogOptions,
  type MaterializeOptions,
  type PartitionsOfAct,
  type PreviewOptions,
  type ProgressTokenOptions,
  type ReportedVersion,
  type RunFilter,
} from './flowstone.requests.js';
import type { EntityManager, Page, PageRequest } from './ledger/ledger.port.js';
import type { LogLine } from './ledger/logs.port.js';
import { graphView, type GraphView } from './lineage/graph.view.js';
import { Lineage } from './lineage/lineage.js';
import type { MaterializationRecord, RunRecord } from './ledger/records.js';
import type { PartitionKeyInput } from './partitions/partition-key.js';
import type { PartitionSet } from './partitions/partition-set.js';
import type { Plan } from './planning/plan.js';
import { readStatus, summarizeStatus, type PartitionStatus, type AssetStatus } from './planning/status.js';
import type { Collected } from './retention/collection.pass.js';
import { PREVIEW_ROWS, type ValuePreview } from './runs/value.preview.js';
import { requireOptions } from './request.options.js';
import { resourceOverview, type ResourceOverview } from './resources/resource.overview.js';
import type { PlanOptions, Target } from './runs/request.reader.js';
import { refuseNested } from './runs/requester.js';
import type { RunHandle, RunProgress } from './runs/run.handle.js';
import { hasEnded } from './runs/run.view.js';
import type { Wait } from './runs/wait.reason.js';

/** A head and how to load it. */
export interface EnsuredHead<V> {
  readonly materialization: number;
  readonly dataVersion: string;
  readonly completedAt: Date;
  load(): Promise<V>;
}

/** Where the service finds the engine; it exists once the application is initialised. */
export abstract class EngineSource {
  abstract require(): FlowStoneEngine;
}

@Injectable()
export class FlowStoneService {
  /** What waits for decisions by people, and these. */
  readonly approvals = new Approvals<ValuePreview>(() => this.source.require().approvalDesk);

  /** What waits for the outside world, and answers from there. */
  readonly signals = new Signals(() => this.source.require().signalDesk);

  /** What is computed without anybody asking, why, and why not. */
  readonly automation = new Automation(() => this.source.require().triggers.automationDesk);

  /** What is run by the clock. */
  readonly schedules = new Schedules(() => this.source.require().triggers.scheduleDesk);

  /** What observes something and requests runs by what it sees. */
  readonly sensors = new Sensors(() => this.source.require().triggers.sensorDesk);

  /** Whether what is there is as young as it has to be. */
  readonly freshness = new FreshnessDesk(() => this.source.require().triggers.freshnessDesk);

  /** Which checks there are, what they found, and having them look now. */
  readonly checks = new Checks(() => this.source.require().checkDesk);

  /** Where data came from, what came of it, and what would have to be computed again if it changed. */
  readonly lineage = new Lineage(() => this.source.require().lineageParts);

  constructor(
    private readonly source: EngineSource,
    /** What happens, as it is committed, in this process or another. */
    readonly events: FlowStoneEvents,
  ) {}

  /**
   * Requests that targets be materialized, with whatever is stale above them, and returns once the request is
   * recorded. Bad requests reject and record nothing.
   */
  async materialize(target: Target, options: MaterializeOptions = {}): Promise<RunHandle> {
    requireOptions('materialize()', options, MATERIALIZE);
    const engine = this.#engine(options.manager);
    const { request, model } = await engine.partitions.reading(options.manager, async (moments) => {
      const fresh = await moments.fresh();
      return { model: fresh, request: await engine.reader.read(fresh, target, options) };
    });
    return engine.requester.request(request, options, model);
  }

  /** What materialize() would run, and why, and what not. Changes nothing. */
  async plan(target: Target, options: PlanOptions = {}): Promise<Plan> {
    requireOptions('plan()', options, PLAN);
    const engine = this.#engine();
    const model = await engine.moments.fresh();
    return engine.planner.plan(await engine.reader.read(model, target, options), model);
  }

  /** The status of one partition, or of an unpartitioned asset, with all reasons. */
  async status(asset: AssetClass | string, partition: PartitionKeyInput): Promise<PartitionStatus>;
  /** The status of an unpartitioned asset, or the summary of a partitioned one. */
  async status(asset: AssetClass | string): Promise<PartitionStatus | AssetStatus>;
  async status(asset: AssetClass | string, partition?: PartitionKeyInput): Promise<PartitionStatus | AssetStatus> {
    const engine = this.#engine();
    const { key, scheme } = engine.catalogue.resolve(asset);
    const model = await engine.moments.fresh();
    if (scheme && partition === undefined) return summarizeStatus(model, engine.facts, key);
    return readStatus(model, engine.facts, key, engine.reader.partitionIn(model, key, partition));
  }

  /**
   * The value of the head, or of an earlier materialization that is kept (`version`).
   * @throws FlowStoneError FLOWSTONE_VALUE_MISSING, FLOWSTONE_IO_VERSION_NOT_KEPT
   */
  async load<C extends AssetClass>(asset: C, options?: LoadOptions): Promise<ValueOf<C>>;
  async load(asset: string, options?: LoadOptions): Promise<unknown>;
  async load(asset: AssetClass | string, options: LoadOptions = {}): Promise<unknown> {
    requireOptions('load()', options, LOAD);
    const engine = this.#engine();
    const place = await engine.partitions.recorded(asset, options.partition);
    return engine.valueReader.load(place, options.version);
  }

  /**
   * A look at the value of the head, or of a version: its first `rows` rows (20), the beginning of a text, bytes or document,
   * cut in depth, width and length. Errors as of load().
   */
  async preview(asset: AssetClass | string, options: PreviewOptions = {}): Promise<ValuePreview> {
    requireOptions('preview()', options, PREVIEW);
    const engine = this.#engine();
    const { partition, version, rows = PREVIEW_ROWS } = options;
    return engine.valueReader.preview(await engine.partitions.recorded(asset, partition), version, rows);
  }

  /**
   * The head, if it is fresh and young enough; else one materialization, shared by all who ask at the same time, and
   * its outcome, failure included.
   */
  async ensure<C extends AssetClass>(asset: C, options: EnsureOptions = {}): Promise<EnsuredHead<ValueOf<C>>> {
    requireOptions('ensure()', options, ENSURE);
    refuseNested('ensure()');
    const engine = this.#engine();
    const { asset: key, partition, key: partitionKey } = await engine.partitions.existing(asset, options.partition);
    const { materialization, dataVersion, completedAt, value } = await engine.ensurer.ensure(
      key,
      partitionKey,
      options,
    );
    const load = (): Promise<ValueOf<C>> => engine.values.load({ asset: key, partition, value }) as Promise<ValueOf<C>>;
    return { materialization, dataVersion, completedAt, load };
  }

  /** A run, to look at, wait for or cancel. Looking at one that does not exist says so. */
  run(id: number): RunHandle {
    return this.source.require().requester.handle(id);
  }

  /**
   * How far a run is, in whichever processes it is executed: each change, the newest only of many that come together, and last
   * of all the end, from the committed record. An error: there is no such run.
   */
  progress(run: number): Observable<RunProgress> {
    const engine = this.source.require();
    return progressOf(
      (signal) => engine.requester.handle(run).progress(signal),
      () => engine.events.watch(run),
    );
  }

  /**
   * A token by which whoever has it may see how far this run is, and nothing else, for a short time (`ttl`, 15 minutes):
   * {@link progressStream}. Made with `signalSecret`.
   * @throws FlowStoneError FLOWSTONE_OPTIONS_INVALID: there is no secret
   */
  progressToken(run: number, options: ProgressTokenOptions = {}): string {
    requireOptions('progressToken()', options, PROGRESS_TOKEN);
    return this.source.require().progressTokens.tokenOf(run, parseDuration(options.ttl ?? '15m'));
  }

  /**
   * The progress of the run of a token, for a method with Nest's `@Sse()`: messages of type `progress`, then one `end`; the
   * token is looked at once, at the beginning.
   * @throws FlowStoneError FLOWSTONE_PROGRESS_TOKEN_INVALID
   */
  progressStream(token: string): Observable<ProgressMessage> {
    const run = this.source.require().progressTokens.read(token);
    return messagesOf(this.progress(run), ({ status }) => hasEnded(status));
  }

  /** Runs, newest first. */
  async runs(filter: RunFilter = {}, page: PageRequest = { limit: 50 }): Promise<Page<RunRecord>> {
    requireOptions('runs()', filter, RUNS);
    return this.#engine().ledger.runs(filter, checkedPage(page));
  }

  /** Materializations of an asset, or of one partition, newest first, whatever became of them. */
  async history(asset: AssetClass | string, options: HistoryOptions = {}): Promise<Page<MaterializationRecord>> {
    requireOptions('history()', options, HISTORY);
    const engine = this.#engine();
    const { key } = engine.catalogue.resolve(asset);
    const { partition, limit = 50, before } = options;
    const filter =
      partition === undefined ? {} : { partition: (await engine.partitions.recorded(asset, partition)).key };
    return engine.ledger.materializations({ asset: key, ...filter }, checkedPage({ limit, before }));
  }

  /** Materializations of a run, newest first. */
  async materializations(run: number, page: PageRequest = { limit: 100 }): Promise<Page<MaterializationRecord>> {
    return this.#engine().ledger.materializations({ run }, checkedPage(page));
  }

  /**
   * What the attempts of a materialization have logged (`context.log`, and `context.logger` from `log` on), in order: read on
   * by `{ after }` the last line. Kept as long as its run.
   */
  async logs(materialization: number, options: LogOptions = {}): Promise<readonly LogLine[]> {
    requireOptions('logs()', options, LOGS);
    const { after = null, limit = 1000 } = options;
    return Number.isSafeInteger(materialization) ? this.#engine().ledger.logs.lines(materialization, after, limit) : [];
  }

  /**
   * The same as an observable: what is there, then what comes, from whichever process, until the materialization has ended.
   * An error: there is no such materialization.
   */
  followLogs(materialization: number, options: Pick<LogOptions, 'after'> = {}): Observable<LogLine> {
    requireOptions('followLogs()', options, FOLLOW);
    return this.#engine().events.followLog(materialization, options.after ?? null);
  }

  /**
   * What a materialization waits for, as it is now: upstreams, its pool, a retry, a worker, and so on. Undefined where it
   * does not wait, or there is none.
   */
  async whyWaiting(materialization: number): Promise<Wait | undefined> {
    return this.#engine().waits.of(materialization);
  }

  /**
   * A new run of what failed, was cancelled or could not run in another; while such a retry is open, that one.
   * Nothing of the old run changes.
   */
  async retry(run: number, options: Pick<MaterializeOptions, 'requestedBy'> = {}): Promise<RunHandle> {
    requireOptions('retry()', options, RETRY);
    return this.#engine().requester.retry(run, options.requestedBy ?? null);
  }

  /** Cancels what has not begun at once, what runs through its signal, then by fence. Ended runs stay as they are. */
  async cancel(run: number, options: Omit<ActOptions, 'manager'> = {}): Promise<void> {
    requireOptions('cancel()', options, CANCEL);
    const { by, reason } = options;
    await this.#engine().requester.cancel(run, by ?? null, reason ?? null);
  }

  /** Marks heads as stale whatever their inputs; returns how many. Without partitions: all of them. */
  async invalidate(asset: AssetClass | string, options: PartitionsOfAct & ActOptions = {}): Promise<number> {
    requireOptions('invalidate()', options, INVALIDATE);
    const engine = this.#engine(options.manager);
    const { key } = engine.catalogue.resolve(asset);
    const named = await engine.partitions.reading(options.manager, (moments) =>
      engine.partitions.named(options, (input) => engine.partitions.existing(asset, input, moments)),
    );
    const partitions = named ?? 'all';
    const count = await engine.ledger.invalidate([{ asset: key, partitions }], actOf(options));
    engine.events.wake();
    return count;
  }

  /**
   * Forgets heads and deletes their values, those of former versions too, once nothing that runs may still read them: the
   * partitions are `missing` then, their history stays. Retired partitions can be named as well. Returns how many heads
   * there were.
   */
  async delete(asset: AssetClass | string, options: DeleteOptions = {}): Promise<number> {
    requireOptions('delete()', options, DELETE);
    const engine = this.#engine();
    const { key, scheme } = engine.catalogue.resolve(asset);
    const named = await engine.partitions.named(options, (input) => engine.partitions.recorded(asset, input));
    if (!named && scheme) {
      throw new FlowStoneError(
        'FLOWSTONE_PARTITION_REQUIRED',
        `${key} is partitioned. Say which to delete: { partition }, { partitions: [...] } or { partitions: 'all' }.`,
        { context: { asset: key } },
      );
    }
    const partitions = named ?? 'all';
    const { heads, collection } = await engine.ledger.deleteHeads([{ asset: key, partitions }], actOf(options));
    engine.presence.forget();
    engine.events.wake();
    if (collection !== null) await engine.collector.deleteCollection(collection);
    return heads.length;
  }

  /**
   * Removes now what retention says may go, as each process with a worker does every now and then; waits while another
   * one is at it.
   */
  async collect(): Promise<Collected> {
    return this.#engine().collector.collect();
  }

  /** Tells that an external asset has a new version; what consumed another one is stale then. */
  async reportVersion(asset: AssetClass | string, version: ReportedVersion, options: ActOptions = {}): Promise<number> {
    requireOptions('The version of reportVersion()', version, REPORT, ['dataVersion']);
    requireOptions('reportVersion()', options, ACT);
    const engine = this.#engine(options.manager);
    const { key, external } = engine.catalogue.resolve(asset);
    if (!external) {
      const message = `${key} is computed here, its versions are not reported. Use invalidate() to have it recomputed.`;
      throw new FlowStoneError('FLOWSTONE_REQUEST_INVALID', message, { context: { asset: key } });
    }
    const { key: partition } = await engine.partitions.reading(options.manager, (moments) =>
      engine.partitions.existing(asset, version.partition, moments),
    );
    const { dataVersion, metadata = null } = version;
    const id = await engine.ledger.reportVersion({ asset: key, partition, dataVersion, metadata }, actOf(options));
    engine.events.wake();
    return id;
  }

  /** The partitions of an asset that exist now; lazily numbered, none is listed. */
  async partitions(asset: AssetClass | string): Promise<PartitionSet> {
    const engine = this.#engine();
    const { key } = engine.catalogue.resolve(asset);
    const model = await engine.moments.fresh({ assets: [key] });
    return model.setOf(model.requireIndex(key));
  }

  /** Adds keys to the dynamic scheme `name`; returns those that are new or came back. */
  async addPartitions(name: string, keys: readonly string[], options: ActOptions = {}): Promise<readonly string[]> {
    requireOptions('addPartitions()', options, ACT);
    const engine = this.#engine(options.manager);
    engine.reader.requireDynamic(name, keys);
    const added = await engine.ledger.addPartitions(name, keys, actOf(options));
    engine.moments.forget();
    engine.events.wake();
    return added;
  }

  /** Retires keys of the dynamic scheme `name`: never planned again, heads and history kept. Returns those there were. */
  async removePartitions(name: string, keys: readonly string[], options: ActOptions = {}): Promise<readonly string[]> {
    requireOptions('removePartitions()', options, ACT);
    const engine = this.#engine(options.manager);
    engine.reader.requireDynamic(name, keys);
    const removed = await engine.ledger.removePartitions(name, keys, actOf(options));
    engine.moments.forget();
    engine.events.wake();
    return removed;
  }

  /** The declared graph as it counts now, for drawing: also what only other workers declare. */
  graph(): GraphView {
    return graphView(this.source.require().catalogue.definitions);
  }

  /** What assets borrow (`@Resource`), and how it is in each process that lives. */
  async resources(): Promise<readonly ResourceOverview[]> {
    const { ledger, resources, membership } = this.#engine();
    return resourceOverview(await ledger.processes.processes(), resources.views, membership.id);
  }

  /** How the database, the queue, workers and the resources of this process are, asked now. What is down is told, not thrown. */
  async health(): Promise<FlowStoneHealth> {
    return readHealth(this.source.require());
  }

  /** @throws FlowStoneError FLOWSTONE_TRANSACTION_OPEN for what would wait for the caller's own transaction to end */
  #engine(manager?: EntityManager): FlowStoneEngine {
    const engine = this.source.require();
    if (!manager) engine.refuseInTransaction();
    return engine;
  }
}

/** Whether a number can be the id of anything recorded. */
function isId(id: number): boolean {
  return Number.isSafeInteger(id) && id > 0;
}

/** A page that a listing can be cut to. */
function checkedPage(page: PageRequest): PageRequest {
  requireOptions('A page', page, PAGE);
  const { limit, before } = page;
  if (isId(limit) && (before == null || isId(before))) return { limit, before };
  throw new FlowStoneError(
    'FLOWSTONE_REQUEST_INVALID',
    `A page has a whole number of at least 1 as limit (not ${limit}), and as before the \`next\` of the page before (not ${before}).`,
  );
}
