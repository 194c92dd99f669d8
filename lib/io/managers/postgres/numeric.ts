// Decimal numbers of any length, as strings: which come back as they are, and how PostgreSQL's binary format has them.
import type { RowBuffer } from './row.buffer.js';

const NUMERIC = /^-?(?:0|[1-9]\d{0,999})(?:\.(\d{1,999}))?$/;
const MINUS_ZERO = /^-[0.]+$/;
const GROUP = 4;
const NEGATIVE = 0x4000;

/** Whether a text is a number as `numeric` tells it, or `numeric(precision, scale)`. */
export function isNumeric(text: string, precision: number, scale: number | undefined): boolean {
  const found = NUMERIC.exec(text);
  if (!found || MINUS_ZERO.test(text)) return false;
  const decimals = found[1]?.length ?? 0;
  if (scale !== undefined && decimals !== scale) return false;
  const digits = text.replaceAll(/^-?0?|\./g, '').length;
  return digits <= precision;
}

/** Writes one, in groups of four digits around the point: how many, the weight of the first, sign, decimals, groups. */
export function putNumeric(text: string, out: RowBuffer): void {
  const negative = text.startsWith('-');
  const [whole = '', decimals = ''] = (negative ? text.slice(1) : text).split('.');
  const before = whole === '0' ? '' : whole.padStart(Math.ceil(whole.length / GROUP) * GROUP, '0');
  const after = decimals.padEnd(Math.ceil(decimals.length / GROUP) * GROUP, '0');
  const groups = (before + after).match(/\d{4}/g)?.map(Number) ?? [];
  let weight = before.length / GROUP - 1;
  while (groups[0] === 0) {
    groups.shift();
    weight--;
  }
  while (groups.at(-1) === 0) groups.pop();
  out.nested(() => {
    for (const number of [
      groups.length,
      groups.length === 0 ? 0 : weight,
      negative ? NEGATIVE : 0,
      decimals.length,
      ...groups,
    ])
      out.count(number);
  });
}
