// From options to the queue of an application.
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { FlowStoneError } from './flowstone.errors.js';
import type { ResolvedOptions } from './flowstone.options.js';
import { InProcessQueue } from './queue/in-process/in-process.queue.js';
import type { WorkQueue } from './queue/queue.port.js';
import type { ContextLogger } from './assets/asset.context.js';

/**
 * Makes the queue; over Redis it begins to connect, and does not wait for it.
 * @throws FlowStoneError FLOWSTONE_PACKAGE_MISSING without Bull, where Redis is configured
 */
export async function createQueue(
  { queue, namespace, pollInterval }: ResolvedOptions,
  logger: ContextLogger,
): Promise<WorkQueue> {
  if (queue === 'in-process') return new InProcessQueue(pollInterval);
  requireBull();
  const { BullQueue } = await import('./queue/bull/bull.queue.js');
  const sender = `${hostname()} ${process.pid}`;
  return new BullQueue({ redis: queue.redis, prefix: queue.prefix ?? 'bull', namespace, pollInterval, sender, logger });
}

function requireBull(): void {
  try {
    createRequire(import.meta.url).resolve('bull');
  } catch (cause) {
    throw new FlowStoneError(
      'FLOWSTONE_PACKAGE_MISSING',
      'A queue over Redis needs the package bull: run `npm install bull`, or leave out `queue`.',
      { context: { package: 'bull' }, cause },
    );
  }
}
