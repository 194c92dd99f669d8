// Numbers as people read them in the terminal.

/** `41.3 s`, of ms. */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** `3,000,000` */
export function whole(count: number): string {
  return count.toLocaleString('en-US');
}

/** `612 MB`, of bytes; a megabyte is a million. */
export function megabytes(bytes: number): string {
  return `${whole(Math.round(bytes / 1_000_000))} MB`;
}

/** Rows of cells in columns: the first is flush left, the others flush right. */
export function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('   '),
  );
}
