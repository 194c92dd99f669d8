// Arrays of one dimension, as PostgreSQL writes them.
const ELEMENT = /"((?:[^"\\]|\\.)*)"|([^,{}"\\]+)/gs;

/** Throws a SyntaxError for an array of arrays, or one that does not begin at 1. */
export function readArray(text: string, read: (text: string) => unknown): unknown[] {
  if (!text.startsWith('{') || text.startsWith('{{')) throw new SyntaxError('it is no array of one dimension');
  return Array.from(text.slice(1, -1).matchAll(ELEMENT), ([, inQuotes, plain]) => {
    if (inQuotes !== undefined) return read(inQuotes.replaceAll(/\\(.)/gs, '$1'));
    return plain === 'NULL' ? null : read(plain!);
  });
}
