// The graph of the crash tests of hooks: an asset of some partitions, and a hook that writes each of them into a file.
import { appendFile } from 'node:fs/promises';
import { Asset, OnMaterialized, Partitions } from 'nestjs-flowstone';

export class Parts {
  /** @param {import('nestjs-flowstone').AssetContext} context */
  execute(context) {
    return context.partition.key;
  }
}
Asset({ partitions: Partitions.static(['a', 'b', 'c', 'd', 'e', 'f']) })(Parts);

/** @param {string} file */
export function assets(file) {
  class Writer {
    /**
     * @param {import('nestjs-flowstone').EventOf<'materialization.success'>} event
     * @param {import('nestjs-flowstone').HookDelivery} delivery
     */
    async written(event, { id }) {
      await appendFile(file, `${JSON.stringify({ event: event.id, partition: event.partition, delivery: id })}\n`);
    }
  }
  const method = /** @type {TypedPropertyDescriptor<Writer['written']>} */ (
    Object.getOwnPropertyDescriptor(Writer.prototype, 'written')
  );
  OnMaterialized(Parts, { name: 'writer' })(Writer.prototype, 'written', method);
  return [Parts, Writer];
}
