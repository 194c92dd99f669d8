// FlowStone's Bull queues under Nest's tokens, for applications that look at them: bull-board, @InjectQueue, listeners.
// Nothing here is needed for the queues to work.
import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { BullModule, getQueueToken } from '@nestjs/bull';
import type Bull from 'bull';
import { FlowStoneError } from '../../flowstone.errors.js';
import { FLOWSTONE_QUEUE, type WorkQueue } from '../queue.port.js';
import { BullQueue } from './bull.queue.js';

/**
 * Name under which Nest knows the Bull queue of a pool: `@InjectQueue(flowstoneQueue('default'))`. In Redis the queue
 * is called `flowstone.<namespace>.<pool>`.
 */
export function flowstoneQueue(pool = 'default'): string {
  return `flowstone.${pool}`;
}

@Module({})
export class FlowStoneBullModule {
  /**
   * Provides the queues of the named pools to whoever imports it, as `BullModule.registerQueue()` would. They are
   * FlowStone's own and closed by it.
   * @throws FlowStoneError FLOWSTONE_OPTIONS_INVALID at boot, where forRoot() has no `queue: { redis }`
   */
  static forPools(...pools: readonly string[]): DynamicModule {
    const providers = pools.map((pool): FactoryProvider<Bull.Queue> => ({
      provide: getQueueToken(flowstoneQueue(pool)),
      inject: [FLOWSTONE_QUEUE],
      useFactory: (queue: WorkQueue) => bullOf(queue, pool),
    }));
    // Registers no queue: it brings what finds @Processor() classes, whose listeners hear these queues.
    const listening = BullModule.registerQueue();
    return {
      module: FlowStoneBullModule,
      imports: [listening],
      providers,
      exports: providers.map(({ provide }) => provide),
    };
  }
}

function bullOf(queue: WorkQueue, pool: string): Bull.Queue {
  if (queue instanceof BullQueue) return queue.bull(pool);
  throw new FlowStoneError(
    'FLOWSTONE_OPTIONS_INVALID',
    `FlowStoneBullModule gives pool ${pool} its Bull queue, but there is none. Set queue: { redis: 'redis://...' } in FlowStoneModule.forRoot(), or leave FlowStoneBullModule out.`,
    { context: { pool } },
  );
}
