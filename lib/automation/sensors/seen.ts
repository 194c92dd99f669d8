// What was seen of things that come in almost the order of a mark (a time, a number), each once: pure. What comes late is seen
// as long as its mark is not further back than a window; what was seen in that window is remembered by its id.

/** A thing that was found. */
export interface Found<T> {
  readonly id: string;
  /** Its mark, as text, such that the source understands it again. */
  readonly mark: string;
  /** The same as a number, as well as a number can say it. */
  readonly place: number;
  readonly thing: T;
}

/** What was seen. Plain JSON. */
export interface Seen {
  /** The highest mark so far; null: nothing was there yet. */
  readonly high: string | null;
  readonly place: number;
  /** Id and place of each that was seen in the window before. */
  readonly window: readonly (readonly [string, number])[];
  readonly [name: string]: string | number | null | readonly (readonly [string, number])[];
}

export const NOTHING_SEEN: Seen = { high: null, place: 0, window: [] };

/** So many are remembered: more do not fit into a cursor. */
export const MOST_REMEMBERED = 20_000;

/** The mark of now, where marks are times: what has a later one does not hide what comes after it. */
export type Ceiling = Pick<Found<unknown>, 'mark' | 'place'> | undefined;

/**
 * @param found all in the window before the highest mark and after it, in the order of their marks; or the first of them
 * @param most so many are taken at once
 */
export function unseen<T>(
  seen: Seen,
  found: readonly Found<T>[],
  window: number,
  most: number,
  ceiling?: Ceiling,
): { readonly taken: readonly Found<T>[]; readonly seen: Seen; readonly more: boolean } {
  const known = new Set(seen.window.map(([id]) => id));
  const fresh = found.filter(({ id }) => !known.has(id));
  const taken = fresh.slice(0, most);
  const last = taken.at(-1);
  let high: { readonly mark: string | null; readonly place: number } = { mark: seen.high, place: seen.place };
  if (last && (high.mark === null || last.place >= high.place)) high = last;
  if (ceiling && high.mark !== null && high.place > ceiling.place) high = ceiling;
  const remembered = [...seen.window, ...taken.map(({ id, place }) => [id, place] as const)];
  return {
    taken,
    seen: {
      ...{ high: high.mark, place: high.place },
      // A number may say less than the mark: a little more is remembered than needs to be.
      window: remembered.filter(([, place]) => place >= high.place - window - 1),
    },
    more: fresh.length > taken.length,
  };
}
