// What attempts log, in memory.
import type { LogLedger, LogLine, LogPlace, NewLogLine } from '../logs.port.js';
import type { MemoryState } from './memory-state.js';

export class MemoryLogs implements LogLedger {
  constructor(private readonly state: MemoryState) {}

  async append(lines: readonly NewLogLine[]): Promise<void> {
    const now = this.state.clock();
    for (const { materialization, age, ...line } of lines) {
      if (!this.state.rows.has(materialization)) continue;
      const kept = this.state.logs.get(materialization) ?? [];
      if (kept.some((other) => compare(other, line) === 0)) continue;
      kept.push({ ...line, at: new Date(now - age) });
      this.state.logs.set(materialization, kept.sort(compare));
    }
  }

  async lines(materialization: number, after: LogPlace | null, limit: number): Promise<readonly LogLine[]> {
    const kept = this.state.logs.get(materialization) ?? [];
    return kept.filter((line) => after === null || compare(line, after) > 0).slice(0, limit);
  }
}

function compare(a: LogPlace, b: LogPlace): number {
  return a.epoch - b.epoch || a.number - b.number;
}
