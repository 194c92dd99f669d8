// Matching of `*` and `?` patterns without regular expressions, so that no pattern can be made slow.

/** Tests whether a text matches a pattern as a whole; `*` stands for any characters (also none), `?` for one. */
export function globMatcher(pattern: string): (text: string) => boolean {
  const collapsed = pattern.replace(/\*+/g, '*');
  let shortest = 0;
  for (const character of collapsed) if (character !== '*') shortest += character.length;
  return (text) => shortest <= text.length && matches(collapsed, text);
}

/** Greedy with one point of return: only the last `*` passed can ever need to take more. */
function matches(pattern: string, text: string): boolean {
  let inPattern = 0;
  let inText = 0;
  let star = -1;
  let starTook = 0;
  while (inText < text.length) {
    if (pattern[inPattern] === '*') {
      star = inPattern++;
      starTook = inText;
    } else if (inPattern < pattern.length && (pattern[inPattern] === '?' || pattern[inPattern] === text[inText])) {
      inPattern++;
      inText++;
    } else if (star !== -1) {
      inPattern = star + 1;
      inText = ++starTook;
    } else return false;
  }
  if (pattern[inPattern] === '*') inPattern++;
  return inPattern === pattern.length;
}
