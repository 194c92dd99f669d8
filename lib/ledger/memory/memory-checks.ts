// What checks found, in memory.
import type { CheckResult, NewCheckResult } from '../check.records.js';
import type { CheckFilter, CheckLedger } from '../checks.port.js';
import type { Page, PageRequest } from '../page.js';
import { pageOf } from './memory-reads.js';
import type { MemoryState } from './memory-state.js';

export class MemoryChecks implements CheckLedger {
  #last = 0;

  constructor(private readonly state: MemoryState) {}

  async record(results: readonly NewCheckResult[]): Promise<readonly number[]> {
    const { checks, rows } = this.state;
    const kept: number[] = [];
    for (const result of results) {
      const { asset, partition, materialization, epoch, check, severity, status, message, by } = result;
      const row = rows.get(materialization);
      if (!row) continue;
      const ofSame = checks.get(materialization) ?? [];
      const isSame = (other: CheckResult): boolean => other.check === check && other.epoch === epoch && !other.onDemand;
      if (!result.onDemand && ofSame.some(isSame)) continue;
      const id = ++this.#last;
      checks.set(materialization, [...ofSame, { ...result, id, at: new Date(this.state.clock()) }]);
      kept.push(id);
      const detail = { check, severity, blocking: epoch !== null, message };
      this.state.tell(`check.${status}`, { run: row.run, materialization, asset, partition, actor: by, detail });
    }
    return kept;
  }

  async results(filter: CheckFilter, page: PageRequest): Promise<Page<CheckResult>> {
    const found = this.#all().filter(
      (result) =>
        result.asset === filter.asset &&
        (filter.partition === undefined || result.partition === filter.partition) &&
        (filter.check === undefined || result.check === filter.check) &&
        (filter.status === undefined || result.status === filter.status) &&
        (filter.materialization === undefined || result.materialization === filter.materialization),
    );
    return pageOf(found, page, (result) => result);
  }

  async latest(asset: string, partitions: readonly string[]): Promise<readonly CheckResult[]> {
    return [...partitions].sort().flatMap((partition) => {
      const head = this.state.heads.get(asset)?.get(partition)?.materialization;
      const newest = new Map((this.state.checks.get(head ?? -1) ?? []).map((result) => [result.check, result]));
      return [...newest.values()].sort((a, b) => (a.check < b.check ? -1 : 1));
    });
  }

  #all(): CheckResult[] {
    return [...this.state.checks.values()].flat().sort((a, b) => a.id - b.id);
  }
}
