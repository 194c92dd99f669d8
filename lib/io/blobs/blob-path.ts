// Where a value lies in a place for blobs: a pure function of its address.
//
//   <namespace>/<asset>/<partition>/<materialization>-<epoch>.<extension>
//
// What is between the namespace and the attempt may follow another template (path-template.ts). A segment is the key itself where that is safe. Any other byte is `%` and two hex digits, half a surrogate pair
// `%u` and four; the empty key is `%`, no partition `_` (and the key `_` is `%5F`). So different keys have different
// segments and none is hidden, `.`, `..` or a device name. What would be longer than a file system allows is cut and
// ends in `%-` and the SHA-256 of the whole key.
import { createHash } from 'node:crypto';
import type { StoredAttempt, ValueAddress } from '../io-manager.port.js';

const WHOLE = '_';
/** Longest segment, in characters, which are bytes. */
export const SEGMENT_LIMIT = 200;
const UNSAFE = /[^A-Za-z0-9_.,=@+-]/gu;
// A first or last dot hides a name or is lost on some systems; device names are files everywhere on Windows.
const UNSAFE_EDGE = /^\.|\.$|^_$|^(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/gi;

/** Where the values of an asset lie within their namespace, if it does not say otherwise. */
export const USUAL_TEMPLATE = '{asset}/{partition}';

/**
 * The path of a value relative to the root, with `/`. The attempt ends it, so that it is used once whatever the template
 * says of asset and partition.
 */
export function valuePath(address: ValueAddress, extension: string, template = USUAL_TEMPLATE): string {
  const { namespace, asset, partition, materialization, epoch } = address;
  const folder = template
    .replaceAll('{asset}', () => pathSegment(asset))
    .replaceAll('{partition}', () => (partition === undefined ? WHOLE : pathSegment(partition)));
  return `${pathSegment(namespace)}/${folder}/${materialization}-${epoch}.${extension}`;
}

/** The attempt that wrote what is at this path, be it finished or temporary; undefined where it is nobody's. */
export function attemptOf(path: string): StoredAttempt | undefined {
  const [, materialization, epoch] = /\/(\d+)-(\d+)\.[^/]*$/.exec(path) ?? [];
  return epoch === undefined ? undefined : { materialization: Number(materialization), epoch: Number(epoch) };
}

/** A key as the name of a file or folder. */
export function pathSegment(key: string): string {
  if (key === '') return '%';
  const segment = key.replace(UNSAFE, escape).replace(UNSAFE_EDGE, (text) => escape(text[0]!) + text.slice(1));
  if (segment.length <= SEGMENT_LIMIT) return segment;
  const digest = createHash('sha256').update(key, 'utf16le').digest('hex');
  return `${segment.slice(0, SEGMENT_LIMIT - 70).replace(/%[^%]{0,4}$/, '')}%-${digest}`;
}

function escape(character: string): string {
  const code = character.codePointAt(0)!;
  if (code >= 0xd800 && code <= 0xdfff) return `%u${code.toString(16).toUpperCase()}`;
  return Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '%$&');
}
