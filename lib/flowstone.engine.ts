// The parts of one process put together: what runs between start and stop, without Nest. The module makes one of a
// Nest application, nestjs-flowstone/testing one of a few classes.
import type { VersionPolicies } from './ledger/collection.port.js';
import type { Ledger } from './ledger/ledger.port.js';
import {
  NOTHING_TAKEN,
  type AssetRegistration,
  type CurrentDefinition,
  type TakenBack,
} from './ledger/registrations.js';
import type { AssetClass, AssetDefinition } from './assets/asset.definition.js';
import type { ContextLogger } from './assets/asset.context.js';
import { AssetRegistry, type RegisteredAsset } from './assets/asset.registry.js';
import { storedDefinition } from './assets/stored.definition.js';
import { FlowStoneError } from './flowstone.errors.js';
import type { ResolvedOptions } from './flowstone.options.js';
import { actOf } from './flowstone.requests.js';
import type { IoRegistry } from './io/io.registry.js';
import type { VersionPolicy } from './ledger/records.js';
import type { LeaseAccess } from './ledger/sql/lease-ledger.js';
import { declaredUpstreams } from './planning/must-run.js';
import { dimensionsOf } from './partitions/partition-dimensions.js';
import type { WorkQueue } from './queue/queue.port.js';
import type { AttemptHost } from './runs/attempt.host.js';
import type { ApprovalDeskParts } from './checkpoints/approvals.js';
import type { SignalDeskParts } from './checkpoints/signals.js';
import { SignalTokens } from './checkpoints/signal.tokens.js';
import { blockingGuards } from './checks/blocking.checks.js';
import type { CheckDeskParts } from './checks/check.desk.js';
import type { OwnCheck } from './checks/declared.checks.js';
import { ValueInspector } from './checks/value.inspector.js';
import type { LineageParts } from './lineage/lineage.parts.js';
import { Catalogue } from './runs/catalogue.js';
import { LookAgainDesk } from './runs/claim.desk.js';
import { Coordinator } from './runs/coordinator.js';
import type { Failure } from './runs/failure.js';
import { isOutage } from './runs/patience.js';
import { Pulse } from './runs/heartbeat/pulse.js';
import { heartbeatFor } from './runs/heartbeat/heartbeat-for.js';
import { AttemptLog } from './runs/attempt.log.js';
import { LogKeeper } from './runs/log.keeper.js';
import { LedgerFacts, type LostValue } from './runs/ledger.facts.js';
import { Membership } from './runs/membership.js';
import { PartitionMoments, type SchemeSupply } from './runs/partition.moments.js';
import { PartitionReader } from './runs/partition.reader.js';
import { Presence } from './runs/presence.js';
import { Ensurer } from './runs/ensurer.js';
import { plainExecution } from './runs/execution.js';
import { RequestReader } from './runs/request.reader.js';
import { RunRequester } from './runs/requester.js';
import { RunPlanner } from './runs/run.planner.js';
import { RunSignals } from './runs/run.signals.js';
import { SummaryKeeper } from './runs/summary.keeper.js';
import { RunViews } from './runs/run.view.js';
import { Waits } from './runs/waits.js';
import { PREVIEW_ROWS, previewJson, type ValuePreview } from './runs/value.preview.js';
import { ValueReader } from './runs/value.reader.js';
import { ValueStore } from './runs/value.store.js';
import { openLineageReceiver } from './openlineage/openlineage.receiver.js';
import { OutboxSender } from './outbox/outbox.sender.js';
import type { NoticeReceiver } from './outbox/receiver.port.js';
import { SendingLog } from './outbox/sending.log.js';
import type { EventBus } from './events/event.bus.js';
import { EventHub } from './events/event.hub.js';
import type { Hook } from './events/hook.js';
import { ProgressTokens } from './events/progress.tokens.js';
import type { OwnResource } from './resources/declared.resources.js';
import { ResourceKeeper } from './resources/resource.keeper.js';
import { openTelemetry, type EngineTelemetry } from './telemetry/telemetry.js';
import { Collector } from './retention/collector.js';
import { keptInWords } from './retention/retention.options.js';
import type { OwnSchedule } from './automation/schedules/declared.schedules.js';
import type { OwnSensor } from './automation/sensors/declared.sensors.js';
import { Triggers } from './automation/triggers.js';
import { WorkLog } from './flowstone.log.js';

