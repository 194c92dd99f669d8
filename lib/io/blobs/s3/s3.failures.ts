// What the SDK throws, in words about the value: what is not there, what failed and what to do about it.
import { types } from 'node:util';
import { FlowStoneError } from '../../../flowstone.errors.js';
import { ioFailed, valueNotFound, type ValuePlace } from '../../io-failures.js';

/** What the SDK says where it was told nothing. */
const UNTOLD = /^(?:Unknown(?:Error)?|)$/;

/** Name of the error for an answer that no server of S3 gives. */
export const NOT_S3 = 'NotS3';

/** An object an error is about. */
export interface ObjectPlace {
  readonly place: ValuePlace;
  readonly bucket: string;
  readonly key: string;
}

/** How an object is named in messages. */
export function objectName({ bucket, key }: Omit<ObjectPlace, 'place'>): string {
  return `s3://${bucket}/${key}`;
}

/** `FLOWSTONE_IO_VALUE_NOT_FOUND` where the object is not there, else `FLOWSTONE_IO_FAILED`. */
export function s3Failure(object: ObjectPlace, verb: 'store' | 'load' | 'delete', error: unknown): FlowStoneError {
  if (error instanceof FlowStoneError) return error;
  if (nameOf(error) === 'NoSuchKey') return valueNotFound(object.place, `there is no ${objectName(object)}`, error);
  return ioFailed(object.place, verb, error, `${objectName(object)}: ${reasonOf(error)}${adviceOn(error)}`);
}

/** `FLOWSTONE_IO_PATH_REFUSED`: a path out of the ledger that no manager writes. */
export function pathRefused(place: ValuePlace, path: string): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_IO_PATH_REFUSED',
    `${path} for a value of ${place.asset} is no path below the prefix. Materialize it again.`,
    { context: { asset: place.asset, partition: place.partition ?? null, path } },
  );
}

/** The code that a server or Node gave an error, such as `NoSuchKey`. */
export function nameOf(error: unknown): string | undefined {
  return types.isNativeError(error) ? error.name : undefined;
}

/** The HTTP status that an error came with. */
export function statusOf(error: unknown): number | undefined {
  const metadata = types.isNativeError(error) && '$metadata' in error ? error.$metadata : undefined;
  return (metadata as { readonly httpStatusCode?: number } | undefined)?.httpStatusCode;
}

// Answers to HEAD have no body, so that the SDK knows no name or message; errors of connecting to several addresses have no
// message.
function reasonOf(error: unknown): string {
  if (!types.isNativeError(error)) return String(error);
  const { name, message } = error;
  const { code } = error as NodeJS.ErrnoException;
  const status = statusOf(error);
  if (status === undefined) return message || code || name;
  const said = [message, name].filter((text, index, texts) => !UNTOLD.test(text) && texts.indexOf(text) === index);
  return [...said, `HTTP ${status}`].join(', ');
}

function adviceOn(error: unknown): string {
  const name = nameOf(error) ?? '';
  const status = statusOf(error);
  if (name === 'NoSuchBucket') return '. Create the bucket, or correct `bucket`.';
  if (name === NOT_S3) return '. Correct `endpoint`.';
  if (name === 'CredentialsProviderError') return '. Give `credentials`, or set what the SDK looks for.';
  if (status === 301 || name === 'AuthorizationHeaderMalformed') return '. Give `region` of the bucket.';
  if (status === 401 || status === 403) return '. See docs/io.md for what the credentials must allow.';
  if (types.isNativeError(error) && error.message === 'Region is missing') return '. Give `region`.';
  return status === undefined ? '. See that the server can be reached.' : '.';
}
