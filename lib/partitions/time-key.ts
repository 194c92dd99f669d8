// The keys of the windows of a time scheme, whether or not its bounds or the present hold them.
// Which windows exist is in time-set.ts.
import { DAY, FIRST_CIVIL, LAST_CIVIL, parseZonedCivil } from './civil-time.js';
import type { TimeScheme } from './partition-scheme.js';
import { timeAxis, timeRules } from './time-rules.js';
import { ZONE_MARGIN } from './zone-clock.js';

/**
 * The key `steps` windows after (before, where negative) the one that holds the instant in ms, whatever the scheme's
 * bounds; undefined beyond the years 1 to 9990.
 */
export function timeKeyNear(scheme: TimeScheme, instant: number, steps: number): string | undefined {
  if (!(instant >= FIRST_CIVIL && instant <= LAST_CIVIL)) return undefined;
  const rules = timeRules(scheme);
  // Cron ticks can lie far apart, so look further away until there are enough of them.
  for (let margin = 40 * DAY; ; margin *= 8) {
    const first = Math.max(instant - margin, FIRST_CIVIL);
    const last = steps > 0 ? Math.min(instant + margin, LAST_CIVIL) : instant;
    const axis = timeAxis(rules, last, first);
    const begun = axis.countBefore(instant + 1);
    const ordinal = begun - 1 + steps;
    if (begun > 0 && ordinal >= 0 && ordinal < axis.count) return axis.keyAt(ordinal);
    if (first === FIRST_CIVIL && (last === LAST_CIVIL || steps <= 0)) return undefined;
  }
}

/** Why no window of the scheme, whatever its bounds, has this key; undefined where one has. */
export function timeKeyProblem(scheme: TimeScheme, key: string): string | undefined {
  const parsed = parseZonedCivil(key);
  if (!parsed || parsed.civil < FIRST_CIVIL || parsed.civil > LAST_CIVIL) return 'it is not of that form';
  const rules = timeRules(scheme);
  const { civil } = parsed;
  const axis = timeAxis(rules, civil, Math.max(FIRST_CIVIL, civil - ZONE_MARGIN));
  if (axis.ordinalOf(key) >= 0) return undefined;
  const twice = axis.keysAtRepeated(key);
  if (twice.length > 0) {
    return `the clock shows this time twice: write ${twice.map((each) => `'${each}'`).join(' or ')}`;
  }
  const near = timeKeyNear(scheme, axis.firstShown(civil), 0);
  return near ? `no window begins then; the one it falls into is '${near}'` : 'it is not of that form';
}

/** What the keys of a time scheme look like, for messages. */
export function timeKeyForm(scheme: TimeScheme): string {
  return `${KEY_FORMS[scheme.kind]} (${timeRules(scheme).zone})`;
}

const KEY_FORMS: Readonly<Record<TimeScheme['kind'], string>> = {
  hourly: "an hour such as '2001-03-04T05'",
  daily: "a day such as '2001-03-04'",
  weekly: "a week by its Monday such as '2001-03-05'",
  monthly: "a month such as '2001-03'",
  cron: "the start of a window such as '2001-03-04T05:30'",
};