/** What is still to leave the system when all work has ended may take so long, ms. */
const LAST_NOTICES = 5000;

export interface EngineParts {
  readonly options: ResolvedOptions;
  readonly assets: readonly RegisteredAsset[];
  readonly ledger: Ledger;
  /** Stopped with the engine. */
  readonly queue: WorkQueue;
  readonly io: IoRegistry;
  /** See OpenableLedger. */
  readonly leases?: LeaseAccess | undefined;
  /** See OpenableLedger. */
  readonly insideTransaction?: (() => boolean) | undefined;
  /** Who takes what leaves the system. */
  readonly receivers?: readonly NoticeReceiver[] | undefined;
  /** Who listens to events in this process. */
  readonly bus: EventBus;
  /** Who must not miss any. */
  readonly hooks: readonly Hook[];
  /** What assets borrow, as far as it is set up and looked at here. */
  readonly resources?: readonly OwnResource[] | undefined;
  /** What looks at values. */
  readonly checks?: readonly OwnCheck[] | undefined;
  /** What code declares to be run by the clock. */
  readonly schedules?: readonly OwnSchedule[] | undefined;
  /** What code declares to observe something. */
  readonly sensors?: readonly OwnSensor[] | undefined;
  /** A logger of this name. */
  readonly loggerOf: (name: string) => ContextLogger;
}

export class FlowStoneEngine {
  readonly options: ResolvedOptions;
  readonly ledger: Ledger;
  readonly queue: WorkQueue;
  readonly registry: AssetRegistry;
  readonly catalogue: Catalogue;
  readonly values: ValueStore;
  readonly facts: LedgerFacts;
  readonly moments: PartitionMoments;
  readonly presence = new Presence();
  readonly planner: RunPlanner;
  readonly membership: Membership;
  readonly resources: ResourceKeeper;
  readonly waits: Waits;
  readonly coordinator: Coordinator;
  readonly signals = new RunSignals(
    () => this.queue.hearEnds((run) => this.signals.ended(run)),
    () => this.events.wake(),
  );
  readonly views: RunViews;
  readonly reader: RequestReader;
  readonly partitions: PartitionReader;
  readonly requester: RunRequester;
  readonly ensurer: Ensurer;
  readonly valueReader: ValueReader;
  readonly approvalDesk: ApprovalDeskParts<ValuePreview>;
  readonly lineageParts: LineageParts;
  readonly checkDesk: CheckDeskParts;
  readonly signalDesk: SignalDeskParts;
  readonly collector: Collector;
  readonly outbox: OutboxSender;
  readonly summaryKeeper: SummaryKeeper;
  readonly events: EventHub;
  readonly logs: LogKeeper;
  readonly progressTokens: ProgressTokens;
  readonly triggers: Triggers;
  readonly #telemetry: EngineTelemetry | undefined;
  readonly #insideTransaction: (() => boolean) | undefined;
  readonly #io: IoRegistry;
  readonly #log: WorkLog;
  /** From predecessors, as it entered. */
  #taken = NOTHING_TAKEN;
  /** Whether the application is being shut down: what routes to it should not any more. */
  closing = false;

