// Durations as people write them. Every option of FlowStone that is a length of time is read here.
import { FlowStoneError } from '../flowstone.errors.js';

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const WRITTEN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** A length of time: a number of milliseconds, or a number with its unit: `'500ms'`, `'10s'`, `'2m'`, `'1.5h'`, `'1d'`. */
export type Duration = number | `${number}${keyof typeof UNITS}`;

/**
 * The duration in milliseconds, not negative and finite.
 * @throws FlowStoneError `FLOWSTONE_ASSET_DURATION_INVALID`
 */
export function parseDuration(duration: Duration): number {
  const parsed = readDuration(duration);
  if (parsed === undefined) {
    const shown = typeof duration === 'string' ? `'${duration}'` : String(duration);
    throw new FlowStoneError('FLOWSTONE_ASSET_DURATION_INVALID', `${shown} is not a duration: ${EXPECTED_DURATION}.`, {
      context: { duration: shown },
    });
  }
  return parsed;
}

/** What a message says is expected where {@link readDuration} finds none. */
export const EXPECTED_DURATION = "write '500ms', '10s', '2m', '1h' or '1d', or a number of milliseconds";

/** The duration in milliseconds, or `undefined` for anything that is none. */
export function readDuration(written: unknown): number | undefined {
  if (typeof written === 'number') return Number.isFinite(written) && written >= 0 ? written : undefined;
  if (typeof written !== 'string') return undefined;
  const [, amount, unit] = WRITTEN.exec(written) ?? [];
  if (amount === undefined) return undefined;
  const milliseconds = Number(amount) * UNITS[unit as keyof typeof UNITS];
  return Number.isFinite(milliseconds) ? milliseconds : undefined;
}
