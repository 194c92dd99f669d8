// Values as JSON that keeps their types: bigint, Date and bytes become tagged strings, and come back from them.
// What may be stored at all is decided here; hashing stands in data-version.ts, rows in row-encoder.ts.
//
//   123n               "$bigint:123"
//   Date               "$date:2001-03-04T00:00:00.000Z"
//   Uint8Array         "$bytes:AQID"  (base64)
//   "$date:tomorrow"   "$$date:tomorrow": a string that looks like a tag gets one more `$`, all others stay
//                      (`$json:` is kept for cells that are objects, where rows are hashed)
import { types } from 'node:util';
import { FlowStoneError } from '../flowstone.errors.js';
import { isoTime } from './iso-time.js';

/** JSON without the types that need a tag. */
export type TaggedJson = null | boolean | number | string | TaggedJson[] | { [name: string]: TaggedJson };

/** Where in a value something stands: property names and array indexes from the top. */
export type ValuePath = (string | number)[];

const LOOKS_TAGGED = /^\$+(?:bigint|date|bytes|json):/;
const TAG = /^\$(bigint|date|bytes):/;
/** Finds half a surrogate pair, which UTF-8 cannot hold. */
export const LONE_SURROGATE = /\p{Surrogate}/u;
const DEPTH_LIMIT = 500;

/**
 * The value as tagged JSON, deeply copied. Properties that are undefined count as absent; instances of classes
 * keep their own properties and lose their class. Throws `FLOWSTONE_IO_VALUE_UNSUPPORTED` naming the path for
 * what would not come back as it was: Map, Set, functions, symbols, NaN, Infinity, undefined (but in a property),
 * objects with `toJSON`, lone surrogates, a property `__proto__`, more than 500 levels or a circle.
 */
export function toTaggedJson(value: unknown, path: ValuePath = []): TaggedJson {
  switch (typeof value) {
    case 'string':
      return tagString(value, path);
    case 'number':
      return Number.isFinite(value) ? value : refuse(path, `is ${value}`, 'Use null for what is unknown.');
    case 'boolean':
      return value;
    case 'bigint':
      return `$bigint:${value}`;
    case 'object':
      return value === null ? null : tagObject(value, path);
    default:
      return refuse(
        path,
        `is ${typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`}`,
        'Use null or leave it out.',
      );
  }
}

function tagString(value: string, path: ValuePath): string {
  if (LONE_SURROGATE.test(value)) refuseSurrogate(path);
  return LOOKS_TAGGED.test(value) ? `$${value}` : value;
}

/** Whether a value is an object of named properties, not one of the built-in kinds or one with its own JSON form. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  return (
    Object.prototype.toString.call(value) === '[object Object]' &&
    !('toJSON' in value && typeof value.toJSON === 'function')
  );
}

/** A name under which a property or column may be stored. */
export function requireName(name: string, path: ValuePath): void {
  if (name === '__proto__') refuse([...path, name], 'is a property named __proto__', 'Rename it.');
  if (LONE_SURROGATE.test(name))
    refuse([...path, name], 'has half a surrogate pair in its name', 'Repair it with toWellFormed().');
}

/** Tagged JSON as text. Throws `FLOWSTONE_IO_VALUE_UNSUPPORTED` when it is longer than a string can be. */
export function stringifyTagged(tagged: unknown): string {
  try {
    return JSON.stringify(tagged);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refuse([], 'is too large for one JSON document', 'Yield its rows from an async iterable instead.');
  }
}

/** The value of a tagged JSON text. Throws a SyntaxError for what is none; nothing becomes code. */
export function parseTagged(text: string): unknown {
  const json: unknown = JSON.parse(text);
  // Tags are rare, and a string with one stands right after a quote.
  return text.includes('"$') ? untag(json) : json;
}

/** Refuses the string at `path`. */
export function refuseSurrogate(path: ValuePath): never {
  return refuse(path, 'is a string with half a surrogate pair', 'Repair it with toWellFormed().');
}

/** Refuses a value for what stands at `path`. */
export function refuse(path: ValuePath, what: string, remedy: string): never {
  const where = pathName(path);
  throw new FlowStoneError('FLOWSTONE_IO_VALUE_UNSUPPORTED', `${where} ${what} and cannot be stored. ${remedy}`, {
    context: { path: where },
  });
}

function tagObject(value: object, path: ValuePath): TaggedJson {
  if (value instanceof Date || types.isDate(value)) {
    if (Number.isNaN(value.getTime())) refuse(path, 'is an invalid Date', 'Use null for what is unknown.');
    return `$date:${isoTime(value)}`;
  }
  if (types.isUint8Array(value)) {
    return `$bytes:${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}`;
  }
  if (path.length >= DEPTH_LIMIT) {
    refuse(path.slice(0, 10), `is nested deeper than ${DEPTH_LIMIT} levels or contains itself`, 'Flatten it.');
  }
  if (Array.isArray(value)) return tagArray(value, path);
  if (!isRecord(value)) refuse(path, `is ${kindName(value)}`, 'Convert it to plain objects, arrays, strings or bytes.');
  const tagged: { [name: string]: TaggedJson } = {};
  for (const [name, property] of Object.entries(value)) {
    if (property === undefined) continue;
    requireName(name, path);
    path.push(name);
    tagged[name] = toTaggedJson(property, path);
    path.pop();
  }
  return tagged;
}

// A plain loop, since `map` passes over the holes of a sparse array.
function tagArray(values: readonly unknown[], path: ValuePath): TaggedJson[] {
  const tagged: TaggedJson[] = [];
  for (let index = 0; index < values.length; index++) {
    path.push(index);
    tagged.push(toTaggedJson(values[index], path));
    path.pop();
  }
  return tagged;
}

// Changes in place what JSON.parse gave.
function untag(json: unknown): unknown {
  if (typeof json === 'string') return json.charCodeAt(0) === 36 ? untagString(json) : json;
  if (typeof json !== 'object' || json === null) return json;
  const holder = json as Record<string, unknown>;
  for (const name of Object.keys(holder)) {
    const before = holder[name];
    const after = untag(before);
    if (after !== before) holder[name] = after;
  }
  return holder;
}

function untagString(text: string): unknown {
  const tag = TAG.exec(text)?.[1];
  if (tag === undefined) return LOOKS_TAGGED.test(text) ? text.slice(1) : text;
  const content = text.slice(tag.length + 2);
  if (tag === 'bigint') return BigInt(content);
  if (tag === 'date') return new Date(content);
  return new Uint8Array(Buffer.from(content, 'base64'));
}

function kindName(value: object): string {
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  return kind === 'Object' ? `a ${value.constructor.name} with its own toJSON` : `a ${kind}`;
}

function pathName(path: ValuePath): string {
  const steps = path.map((step) =>
    typeof step === 'string' && /^[A-Za-z_]\w*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`,
  );
  return `$${steps.join('')}`;
}
