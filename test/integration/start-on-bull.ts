// Starts applications on PostgreSQL and Redis with the Bull transport.
import { Logger, type LoggerService, type Provider, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { getQueueToken } from '@nestjs/bull';
import type { Queue } from 'bull';
import { FlowStoneModule, FlowStoneService, type FlowStoneOptions } from '../../lib/index.js';
import { FlowStoneBullModule, flowstoneQueue } from '../../lib/queue/bull/index.js';

export interface BullApp {
  readonly app: TestingModule;
  readonly flowstone: FlowStoneService;
  /** The Bull queue of one of its pools, as Nest gives it to whoever injects it. */
  bull(pool: string): Queue;
}

/** @param pools whose queues it gives */
export async function startOnBull(
  providers: readonly (Type | Provider)[],
  pools: readonly string[],
  options: FlowStoneOptions,
  logger: LoggerService | false = false,
): Promise<BullApp> {
  const app = await Test.createTestingModule({
    imports: [FlowStoneModule.forRoot(options), FlowStoneBullModule.forPools(...pools)],
    providers: [...providers],
  }).compile();
  // After compile(), which sets a logger of its own.
  Logger.overrideLogger(logger);
  await app.init();
  return {
    app,
    flowstone: app.get(FlowStoneService),
    bull: (pool) => app.get<Queue>(getQueueToken(flowstoneQueue(pool)), { strict: false }),
  };
}
