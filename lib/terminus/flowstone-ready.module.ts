// A route that says whether this process is ready, for load balancers and orchestrators of containers.
import { Controller, Get, Inject, Module, type DynamicModule, type Type } from '@nestjs/common';
import {
  HealthCheckService,
  TerminusModule,
  type HealthCheckResult,
  type HealthIndicatorFunction,
} from '@nestjs/terminus';
import { FlowStoneError } from '../flowstone.errors.js';
import { unknownName } from '../graph/did-you-mean.js';
import { FlowStoneHealthIndicator } from './flowstone.health-indicator.js';

export interface ReadyOptions {
  /** Where it is served. Default `'ready'`. */
  readonly path?: string;
  /** Whether the process is ready only while news of work gets through. Default `false`: work is found by polling meanwhile. */
  readonly queue?: boolean;
  /** Resources without which the process is not ready, by name. Default: none, since only what requires them waits. */
  readonly resources?: readonly string[];
}

const OPTIONS: readonly (keyof ReadyOptions)[] = ['path', 'queue', 'resources'];

@Module({})
export class FlowStoneReadyModule {
  /**
   * `GET /ready`: 200 while the process is open and its database answers (and what else is asked for here), 503 otherwise,
   * both with the parts as Terminus shows them. Guards and prefixes of the application apply.
   * @throws FlowStoneError FLOWSTONE_OPTIONS_INVALID
   */
  static forRoot(options: ReadyOptions = {}): DynamicModule {
    const problem = problemOf(options);
    if (problem !== undefined) {
      const message = `FlowStoneReadyModule.forRoot() ${problem}.`;
      throw new FlowStoneError('FLOWSTONE_OPTIONS_INVALID', message, { context: { problems: [problem] } });
    }
    return {
      module: FlowStoneReadyModule,
      imports: [TerminusModule],
      controllers: [readyController(options)],
      providers: [FlowStoneHealthIndicator],
      exports: [FlowStoneHealthIndicator],
    };
  }
}

function readyController({ path = 'ready', queue = false, resources = [] }: ReadyOptions): Type {
  @Controller(path)
  class FlowStoneReadyController {
    constructor(
      @Inject(HealthCheckService) private readonly health: HealthCheckService,
      @Inject(FlowStoneHealthIndicator) private readonly flowstone: FlowStoneHealthIndicator,
    ) {}

    @Get()
    async ready(): Promise<HealthCheckResult> {
      const { flowstone } = this;
      const looks: HealthIndicatorFunction[] = [() => flowstone.open(), () => flowstone.database()];
      if (queue) looks.push(() => flowstone.queue());
      for (const name of resources) looks.push(() => flowstone.resource(name));
      return this.health.check(looks);
    }
  }
  return FlowStoneReadyController;
}

function problemOf(options: ReadyOptions): string | undefined {
  const unknown = unknownName(options, OPTIONS);
  if (unknown !== undefined) return `has no option ${unknown}: it has ${OPTIONS.join(', ')}`;
  const { path, queue, resources } = options;
  if (path !== undefined && typeof path !== 'string') return 'takes a text as path';
  if (queue !== undefined && typeof queue !== 'boolean') return 'takes true or false as queue';
  const named =
    resources === undefined || (Array.isArray(resources) && resources.every((name) => typeof name === 'string'));
  return named ? undefined : 'takes a list of names as resources';
}
