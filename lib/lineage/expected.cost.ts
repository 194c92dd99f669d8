// How long something will probably take, by how long it took before.

/** Successes that are looked at. */
export const COST_SAMPLES = 20;

/** What computing one partition of an asset will probably take. */
export interface ExpectedCost {
  /** ms, the median of its last successes; null: it has none. */
  readonly each: number | null;
  /** How many successes that is of, 20 at most. */
  readonly samples: number;
  /** For people. */
  readonly message: string;
}

/** The median, since one attempt that waited for a slow service, or found nothing to do, says nothing of the next one. */
export function expectedCost(durations: readonly number[]): ExpectedCost {
  const samples = durations.length;
  if (samples === 0) return { each: null, samples, message: 'not known: no success of it is recorded' };
  const sorted = durations.toSorted((a, b) => a - b);
  const each = (sorted[Math.floor((samples - 1) / 2)]! + sorted[Math.floor(samples / 2)]!) / 2;
  const basis = samples === 1 ? 'as its last success took' : `the median of its last ${samples} successes`;
  return { each, samples, message: `about ${inWords(each)} each, ${basis}` };
}

/** A duration for people: `350 ms`, `1.2 s`, `14 min`, `3.5 h`. */
export function inWords(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${short(ms / 1000)} s`;
  if (ms < 7_200_000) return `${short(ms / 60_000)} min`;
  return `${short(ms / 3_600_000)} h`;
}

function short(value: number): string {
  return value < 10 ? String(Number(value.toFixed(1))) : String(Math.round(value));
}
