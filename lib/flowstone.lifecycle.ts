// The life of FlowStone within a Nest application: discover and check, open, work, drain, close.
import { setTimeout as pause } from 'node:timers/promises';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { AssetExplorer, type Discovery } from './assets/asset.explorer.js';
import { AssetRegistry, type RegisteredAsset } from './assets/asset.registry.js';
import { declarationError, type DeclarationProblem } from './assets/declaration.problem.js';
import { readSchedules } from './automation/schedules/declared.schedules.js';
import { readSensors } from './automation/sensors/declared.sensors.js';
import { checkDefinitions, findChecks } from './checks/declared.checks.js';
import { findResources, neededToPlan, ownResources } from './resources/declared.resources.js';
import { checkDeclarations } from './assets/declaration.check.js';
import { ApprovalNotifier, LogNotifier } from './checkpoints/approval.notifier.js';
import { approvalReceivers } from './checkpoints/approval.receivers.js';
import { EventBus } from './events/event.bus.js';
import { HookExplorer } from './events/hook.explorer.js';
import { FlowStoneEngine } from './flowstone.engine.js';
import { FlowStoneError } from './flowstone.errors.js';
import type { ResolvedOptions } from './flowstone.options.js';
import { EngineSource } from './flowstone.service.js';
import { absenceOf, createIoRegistry, type OpenableLedger } from './flowstone.storage.js';
import { MemoryIoManager } from './io/managers/memory.io-manager.js';
import { FLOWSTONE_QUEUE, type WorkQueue } from './queue/queue.port.js';
import { unusedKeys } from './runs/pool.options.js';

/** Token of the resolved options. */
export const FLOWSTONE_OPTIONS = Symbol.for('flowstone:options');
/** Token of the ledger that is opened at init. */
export const FLOWSTONE_LEDGER = Symbol.for('flowstone:ledger');

@Injectable()
export class FlowStoneLifecycle
  extends EngineSource
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly #logger = new Logger('FlowStone');
  #engine: FlowStoneEngine | undefined;

  constructor(
    @Inject(FLOWSTONE_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(FLOWSTONE_LEDGER) private readonly storage: OpenableLedger,
    @Inject(FLOWSTONE_QUEUE) private readonly queue: WorkQueue,
    private readonly explorer: AssetExplorer,
    private readonly bus: EventBus,
    private readonly hookExplorer: HookExplorer,
  ) {
    super();
  }

  require(): FlowStoneEngine {
    if (this.#engine) return this.#engine;
    throw new FlowStoneError(
      'FLOWSTONE_NOT_STARTED',
      'FlowStone is not started. Use the service from onApplicationBootstrap() on, and not after the application is closed.',
    );
  }

  async onModuleInit(): Promise<void> {
    try {
      const io = createIoRegistry(this.options, this.storage);
      const discovery = this.explorer.explore();
      const problems: DeclarationProblem[] = [];
      const hooks = this.hookExplorer.explore(problems);
      const sensors = readSensors(discovery, problems);
      const checks = findChecks(discovery, problems);
      const found = findResources(discovery, this.options.resources, problems);
      const assets = checkDeclarations(
        discovery,
        {
          names: io.names,
          default: this.options.io,
          keepsHeadOnly: (name, options) => io.keepsHeadOnly(name, options),
          optionProblems: (name, options, asset) => io.optionProblems(name, options, asset),
          plainOptions: (name, options) => io.plainOptions(name, options),
          occupied: (name, options) => io.occupied(name, options),
          absence: absenceOf,
          unreachable: (name) => this.options.role !== 'all' && io.require(name) instanceof MemoryIoManager,
        },
        problems,
        checkDefinitions(checks),
      );
      requireSecret(assets, this.options);
      const { schedules, problems: wrongSchedules } = readSchedules(discovery, new AssetRegistry(assets));
      if (wrongSchedules.length > 0) throw declarationError(wrongSchedules);
      const resources = ownResources(found, discovery, assets);
      const { ledger, leases } = this.storage;
      const engine = new FlowStoneEngine({
        options: this.options,
        assets,
        ledger,
        leases,
        queue: this.queue,
        io,
        insideTransaction: this.storage.insideTransaction,
        receivers: approvalReceivers(notifiersOf(discovery, this.#logger), () => ledger.approvals),
        bus: this.bus,
        hooks,
        schedules,
        sensors,
        checks,
        resources: this.options.role === 'api' ? neededToPlan(resources, assets) : resources,
        loggerOf: (name) => new Logger(name),
      });
      await engine.open();
      this.#engine = engine;
    } catch (error) {
      await this.storage.ledger.close();
      await this.storage.release();
      await this.queue.close();
      throw error;
    }
  }

  async onApplicationBootstrap(): Promise<void> {
    const engine = this.require();
    await engine.start();
    const { definitions } = engine.registry;
    const where = typeof this.options.storage === 'string' ? this.options.storage : 'PostgreSQL';
    this.#logger.log(
      `${definitions.length} assets, ledger: ${where}, ${this.options.role === 'api' ? 'no worker' : `${this.options.concurrency} at once`}`,
    );
    for (const warning of unusedKeys(this.options.pools, definitions)) this.#logger.warn(warning);
    if (process.listenerCount('SIGTERM') === 0) {
      this.#logger.log(
        'Shutdown hooks are off: SIGTERM ends this process like a crash (safe, slower). Call app.enableShutdownHooks().',
      );
    }
  }

  async onModuleDestroy(): Promise<void> {
    if (!this.#engine) return;
    this.#engine.closing = true;
    await pause(this.options.shutdownGrace);
    this.#engine.stopClaiming();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#engine?.drain();
  }

  async onApplicationShutdown(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.close();
    // Also of an application that was closed without ever being initialised: these two run from their creation.
    await this.queue.close();
    await this.storage.release();
  }
}

/** The tokens of signals are made with it. */
function requireSecret(assets: readonly RegisteredAsset[], { signalSecret }: ResolvedOptions): void {
  const signal = assets.find(({ definition }) => definition.checkpoint?.kind === 'signal');
  if (!signal || signalSecret.length > 0) return;
  const { key } = signal.definition;
  throw new FlowStoneError(
    'FLOWSTONE_OPTIONS_INVALID',
    `${key} is a signal, and there is no secret to make its tokens with. Give forRoot() a signalSecret of at least 32 characters, or set FLOWSTONE_SIGNAL_SECRET.`,
    { context: { problems: [`signalSecret is missing, which ${key} needs`] } },
  );
}

/** Those that the application provides; else one that writes a log. */
function notifiersOf({ providers }: Discovery, logger: Logger): readonly ApprovalNotifier[] {
  const found = Array.from(providers.values(), ({ instance }) => instance);
  const notifiers = [...new Set(found.filter((instance) => instance instanceof ApprovalNotifier))];
  if (notifiers.length === 0) return [new LogNotifier(logger)];
  const names = notifiers.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return notifiers;
  throw new FlowStoneError(
    'FLOWSTONE_OPTIONS_INVALID',
    `There are two notifiers of approvals with the name '${twice}', by which it is kept who was told. Give each its own.`,
    { context: { problems: [`two notifiers are named '${twice}'`] } },
  );
}
