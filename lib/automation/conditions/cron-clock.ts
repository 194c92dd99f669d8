// The newest and the next tick of cron expressions, on the wall clocks of zones.
import { formatCivil } from '../../partitions/civil-time.js';
import { Partitions } from '../../partitions/partitions.js';
import { timeAxis, timeRules } from '../../partitions/time-rules.js';

/** Ticks are known from so long before now, ms: some years, since there are expressions of one day in four years. */
const KNOWN = 9 * 366 * 86_400_000;

/** The ticks around an instant; undefined: there is none within nine years. */
export function ticksAround(
  cron: string,
  timeZone: string,
  now: number,
): { readonly last: number | undefined; readonly next: number | undefined } {
  const start = formatCivil(now - KNOWN, 'minute');
  const axis = timeAxis(timeRules(Partitions.cron({ cron, timeZone, start })), now);
  const begun = axis.countBefore(now + 1);
  return {
    last: begun > 0 ? axis.startAt(begun - 1) : undefined,
    next: begun < axis.count ? axis.startAt(begun) : undefined,
  };
}
