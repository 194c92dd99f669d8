// The beginning of a JSON text as JSON of its own, for values too large to be read for a look at them.

const CLOSER: Readonly<Record<string, string>> = { '{': '}', '[': ']' };

/** A bracket that is open. */
interface Open {
  readonly closer: string;
  readonly around: Open | undefined;
}

/**
 * Of a JSON text that is cut anywhere: all that came whole of it, the brackets closed. Undefined where nothing did. What is
 * cut within a string at the top ends there.
 */
export function closeJson(text: string): string | undefined {
  if (text.startsWith('"')) return `${text.slice(0, stringEnd(text))}"`;
  let open: Open | undefined;
  let last: { readonly end: number; readonly open: Open | undefined } | undefined;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    const closer = CLOSER[character];
    if (character === '"') {
      at = stringEnd(text, at);
    } else if (closer !== undefined) {
      open = { closer, around: open };
      last = { end: at + 1, open };
    } else if (character === open?.closer) {
      open = open.around;
      last = { end: at + 1, open };
    } else if (character === ',') {
      last = { end: at, open };
    }
  }
  if (last === undefined) return undefined;
  const closers: string[] = [];
  for (let bracket = last.open; bracket; bracket = bracket.around) closers.push(bracket.closer);
  return text.slice(0, last.end) + closers.join('');
}

/** Where the string that begins at `start` ends: at its closing quote, or before what is cut off. */
function stringEnd(text: string, start = 0): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') {
    const next = text[at] !== '\\' ? at + 1 : at + (text[at + 1] === 'u' ? 6 : 2);
    if (next > text.length) return at;
    at = next;
  }
  return Math.min(at, text.length);
}
