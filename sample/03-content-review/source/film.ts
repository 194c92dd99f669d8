// What is recorded of a film.

/** One film; what its record does not know is null. */
export interface Film {
  title: string;
  /** The day it opened, UTC. */
  released: Date | null;
  director: string | null;
  distributor: string | null;
  minutes: number | null;
  genre: string | null;
  /** US dollars. */
  budget: number | null;
  /** US dollars, worldwide. */
  gross: number | null;
  /** How many of the critics liked it, in per cent. */
  critics: number | null;
  /** 0 to 10. */
  audience: number | null;
}
