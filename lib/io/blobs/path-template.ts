// What an asset may say about where its values lie within their namespace, such as `exports/{asset}/day={partition}`, so
// that other tools find them. What becomes of it stands in blob-path.ts.
import { closest } from '../../graph/did-you-mean.js';
import { SEGMENT_LIMIT } from './blob-path.js';

const PLACEHOLDERS = ['asset', 'partition'];
/** `/<materialization>-<epoch>.<extension>`: 16 digits, 10 digits, and the longest extension there is. */
const LONGEST_NAME = '/9007199254740991-2147483647.parquet.gz'.length;

/**
 * What is wrong with a template, in one sentence.
 * @param room characters that a path may have
 */
export function templateProblem(template: unknown, room: number): string | undefined {
  const said = `path is ${JSON.stringify(template)}`;
  if (typeof template !== 'string') return `${said}, must be text such as "exports/{asset}/{partition}"`;
  for (const [, name = ''] of template.matchAll(/\{([^{}]*)\}/g)) {
    if (PLACEHOLDERS.includes(name)) continue;
    const near = closest(name, PLACEHOLDERS);
    const suggestion = near === undefined ? '{asset} and {partition} are known' : `did you mean {${near}}?`;
    return `${said}, in which {${name}} stands for nothing: ${suggestion}`;
  }
  const steps = template.replaceAll(/\{(?:asset|partition)\}/g, 'x').split('/');
  if (steps.some((step) => !isStep(step)))
    return `${said}: between its "/" must be letters, digits, placeholders or any of _.,=@+- (not "." or "..")`;
  const longest = longestPath(template);
  return longest <= room
    ? undefined
    : `${said}: with long keys it takes ${longest} characters, ${room} are left for it`;
}

/** Whether a text may stand between two `/` of a path. */
export function isStep(text: string): boolean {
  return /^[A-Za-z0-9_.,=@+-]+$/.test(text) && text !== '.' && text !== '..';
}

/** How long a path can be, whatever the keys. */
export function longestPath(template: string): number {
  const longestSegment = 'x'.repeat(SEGMENT_LIMIT);
  const folder = template.replaceAll(/\{(?:asset|partition)\}/g, longestSegment);
  return `${longestSegment}/${folder}`.length + LONGEST_NAME;
}
