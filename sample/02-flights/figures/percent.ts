// Shares as people read them. Pure.

/** `21.3%`, of 0.213. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}
