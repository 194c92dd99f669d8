// Which ticks of a schedule are due, and what becomes of each: pure, by the ledger's time.
import type { TickStatus } from '../../ledger/schedule.records.js';
import { ticksBetween } from '../cron-ticks.js';

/** What to do about ticks that nobody was there to fire. */
export type CatchUp = 'none' | 'latest' | 'all';

/** What to do about a tick while the run of the one before has not ended. */
export type Overlap = 'skip' | 'queue' | 'allow';

/** A tick that is older was missed, ms: whatever is alive is not as late as that. */
export const MISSED_AFTER = 60_000;
/** So many ticks are attended to at once; the rest follows. */
const MOST = 20;

export interface DueQuestion {
  readonly cron: string;
  readonly timeZone: string;
  readonly catchUp: CatchUp;
  readonly overlap: Overlap;
  /** Ticks up to here are attended to. */
  readonly watermark: number;
  readonly now: number;
  /** The run of the tick before, if it has not ended. */
  readonly open: number | null;
  /** Whether ticks wait for that already. */
  readonly queued: boolean;
}

export interface DueTick {
  readonly tick: number;
  readonly status: TickStatus;
  readonly reason: string | null;
}

export interface DueTicks {
  readonly ticks: readonly DueTick[];
  /** Attended to up to here, with these. */
  readonly watermark: number;
  /** There are more, to be attended to next. */
  readonly more: boolean;
}

/** Undefined: nothing is due. */
export function dueTicks(question: DueQuestion): DueTicks | undefined {
  const { cron, timeZone, watermark, now, catchUp } = question;
  const all = ticksBetween(cron, timeZone, watermark, now);
  if (all.count === 0) return undefined;
  const recent = ticksBetween(cron, timeZone, Math.max(watermark, now - MISSED_AFTER), now);
  const missed = all.count - recent.count;
  if (missed > 0 && catchUp === 'all') {
    const late = Math.min(missed, MOST);
    return decided(question, { late: Array.from({ length: late }, (_, n) => all.at(n)), recent: [], more: true });
  }
  const late = missed > 0 ? [all.at(missed - 1)] : [];
  const taken = Math.min(recent.count, MOST);
  const times = Array.from({ length: taken }, (_, n) => recent.at(n));
  return decided(question, { late, recent: times, more: taken < recent.count, missed });
}

function decided(
  { catchUp, overlap, open, queued }: DueQuestion,
  found: {
    readonly late: readonly number[];
    readonly recent: readonly number[];
    readonly more: boolean;
    readonly missed?: number;
  },
): DueTicks {
  const { late, recent, more, missed = 0 } = found;
  const ticks: DueTick[] = [];
  let busy = open !== null || queued;
  const fire = (tick: number, caughtUp: boolean): void => {
    if (!busy || overlap === 'allow') ticks.push({ tick, status: 'fired', reason: null });
    // Of several that are caught up with together none is to be left out.
    else if (overlap === 'queue' || (caughtUp && catchUp === 'all'))
      ticks.push({ tick, status: 'queued', reason: null });
    else {
      const run = open === null ? 'the run of the tick before it' : `run ${open}, which was requested before,`;
      ticks.push({ tick, status: 'skipped', reason: `${run} has not ended` });
    }
    busy = true;
  };
  for (const tick of late) {
    if (catchUp !== 'none') fire(tick, true);
    else {
      const others = missed > 1 ? `, and ${missed - 1} before it` : '';
      ticks.push({ tick, status: 'missed', reason: `nobody was there to fire it in time${others}` });
    }
  }
  for (const tick of recent) fire(tick, false);
  return { ticks, watermark: Math.max(...late, ...recent), more };
}
