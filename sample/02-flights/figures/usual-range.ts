// In which range the share of late flights of a month usually is, judged by the months before it. Pure.

/** Shares, 0 to 1, both ends included. */
export interface UsualRange {
  from: number;
  to: number;
}

/** With fewer months before it nothing can be called unusual. */
const FEWEST_MONTHS = 3;

/** Student's t, 97.5%, for 2 degrees of freedom and on; the last one for all further ones. */
const T = [4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201];

/**
 * Where 19 of 20 months are that are like those before: the prediction interval of their mean and variance, plus how far
 * the share of so few flights may be off by chance (binomial). A month of six flights is thereby allowed more than one of
 * half a million. Undefined where there are too few months before it.
 */
export function usualRange(flights: number, earlier: readonly number[]): UsualRange | undefined {
  const months = earlier.length;
  if (months < FEWEST_MONTHS) return undefined;
  const mean = earlier.reduce((sum, share) => sum + share, 0) / months;
  const variance = earlier.reduce((sum, share) => sum + (share - mean) ** 2, 0) / (months - 1);
  const byChance = (mean * (1 - mean)) / flights;
  const t = T[Math.min(months - FEWEST_MONTHS, T.length - 1)]!;
  const reach = t * Math.sqrt(variance * (1 + 1 / months) + byChance);
  return { from: Math.max(0, mean - reach), to: Math.min(1, mean + reach) };
}

export function isUsual(share: number, range: UsualRange | undefined): boolean {
  return range === undefined || (share >= range.from && share <= range.to);
}
