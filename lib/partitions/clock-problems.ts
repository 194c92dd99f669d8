// What is wrong with a cron expression or with the name of a time zone, in words.
import { readCron } from './cron-grid.js';
import { isTimeZone } from './zone-clock.js';

/** What is wrong with the expression, or nothing. */
export function cronProblem(cron: unknown): string | undefined {
  if (typeof cron !== 'string') return `cron ${JSON.stringify(cron)} is no text`;
  try {
    readCron(cron);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `cron '${cron}' cannot be used: ${reason}; write five fields (minute hour day month weekday), or six with seconds first`;
  }
}

/** What is wrong with the zone, or nothing. */
export function zoneProblem(zone: unknown): string | undefined {
  if (typeof zone === 'string' && isTimeZone(zone)) return undefined;
  return `timeZone '${String(zone)}' is no IANA time zone; write one such as 'Europe/Berlin' or 'UTC'`;
}
