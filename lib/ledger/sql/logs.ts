// What attempts log, on the database.
import type { LogLedger, LogLine, LogPlace, NewLogLine } from '../logs.port.js';
import type { Database } from './database.js';
import { APPEND_LINES, LINES_AFTER } from './statements/logging.js';
import { json, numbers, storable } from './values.js';

export class Logs implements LogLedger {
  constructor(
    private readonly database: Database,
    private readonly namespace: number,
  ) {}

  async append(lines: readonly NewLogLine[]): Promise<void> {
    await this.database.rows(APPEND_LINES, [
      this.namespace,
      numbers(lines.map(({ materialization }) => materialization)),
      numbers(lines.map(({ epoch }) => epoch)),
      numbers(lines.map(({ number }) => number)),
      numbers(lines.map(({ attempt }) => attempt)),
      numbers(lines.map(({ age }) => age)),
      lines.map(({ level }) => level),
      lines.map(({ message }) => storable(message)),
      lines.map(({ fields }) => fields && json(fields)),
    ]);
  }

  async lines(materialization: number, after: LogPlace | null, limit: number): Promise<readonly LogLine[]> {
    const { epoch, number } = after ?? { epoch: 0, number: 0 };
    return this.database.rows<LogLine>(LINES_AFTER, [this.namespace, materialization, epoch, number, limit]);
  }
}
