// What a bench case is. How one is run: round.ts; how it is judged and shown: verdict.ts and report.ts.

/** Measured numbers by name, in the unit of the measure that uses them. */
export type Figures = Readonly<Record<string, number>>;

/** What a part of a case gets from the frame. */
export interface Surroundings {
  /** An empty directory of this sample's own, removed afterwards. */
  readonly directory: string;
  /** Only to see that the case runs: the work may be made small, and figures do not count. */
  readonly smoke: boolean;
}

/** Does the work once, measures it, and answers with the figures. Throws when what it measured is wrong. */
export type Part = (surroundings: Surroundings) => Promise<Figures> | Figures;

/** One bar of a case: `ours` alone is held to it or, where there is a peer, `ours / peer`. */
export type Measure = {
  readonly name: string;
  /** Unit of the figures, e.g. `ms`, `s`, `MB`, `/s`. */
  readonly unit: string;
  /** Name of a figure. */
  readonly ours: string;
  /** Name of a figure measured side by side; absent where the bar is absolute. */
  readonly peer?: string;
} & ({ readonly atMost: number } | { readonly atLeast: number });

/** Default export of `cases/<name>.bench.ts`; the file's name is the case's. */
export interface BenchCase {
  readonly title: string;
  /** Each part of each round runs in a fresh process, the parts of a round one after the other. Default 3. */
  readonly rounds?: number;
  /** Options for the processes, e.g. `--expose-gc`. */
  readonly nodeOptions?: readonly string[];
  /**
   * By name. Figures of all parts of a round are put together, and for each part the frame adds
   * `<part>.memory`, the most memory its process had (resident, MB). Every other round runs them backwards.
   */
  readonly parts: Readonly<Record<string, Part>>;
  /** Figures made from those of one round, e.g. a difference of two parts. */
  derive?(round: Figures): Figures;
  /** At least one; the first is the one shown where there is room for one. */
  readonly measures: readonly [Measure, ...Measure[]];
}
