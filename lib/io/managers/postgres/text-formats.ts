// Text as PostgreSQL takes it: in jsonb, in COPY, in names.
const NUL_OR_ITS_STAND_IN = /\\(?:\\|u000[01])/g;
const STAND_IN = /\\(?:\\|u0001[01])/g;
const TO_ESCAPE = /[\\\n\r\t]/;
const ALL_TO_ESCAPE = /[\\\n\r\t]/g;
const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * JSON text such that jsonb takes it, which has no NUL: that is written `\u00010`, and so that it can be told from it,
 * the character U+0001 `\u00011`. All else stays as it is.
 */
export function jsonbText(json: string): string {
  if (!json.includes('\\u000')) return json;
  return json.replace(NUL_OR_ITS_STAND_IN, (found) => (found === '\\\\' ? found : `\\u0001${found.at(-1)}`));
}

/** The JSON text that `jsonbText` was given, from what jsonb says. */
export function jsonOfJsonb(text: string): string {
  if (!text.includes('\\u0001')) return text;
  return text.replace(STAND_IN, (found) => (found === '\\\\' ? found : `\\u000${found.at(-1)}`));
}

/** A field of COPY's text format. */
export function copyField(text: string): string {
  return TO_ESCAPE.test(text) ? text.replace(ALL_TO_ESCAPE, (found) => ESCAPED[found]!) : text;
}

/** A name in SQL, whatever it holds. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
