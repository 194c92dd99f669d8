// Snapshots of PostgreSQL as cursors: which transactions one saw, and the part of it below a transaction.

/** `xmin:xmax:xip,xip...`, as PostgreSQL writes it. */
const SNAPSHOT = /^\d{1,19}:\d{1,19}:(\d{1,19}(,\d{1,19})*)?$/;
const MOST = 2n ** 63n;

/** Whether PostgreSQL takes the text for a snapshot. */
export function isSnapshot(text: string): boolean {
  if (!SNAPSHOT.test(text)) return false;
  const { xmin, xmax, open } = parsed(text);
  const rising = open.every((xid, index) => xid >= (index === 0 ? xmin : open[index - 1]! + 1n) && xid < xmax);
  return rising && xmin > 0n && xmin <= xmax && xmax < MOST;
}

/**
 * The snapshot that saw what this one did of the transactions below `edge`, and nothing of the others.
 * @param edge at most its xmax
 */
export function below(snapshot: string, edge: bigint): string {
  const { xmin, xmax, open } = parsed(snapshot);
  const least = (xid: bigint): bigint => (xid < edge ? xid : edge);
  return `${least(xmin)}:${least(xmax)}:${open.filter((xid) => xid < edge).join(',')}`;
}

function parsed(snapshot: string): { readonly xmin: bigint; readonly xmax: bigint; readonly open: readonly bigint[] } {
  const [xmin = '', xmax = '', open = ''] = snapshot.split(':');
  return { xmin: BigInt(xmin), xmax: BigInt(xmax), open: open === '' ? [] : open.split(',').map(BigInt) };
}
