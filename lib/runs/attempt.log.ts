// What the code of one attempt logs: lines with a level and fields, so many and so long at most.
import { inspect } from 'node:util';
import type { BatchLog, ContextLog, ContextLogger, LogFields } from '../assets/asset.context.js';
import type { JsonObject } from '../ledger/records.js';
import type { LogLevel } from '../ledger/logs.port.js';
import type { Claim } from '../ledger/work.js';
import type { LogKeeper } from './log.keeper.js';

/** Of one attempt: lines, and their characters. */
const MOST_LINES = 1000;
const MOST_CHARACTERS = 256_000;
/** Of one line: its message, and its fields as JSON. */
const LONGEST_MESSAGE = 8000;
const LONGEST_FIELDS = 8000;

export class AttemptLog {
  #number = 0;
  #characters = 0;
  /** Lines that are not kept. */
  #cut = 0;

  constructor(
    private readonly claim: Pick<Claim, 'id' | 'epoch' | 'attempt'>,
    private readonly keeper: Pick<LogKeeper, 'add' | 'flush'>,
  ) {}

  write(level: LogLevel, message: unknown, fields?: LogFields): void {
    const text = shortened(typeof message === 'string' ? message : textOf(message));
    const kept = fields === undefined ? null : plain(fields);
    this.#characters += text.length + (kept === null ? 0 : JSON.stringify(kept).length);
    if (this.#number >= MOST_LINES || this.#characters > MOST_CHARACTERS) this.#cut++;
    else this.#add(level, text, kept);
  }

  /** The attempt ends: what was cut is said, and all is kept before the end is recorded. */
  async flush(): Promise<void> {
    if (this.#cut > 0) {
      const most = `an attempt may log ${MOST_LINES} lines and ${MOST_CHARACTERS} characters`;
      this.#add('warn', `${this.#cut} more lines are not kept: ${most}.`, { cut: this.#cut });
    }
    this.#cut = 0;
    await this.keeper.flush();
  }

  #add(level: LogLevel, message: string, fields: JsonObject | null): void {
    const { id: materialization, epoch, attempt } = this.claim;
    const number = ++this.#number;
    this.keeper.add({ materialization, epoch, attempt, number, level, message, fields, loggedAt: performance.now() });
  }
}

/** `context.log`: to the log of the materialization, and to the application's logger. */
export function contextLog(log: () => AttemptLog, logger: ContextLogger): ContextLog {
  const write =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      log().write(level, message, fields);
      logger[level](withFields(message, fields));
    };
  return Object.assign(write('log'), { debug: write('debug'), warn: write('warn'), error: write('error') });
}

/** The same of a batch. What is told of no item of it goes to the logger only. */
export function batchLog(logOf: (key: string) => AttemptLog | undefined, logger: ContextLogger): BatchLog {
  const write =
    (level: LogLevel) =>
    (key: string, message: string, fields?: LogFields): void => {
      logOf(key)?.write(level, message, fields);
      logger[level](`[${key}] ${withFields(message, fields)}`);
    };
  return Object.assign(write('log'), { debug: write('debug'), warn: write('warn'), error: write('error') });
}

/** `context.logger`: the application's, whose lines but the lowest are kept as well. */
export function keptLogger(logger: ContextLogger, log: () => AttemptLog): ContextLogger {
  const kept =
    (level: 'log' | 'warn' | 'error') =>
    (message: unknown, ...details: unknown[]): void => {
      log().write(level, message, details.length > 0 ? { details } : undefined);
      logger[level](message, ...details);
    };
  return {
    log: kept('log'),
    warn: kept('warn'),
    error: kept('error'),
    debug: (...line) => logger.debug(...line),
    verbose: (...line) => logger.verbose(...line),
  };
}

function withFields(message: string, fields: LogFields | undefined): string {
  return fields === undefined ? message : `${message} ${textOf(fields)}`;
}

function shortened(message: string): string {
  if (message.length <= LONGEST_MESSAGE) return message;
  return `${message.slice(0, LONGEST_MESSAGE)}... (${message.length - LONGEST_MESSAGE} more characters)`;
}

function textOf(value: unknown): string {
  if (value instanceof Error) return value.stack ?? value.message;
  return inspect(value, { depth: 4, breakLength: Infinity });
}

/** Fields as JSON: what has none is written as a text. Logging fails nobody. */
function plain(fields: LogFields): JsonObject {
  const text = jsonOf(fields);
  if (text === undefined) return { unreadable: shortened(textOf(fields)) };
  if (text.length > LONGEST_FIELDS) return { cut: shortened(text) };
  return JSON.parse(text) as JsonObject;
}

function jsonOf(fields: LogFields): string | undefined {
  try {
    const text = JSON.stringify(fields, (_name, value: unknown) => {
      if (typeof value === 'bigint') return String(value);
      return value instanceof Error ? textOf(value) : value;
    }) as string | undefined;
    return text?.startsWith('{') ? text : undefined;
  } catch {
    return undefined;
  }
}
