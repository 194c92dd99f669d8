// FlowStone's health for @nestjs/terminus.
import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { FlowStoneError } from '../flowstone.errors.js';
import { FlowStoneService } from '../flowstone.service.js';
import { didYouMean } from '../graph/did-you-mean.js';

/**
 * Indicators for a health check of the host's own: `health.check([() => flowstone.database(), () => flowstone.resource('geo')])`.
 * Each asks anew, and never rejects for what is down. `key`: under which it is shown.
 */
@Injectable()
export class FlowStoneHealthIndicator {
  constructor(
    @Inject(FlowStoneService) private readonly flowstone: FlowStoneService,
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
  ) {}

  /** Down: the ledger's database does not answer. */
  async database<K extends string = 'database'>(key: K = 'database' as K): Promise<HealthIndicatorResult<K>> {
    const { database } = await this.flowstone.health();
    const { up, down } = this.#of(key);
    return database.status === 'up' ? up() : down({ message: database.error });
  }

  /** Down: no news gets through. Work goes on meanwhile, found by polling. */
  async queue<K extends string = 'queue'>(key: K = 'queue' as K): Promise<HealthIndicatorResult<K>> {
    const { transport, status, problems } = (await this.flowstone.health()).queue;
    const { up, down } = this.#of(key);
    const detail = { transport, ...(problems.length > 0 && { problems }) };
    return status === 'up' ? up(detail) : down(detail);
  }

  /** Down: no process executes, or the database does not answer. */
  async workers<K extends string = 'workers'>(key: K = 'workers' as K): Promise<HealthIndicatorResult<K>> {
    const { workers } = await this.flowstone.health();
    const { up, down } = this.#of(key);
    return workers ? up({ live: workers }) : down({ live: workers });
  }

  /** Down: the application is being shut down. */
  async open<K extends string = 'open'>(key: K = 'open' as K): Promise<HealthIndicatorResult<K>> {
    const { closing } = await this.flowstone.health();
    const { up, down } = this.#of(key);
    return closing ? down({ message: 'closing' }) : up();
  }

  /**
   * Down: the resource is not healthy in this process, or is being set up.
   * @throws FlowStoneError FLOWSTONE_RESOURCE_UNKNOWN: this process has none of that name
   */
  async resource<K extends string>(name: string, key: K = name as K): Promise<HealthIndicatorResult<K>> {
    const { resources } = await this.flowstone.health();
    const found = resources.find((resource) => resource.name === name);
    if (!found) {
      const names = resources.map((resource) => resource.name);
      throw new FlowStoneError(
        'FLOWSTONE_RESOURCE_UNKNOWN',
        `This process has no resource '${name}'${didYouMean(name, names)}. It has ${names.length === 0 ? 'none' : names.join(', ')}.`,
        { context: { resource: name } },
      );
    }
    const { state, message, since } = found;
    const { up, down } = this.#of(key);
    const detail = { state, since: since.toISOString(), ...(message !== null && { message }) };
    return state === 'healthy' ? up(detail) : down(detail);
  }

  #of<K extends string>(key: K) {
    const session = this.indicators.check(key);
    type Detail = Readonly<Record<string, unknown>>;
    return {
      up: (detail: Detail = {}): HealthIndicatorResult<K> => session.up(detail),
      down: (detail: Detail): HealthIndicatorResult<K> => session.down(detail),
    };
  }
}
