// The part of the ledger's port that keeps what attempts log. Lines are written beside the transactions of their attempts:
// those of an attempt that failed, or was lost, are there as well.
import type { JsonObject } from './json.js';

export type LogLevel = 'debug' | 'log' | 'warn' | 'error';

/** Where a line stands among those of its materialization: by attempt, then in the order in which it was logged. */
export interface LogPlace {
  /** Of the attempt: a later one has a higher one. */
  readonly epoch: number;
  /** From 1, within the attempt. */
  readonly number: number;
}

/** One line that an attempt has logged. */
export interface LogLine extends LogPlace {
  /** Which attempt it was, from 1. */
  readonly attempt: number;
  /** The ledger's time. */
  readonly at: Date;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: JsonObject | null;
}

/** A line that is to be kept. */
export interface NewLogLine extends Omit<LogLine, 'at'> {
  readonly materialization: number;
  /** How long ago it was logged, ms. */
  readonly age: number;
}

export interface LogLedger {
  /** Keeps lines; one that is there already stays as it is, and one of a materialization that is gone goes with it. */
  append(lines: readonly NewLogLine[]): Promise<void>;
  /** At most so many lines of a materialization, after a place (null: from the first), in their order. */
  lines(materialization: number, after: LogPlace | null, limit: number): Promise<readonly LogLine[]>;
}
