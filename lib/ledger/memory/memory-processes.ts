// Processes in memory, as they see each other. There is one, but for tests of what a ledger does.
import type { HeldAsset, ProcessRecord, ProcessResource, ResourceReport } from '../process.records.js';
import type { ProcessLedger } from '../processes.port.js';
import type { ProcessRow } from './memory-rows.js';
import type { MemoryState } from './memory-state.js';
import { currentDefinitions } from './memory-reads.js';

export class MemoryProcesses implements ProcessLedger {
  constructor(private readonly state: MemoryState) {}

  async tellResources(process: string, reports: readonly ResourceReport[]): Promise<void> {
    const row = this.state.processes.get(process);
    if (!row) return;
    for (const report of [...reports].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const { name, state, message, assets } = report;
      const before = row.resources.get(name);
      const since = before?.state === state ? before.since : new Date(this.state.clock());
      row.resources.set(name, { name, state, message, assets: [...assets].sort(), since });
      const isNews = state === 'unhealthy' ? before?.state !== 'unhealthy' : before?.state === 'unhealthy';
      if (state === 'setting_up' || !isNews) continue;
      this.state.tell(`resource.${state}`, { detail: { resource: name, process, host: row.host, message } });
    }
  }

  async heldAssets(): Promise<readonly HeldAsset[]> {
    const workers = [...this.state.processes.values()].filter(({ worker }) => worker);
    const counting = currentDefinitions(this.state).filter(({ live }) => live);
    const held = counting.flatMap(({ key, hash }): HeldAsset[] => {
      const able = workers.filter((worker) => worker.assets.get(key)?.hash === hash);
      if (able.length === 0 || !able.every((worker) => troubles(worker, key).length > 0)) return [];
      const longest = workers.flatMap((worker) => troubles(worker, key)).sort(byAge)[0]!;
      const { name: resource, state, message, since } = longest;
      return state === 'healthy' ? [] : [{ asset: key, resource, state, message, since }];
    });
    return held.sort((a, b) => (a.asset < b.asset ? -1 : 1));
  }

  async processes(): Promise<readonly ProcessRecord[]> {
    return [...this.state.processes.values()].map(({ id, host, pid, worker, enteredAt, leaseUntil, resources }) => ({
      ...{ id, host, pid, worker, enteredAt, leaseUntil: new Date(leaseUntil) },
      resources: [...resources.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    }));
  }
}

/** What of a process keeps it from beginning the asset. */
function troubles({ resources }: ProcessRow, asset: string): ProcessResource[] {
  return [...resources.values()].filter(({ state, assets }) => state !== 'healthy' && assets.includes(asset));
}

function byAge(a: ProcessResource, b: ProcessResource): number {
  return a.since.getTime() - b.since.getTime() || (a.name < b.name ? -1 : 1);
}
