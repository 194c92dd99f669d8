// Judges the figures of a case by its bars.
import type { BenchCase, Measure } from './bench.case.js';
import type { Runs } from './round.js';

/** One bar and what was reached: medians over the rounds. */
export interface MeasureVerdict {
  readonly measure: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly unit: string;
  /** `ours / peer`; null where the bar is absolute. */
  readonly ratio: number | null;
  /** e.g. `<= 100 ms`, or `>= 0.5` for a ratio. */
  readonly bar: string;
  readonly ok: boolean;
}

/** The object that `--json` prints. Its single figures are those of the first bar missed, else of the first bar. */
export interface CaseVerdict extends Omit<MeasureVerdict, 'measure'> {
  readonly case: string;
  /** True when every bar is reached. */
  readonly ok: boolean;
  readonly runs: Runs;
  /** Every bar of the case. */
  readonly measures: readonly MeasureVerdict[];
}

/** Compares medians with bars. Throws when a measure names a figure that no part gave. */
export function judge(name: string, bench: BenchCase, runs: Runs): CaseVerdict {
  const measures = bench.measures.map((measure) => judgeMeasure(name, measure, runs));
  const shown = measures.find((measure) => !measure.ok) ?? measures[0];
  if (shown === undefined) throw new Error(`The bench "${name}" has no measure.`);
  const { ours, peer, unit, ratio, bar, ok } = shown;
  return { case: name, ours, peer, unit, ratio, bar, ok, runs, measures };
}

function judgeMeasure(name: string, measure: Measure, runs: Runs): MeasureVerdict {
  const median = (figure: string): number => {
    const values = runs[figure];
    if (values === undefined) throw new Error(`No part of the bench "${name}" gives the figure "${figure}".`);
    return medianOf(values);
  };
  const ours = median(measure.ours);
  const peer = measure.peer === undefined ? null : median(measure.peer);
  const ratio = peer === null ? null : ours / peer;
  const judged = ratio ?? ours;
  const unit = ratio === null ? ` ${measure.unit}` : '';
  const [bar, ok] =
    'atMost' in measure
      ? [`<= ${measure.atMost}${unit}`, judged <= measure.atMost]
      : [`>= ${measure.atLeast}${unit}`, judged >= measure.atLeast];
  return { measure: measure.name, ours, peer, unit: measure.unit, ratio, bar, ok };
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}
