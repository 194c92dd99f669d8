// Pages of listings.

/** One page of a listing, newest first unless it says otherwise. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Pass as `before` for the next page; null at the end. */
  readonly next: number | null;
}

export interface PageRequest {
  readonly limit: number;
  readonly before?: number | undefined;
}
