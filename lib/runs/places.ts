// The places that claims in hand have in a process: one each, or one together where they are executed together.

/** A place; an object of its own, which those that share it share. */
export interface Place {
  /** How many claims have it. */
  claims: number;
}

/** Something that has a place and may share it with others of its asset. */
export interface Placed {
  readonly claim: { readonly asset: string };
  place: Place;
}

export class Places {
  #taken = 0;

  get taken(): number {
    return this.#taken;
  }

  enter(place: Place): void {
    if (place.claims++ === 0) this.#taken++;
  }

  leave(place: Place): void {
    if (--place.claims === 0) this.#taken--;
  }

  /**
   * Those of `waiting` that are executed with `first`, `most` in all: what shares its place, and others of its asset as
   * far as they fit, whichever run they are of; all in its place from now on. What shared a place stays together, since
   * for the ledger it is one.
   */
  gather<T extends Placed>(first: T, waiting: readonly T[], most: number): readonly T[] {
    const groups = new Map<Place, T[]>([[first.place, []]]);
    for (const other of waiting) {
      if (other.claim.asset !== first.claim.asset) continue;
      const group = groups.get(other.place);
      if (group) group.push(other);
      else groups.set(other.place, [other]);
    }
    const gathered: T[] = [];
    for (const group of groups.values()) if (gathered.length + group.length < most) gathered.push(...group);
    for (const fellow of gathered) {
      this.enter(first.place);
      this.leave(fellow.place);
      fellow.place = first.place;
    }
    return gathered;
  }
}
