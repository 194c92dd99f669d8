// A named statement of the ledger, and how its text is made for one schema.

/**
 * SQL with a name under which a connection prepares it once. In the text `fs.` stands for the ledger's schema.
 * Every access to a large table is by `id = ANY(...)` or a LATERAL lookup that cannot be flattened (OFFSET 0), so that
 * no statistics, however wrong, make the planner scan it.
 */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export function statement(name: string, text: string): Statement {
  return { name, text };
}

/** Quotes an identifier, whatever it contains. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** The statement for one schema; prepared statements of two schemas on one connection do not meet. */
export function inSchema({ name, text }: Statement, schema: string): Statement {
  return { name: `${schema}.${name}`, text: text.replace(/\bfs\./g, `${quoted(schema)}.`) };
}