  constructor({
    options,
    assets,
    ledger,
    queue,
    leases,
    io,
    insideTransaction,
    receivers = [],
    schedules = [],
    sensors = [],
    resources = [],
    checks = [],
    bus,
    hooks,
    loggerOf,
  }: EngineParts) {
    this.options = options;
    this.queue = queue;
    this.ledger = ledger;
    this.#insideTransaction = insideTransaction;
    this.#io = io;
    this.#log = new WorkLog(loggerOf('FlowStone'), options.onFailure);
    this.registry = new AssetRegistry(assets);
    this.catalogue = new Catalogue(this.registry, () => this.membership.current);
    this.values = new ValueStore(this.registry, this.catalogue, io, options, async ({ id, epoch }) => {
      const lost = await ledger.collection.unreachable([{ materialization: id, epoch }]);
      return lost.length === 0;
    });
    const lostValue: LostValue = (value) => this.values.lost(value);
    this.facts = new LedgerFacts(
      ledger,
      lostValue,
      (value) => this.values.mayBeLost(value),
      (entries) => this.waits.ofEntries(entries),
    );
    const supply: SchemeSupply = {
      config: options.config,
      healthy: (...required) => this.resources.require(...required),
    };
    this.moments = new PartitionMoments(ledger, this.registry, this.catalogue, supply);
    this.planner = new RunPlanner(ledger, this.catalogue, this.moments, this.facts, options.maxPlanSize, (failure) =>
      this.#log.failed(failure),
    );
    const worker = options.role !== 'api';
    const tellsAttempts = options.openLineage !== undefined;
    const alone = options.storage === 'embedded' || options.storage === 'memory';
    const pulse = new Pulse(options.concurrency);
    this.membership = new Membership(
      ledger,
      this.registry.definitions.map(registrationOf),
      options.pools,
      { ...options, worker, alone, tellsAttempts, superseded: (keys) => this.#superseded(keys) },
      heartbeatFor({ ledger, access: leases, ...options, pulse, definitions: this.registry.definitions }),
    );
    this.resources = new ResourceKeeper({
      ...{ resources, loggerOf, random: Math.random },
      ledger: () => ledger.processes,
      process: () => this.membership.id,
      news: {
        held: (keys) => this.#hold(keys),
        turned: (resource) => this.#log.resourceTurned(resource),
        told: () => this.#refresh(),
        notTornDown: (...what) => this.#log.notTornDown(...what),
        outage: (error) => this.#log.outage.noticed(error),
        failed: (error) => this.#log.stumbled('How resources are could not be told to others', error),
      },
    });
    this.waits = new Waits(ledger, this.membership, queue);
    this.views = new RunViews(ledger, this.membership);
    const tokens = new SignalTokens(options.namespace, options.signalSecret);
    this.progressTokens = new ProgressTokens(options.namespace, options.signalSecret);
    this.logs = new LogKeeper(() => ledger.logs, {
      lost: (count) => this.#log.linesLost(count),
      written: () => this.events.logged(),
      outage: (error) => this.#log.outage.noticed(error),
      failed: (error) => this.#log.stumbled('What attempts logged could not be kept', error),
    });
    this.#telemetry = openTelemetry(options.telemetry, (run) => ledger.run(run));
    const checking = { ledger: () => ledger.checks, loggerOf, recorded: () => this.events.wake() };
    const host: AttemptHost = {
      namespace: options.namespace,
      cancelGrace: options.cancelGrace,
      ledger,
      pulse,
      loader: this.values,
      guards: blockingGuards(checks, checking),
      store: (definition, claim, slice, value, signal) => this.values.store(definition, claim, slice, value, signal),
      commit: (...commit) => this.coordinator.commit(...commit),
      ask: (...request) => this.coordinator.ask(...request),
      supersede: (...decision) => this.coordinator.supersede(...decision),
      resourcesOf: ({ key }) => this.registry.require(key).resources,
      loggerOf,
      logOf: (claim) => new AttemptLog(claim, this.logs),
      progress: ({ run, epoch, id, asset, partition }, done, total) => {
        this.signals.report(run, { id, asset, partition, done, total });
        this.events.progressed({ run, epoch, id, asset, partition, done, total });
      },
      random: Math.random,
    };
    const execution = this.#telemetry?.execution ?? plainExecution;
    const runEnded = (run: number): void => this.#tellEnd(run);
    this.coordinator = new Coordinator(
      ledger,
      this.membership,
      queue,
      new LookAgainDesk(
        ledger,
        this.registry,
        this.catalogue,
        this.moments,
        this.presence,
        host,
        lostValue,
        tokens,
        execution,
      ),
      () => this.#planNext(),
      this.signals,
      {
        runEnded,
        failed: (failure) => this.#log.failed(failure),
        outage: (error) => this.#log.outage.noticed(error),
        answered: () => this.#log.outage.over(),
        posted: () => this.outbox.look(),
        settled: this.#telemetry?.settled,
        broken: (error) => this.#log.broken(error),
      },
      {
        ...options,
        worker,
        alone,
        tellsAttempts,
        isShared: (pool) => this.catalogue.isShared(pool),
        isHeld: (asset) => this.membership.isHeld(asset),
        rated: new Set(options.pools.filter(({ rate, perKey }) => rate ?? perKey?.rate).map(({ name }) => name)),
        pools: new Map(this.registry.definitions.map(({ key, pool }) => [key, pool])),
        batchSizes: new Map(
          this.registry.definitions.flatMap(({ key, batchSize }) =>
            batchSize === undefined ? [] : [[key, batchSize]],
          ),
        ),
      },
    );
    this.reader = new RequestReader(this.catalogue, this.facts);
    this.partitions = new PartitionReader(ledger, this.registry, this.catalogue, this.reader, this.moments, supply);
    const { planner, coordinator, views, signals } = this;
    this.requester = new RunRequester(
      ledger,
      planner,
      coordinator,
      views,
      signals,
      { ...options, alone },
      {
        beforeRead: () => this.refuseInTransaction(),
        waits: (run) => this.waits.ofRun(run),
        runEnded,
      },
      this.#telemetry,
    );
    this.ensurer = new Ensurer(ledger, this.moments, this.facts, this.requester, lostValue);
    this.valueReader = new ValueReader(ledger, this.values, (asset) =>
      keptInWords(this.catalogue.resolve(asset).keep ?? options.retention.versions),
    );
    const inspector = new ValueInspector({
      ...checking,
      load: (place, version) => this.valueReader.load(place, version),
      partitionOf: (...place) => this.partitions.shown(...place),
      isPartitioned: (asset) => this.registry.resolve(asset).scheme !== undefined,
    });
    this.checkDesk = {
      ...{ ledger, own: checks, inspector },
      definitions: () => this.catalogue.definitions,
      resolve: (asset) => this.catalogue.resolve(asset),
      recorded: (...place) => this.partitions.recorded(...place),
      beforeUse: () => this.refuseInTransaction(),
    };
    const desk = {
      ledger,
      resolve: (asset: AssetClass | string) => this.catalogue.resolve(asset),
      find: (asset: string) => this.registry.find(asset)?.definition,
      changed: (run: number, rings: readonly string[]) => {
        this.coordinator.offer(rings);
        this.signals.changed(run);
        this.outbox.look();
      },
      beforeUse: () => this.refuseInTransaction(),
    };
    this.signalDesk = { ...desk, tokens };
    this.approvalDesk = {
      ...desk,
      preview: async ({ asset, partition: key, materialization }) => {
        const partition = this.catalogue.resolve(asset).scheme ? key : undefined;
        const shown = await this.valueReader.preview({ asset, key, partition }, materialization, PREVIEW_ROWS);
        return { shown, json: previewJson(shown) };
      },
    };
    this.lineageParts = {
      ledger,
      facts: this.facts,
      definitions: () => this.catalogue.definitions,
      resolve: (asset) => this.catalogue.resolve(asset),
      recorded: (...place) => this.partitions.recorded(...place),
      reading: (manager, read) => this.partitions.reading(manager, async (moments) => read(await moments.fresh())),
      invalidate: (targets, act) => ledger.invalidate(targets, actOf(act)),
      request: (...request) => this.requester.request(...request),
      beforeUse: (manager) => {
        if (!manager) this.refuseInTransaction();
      },
    };
    this.triggers = new Triggers({
      ...{ ledger, bus, schedules, sensors, loggerOf, enabled: options.triggers },
      facts: this.facts,
      reader: this.reader,
      requester: this.requester,
      model: (added) => this.moments.fresh({ added }),
      definitions: () => this.catalogue.definitions,
      resolve: (asset) => this.catalogue.resolve(asset),
      process: () => this.membership.id,
      told: () => {
        this.moments.forget();
        this.events.wake();
      },
      beforeUse: () => this.refuseInTransaction(),
      stumbled: (...what) => this.#log.stumbled(...what),
    });
    this.summaryKeeper = new SummaryKeeper({
      facts: this.facts,
      model: () => this.moments.fresh(),
      failed: (error) => this.#log.stumbled('The summaries of large assets are renewed later', error),
    });
    this.collector = new Collector({
      ledger: () => ledger.collection,
      io,
      deleteValue: ({ asset, partition, value }) => this.values.delete(asset, partition, value),
      namespace: options.namespace,
      retention: options.retention,
      process: () => this.membership.id,
      policies: () => versionPolicies(this.membership.current.values(), options.retention.versions),
      news: {
        collected: (collected) => this.#log.collected(collected),
        failed: (error) => this.#log.stumbled('Retention stumbled and tries again later', error),
        notListed: (manager, error) => this.#log.notListed(manager, error),
        notDeleted: (count, value, error) => this.#log.notDeleted(count, value, error),
      },
    });
    this.events = new EventHub({
      ...{
        ledger,
        bus,
        hooks: [...hooks, ...inspector.hooks(checks)],
        signals: this.signals,
        ...options,
        worker,
        log: this.#log,
      },
      process: () => this.membership.id,
      posted: () => this.outbox.look(),
    });
    this.outbox = new OutboxSender({
      ledger: () => ledger.outbox,
      installation: () => ledger.installation,
      receivers: [
        ...receivers,
        ...this.events.receivers,
        ...(options.openLineage
          ? [openLineageReceiver(options.openLineage, this.catalogue, options.namespace, ledger, this.#log.logger)]
          : []),
      ],
      keepFor: options.outbox.keepFor,
      random: Math.random,
      news: new SendingLog(
        this.#log.logger,
        (error) => this.#log.outage.noticed(error),
        (error) => this.#log.stumbled('The outbox could not be read and is tried again', error),
      ),
    });
  }

  /** @throws FlowStoneError FLOWSTONE_TRANSACTION_OPEN where the caller holds the only connection itself */
  refuseInTransaction(): void {
    if (!this.#insideTransaction?.()) return;
    throw new FlowStoneError(
      'FLOWSTONE_TRANSACTION_OPEN',
      'This runs inside a transaction on the embedded database, which has one connection: it would wait for itself. Pass the transaction as { manager }, where the method takes one, or call after the transaction.',
    );
  }

  /** Opens ledger and values, and enters the process. Nothing runs yet. */
  async open(): Promise<void> {
    await this.ledger.open();
    await this.#io.open();
    this.#taken = await this.membership.enter();
    await this.resources.enter();
  }

  /** Begins to work. */
  async start(): Promise<void> {
    this.membership.keepAlive({
      cancelled: (attempts) => this.coordinator.cancel(attempts),
      lost: () => {
        this.#log.leaseLost();
        this.coordinator.abortAll('lost');
      },
      entered: () => {
        this.resources.enteredAnew();
        this.coordinator.lookAround();
      },
      rescued: (taken) => this.#rescued(taken),
      failed: (error) => this.#log.stumbled('The heartbeat failed', error),
      listened: (listened) => this.events.renewed(listened),
      blocked: (milliseconds, executing) => this.#log.blocked(milliseconds, executing),
      timedOut: (settled) => {
        this.#settled(settled);
        this.coordinator.clockChanged();
      },
    });
    this.resources.start();
    if (this.options.role !== 'api') {
      this.collector.start();
      this.outbox.start();
      this.summaryKeeper.start();
    }
    await this.triggers.start(this.options.role !== 'api');
    await this.events.start();
    await this.coordinator.start();
    this.#rescued(this.#taken);
  }

  /** Claims nothing more; what runs goes on. */
  stopClaiming(): void {
    this.coordinator.close();
  }

  /**
   * Waits for what runs, up to the deadline, then hands back the rest and leaves; without that while the ledger cannot be
   * reached: then others take over when the lease ends.
   */
  async drain(): Promise<void> {
    await this.triggers.close();
    await this.collector.close();
    await this.summaryKeeper.close();
    const outages: unknown[] = [];
    const unlessAway = (error: unknown): void => {
      if (!isOutage(error)) throw error;
      outages.push(error);
    };
    await this.coordinator.drain(this.options.drainDeadline).catch(unlessAway);
    await this.#leave().catch(unlessAway);
    // What it has recorded last is told as well, and goes out.
    await this.logs.close();
    await this.events.close();
    await this.outbox.close(outages.length === 0 ? LAST_NOTICES : 0);
    // Hooks and checks may have used them until now.
    await this.resources.close();
    if (outages.length > 0) this.#log.leftInOutage(outages[0]);
  }

  async #leave(): Promise<void> {
    const { endedRuns, rings } = await this.membership.leave();
    this.coordinator.offer(rings);
    for (const run of endedRuns) await this.#runEnded(run);
  }

  async close(): Promise<void> {
    this.#telemetry?.close();
    this.signals.close();
    await this.#io.close();
    await this.ledger.close();
  }

  async #planNext(): Promise<ReadonlySet<string> | undefined> {
    const planned = await this.planner.planNext(this.membership.planner());
    if (!planned) return undefined;
    this.signals.changed(planned.run);
    const run = await this.ledger.run(planned.run);
    if (run?.completedAt) await this.#runEnded(run.id);
    return planned.readyIn;
  }

  #rescued({ count, failed, endedRuns, rings }: TakenBack): void {
    this.#log.takenOver(count);
    const failures = failed.map(({ message, ...place }): Failure => {
      const error = new FlowStoneError('FLOWSTONE_WORKER_LOST', message, { context: { ...place } });
      return { ...place, error, retrying: false };
    });
    this.#settled({ failures, endedRuns, rings });
  }

  /** Tells what the membership recorded, beside the coordinator, here and to others. */
  #settled({
    failures,
    endedRuns,
    rings,
  }: Pick<TakenBack, 'endedRuns' | 'rings'> & { readonly failures: readonly Failure[] }): void {
    for (const failure of failures) this.#log.failed(failure);
    for (const run of new Set(failures.map((failure) => failure.run))) this.signals.changed(run);
    for (const run of endedRuns) this.#tellEnd(run);
    this.coordinator.offer(rings);
  }

  #tellEnd(run: number): void {
    this.#runEnded(run).catch((error: unknown) => this.#log.broken(error));
  }

  #hold(assets: ReadonlySet<string>): void {
    this.membership.hold(assets);
    // Of what may begin again nobody has told it.
    this.coordinator.lookAround();
  }

  /** What others are told of resources is what is waited for. */
  #refresh(): void {
    this.events.wake();
    this.membership
      .refresh()
      .catch((error: unknown) => this.#log.stumbled('Which assets are held is read again later', error));
  }

  #superseded(assets: readonly string[]): void {
    // Of what counts again there may be work, of which nobody could tell it before.
    this.coordinator.lookAround();
    this.#log.superseded(assets);
  }

  async #runEnded(id: number): Promise<void> {
    this.signals.ended(id);
    this.queue.tellEnd(id);
    const run = await this.ledger.run(id);
    if (!run) return;
    this.#log.runEnded(run);
    this.#telemetry?.runEnded(run);
  }
}

/** What the ledger keeps of a definition: all that is declared, without classes. */
function registrationOf(definition: AssetDefinition): AssetRegistration {
  const { key, formerly, hash, scheme } = definition;
  return {
    key,
    formerly,
    hash,
    partitioned: scheme !== undefined,
    upstreams: declaredUpstreams(definition),
    pool: definition.pool,
    dimensions: dimensionsOf(scheme),
    definition: storedDefinition(definition),
  };
}

/** Which versions of each asset keep their values, by the definitions that count now, so that all processes agree. */
function versionPolicies(definitions: Iterable<CurrentDefinition>, otherwise: VersionPolicy): VersionPolicies {
  const declared = [...definitions].flatMap(({ key, definition }): [string, VersionPolicy][] =>
    definition['keep'] === undefined ? [] : [[key, definition['keep'] as unknown as VersionPolicy]],
  );
  return { byAsset: new Map(declared), otherwise };
}
