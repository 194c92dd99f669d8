// The rows that travel through this sample: a flight as the file has it, and a flight made fit for figures.
// How they are read lies in flights.file.ts, how one becomes the other in figures/cleaning.ts.

/** One row of the Parquet file. Its columns may be null there, so nothing is promised yet. */
export interface RawFlight {
  /** Scheduled departure in UTC, to the second: `2001-03-04T05:41:00`. */
  date: string;
  /** Minutes after the scheduled time; negative when early. */
  delay: number | null;
  /** Miles. */
  distance: number | null;
  /** IATA code of the airport. */
  origin: string | null;
  /** IATA code of the airport. */
  destination: string | null;
}

/** A flight that happened: every column is there and possible. */
export interface Flight {
  /** Scheduled departure in UTC, to the second: `2001-03-04T05:41:00`. */
  date: string;
  /** Minutes since midnight UTC at the scheduled departure, 0 to 1439. */
  minute: number;
  /** Minutes after the scheduled time; negative when early. */
  delay: number;
  /** More than 15 minutes after the scheduled time. */
  late: boolean;
  /** Miles. */
  distance: number;
  /** IATA code of the airport. */
  origin: string;
  /** IATA code of the airport. */
  destination: string;
}
