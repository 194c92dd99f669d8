// Formats that hold a value in one piece: JSON, text, bytes.
import { StringDecoder } from 'node:string_decoder';
import { types } from 'node:util';
import type { ByteSink } from '../blobs/blob-store.port.js';
import { dataVersionOf, encodeDocument } from '../data-version.js';
import { closeJson } from '../json-beginning.js';
import { parseTagged, refuse, stringifyTagged } from '../tagged-json.js';
import type { ByteSource, DocumentFormat, Written } from './format.port.js';

/** Anything JSON-like as one JSON document, with bigint, Date and bytes as tagged strings. */
export const JSON_FORMAT: DocumentFormat = {
  ...{ extension: 'json', sequential: true, options: {} },
  async write(value: unknown, sink: ByteSink): Promise<Written> {
    const { tagged, ...version } = encodeDocument(value);
    await sink.write(Buffer.from(stringifyTagged(tagged)));
    return version;
  },
  async read(source: ByteSource): Promise<unknown> {
    return parseTagged((await whole(source)).toString());
  },
  async readBeginning(source: ByteSource, bytes: number) {
    const { value, complete } = await TEXT_FORMAT.readBeginning(source, bytes);
    const text = complete ? (value as string) : closeJson(value as string);
    return { value: text === undefined ? null : parseTagged(text), complete };
  },
};

/** A string as UTF-8. */
export const TEXT_FORMAT: DocumentFormat = {
  ...{ extension: 'txt', sequential: true, options: {} },
  async write(value: unknown, sink: ByteSink): Promise<Written> {
    if (typeof value !== 'string') misfit('is no string', 'text');
    const version = dataVersionOf(value);
    await sink.write(Buffer.from(value));
    return version;
  },
  async read(source: ByteSource): Promise<string> {
    return (await whole(source)).toString();
  },
  async readBeginning(source: ByteSource, bytes: number) {
    const { value, complete } = await firstBytes(source, bytes);
    // Which keeps back a character that was cut.
    return { value: new StringDecoder('utf8').write(value), complete };
  },
};

/** Bytes as they are. */
export const BYTES_FORMAT: DocumentFormat = {
  ...{ extension: 'bin', sequential: true, options: {} },
  async write(value: unknown, sink: ByteSink): Promise<Written> {
    if (!types.isUint8Array(value)) misfit('is no Uint8Array', 'bytes');
    await sink.write(value);
    return dataVersionOf(value);
  },
  async read(source: ByteSource): Promise<Uint8Array> {
    return new Uint8Array(await whole(source));
  },
  async readBeginning(source: ByteSource, bytes: number) {
    const { value, complete } = await firstBytes(source, bytes);
    return { value: new Uint8Array(value), complete };
  },
};

/** Refuses a value for not being what a format holds. */
export function misfit(what: string, format: string): never {
  return refuse([], `${what}, which format "${format}" needs,`, 'Return one or declare another format.');
}

async function firstBytes(source: ByteSource, bytes: number): Promise<{ value: Buffer; complete: boolean }> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of source.pieces()) {
    pieces.push(piece);
    length += piece.length;
    if (length > bytes) break;
  }
  return { value: Buffer.concat(pieces, Math.min(length, bytes)), complete: length <= bytes };
}

async function whole(source: ByteSource): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of source.pieces()) pieces.push(piece);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}
