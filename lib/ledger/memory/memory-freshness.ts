// What is overdue, in memory.
import type { FreshnessLedger, OverduePartition } from '../freshness.port.js';
import type { MemoryState } from './memory-state.js';

export class MemoryFreshness implements FreshnessLedger {
  readonly #overdue = new Map<string, OverduePartition>();

  constructor(private readonly state: MemoryState) {}

  async registered(assets: readonly string[]): Promise<ReadonlyMap<string, Date>> {
    return new Map(
      assets.flatMap((asset): [string, Date][] => {
        const [first] = this.state.definitions.get(asset)?.values() ?? [];
        return first ? [[asset, first.at]] : [];
      }),
    );
  }

  async overdue(): Promise<readonly OverduePartition[]> {
    return [...this.#overdue.values()].sort((a, b) => a.due.getTime() - b.due.getTime());
  }

  async tell(overdue: readonly OverduePartition[], onTime: readonly Omit<OverduePartition, 'due'>[]): Promise<void> {
    for (const each of overdue) {
      if (this.#overdue.has(nameOf(each))) continue;
      this.#overdue.set(nameOf(each), each);
      const { asset, partition, due } = each;
      this.state.tell('asset.overdue', { asset, partition, detail: { due: due.toISOString() } });
    }
    for (const { asset, partition } of onTime) {
      if (this.#overdue.delete(nameOf({ asset, partition }))) this.state.tell('asset.on_time', { asset, partition });
    }
  }
}

function nameOf({ asset, partition }: Omit<OverduePartition, 'due'>): string {
  return JSON.stringify([asset, partition]);
}
