// The errors of I/O managers, worded alike: which value, what happened, what to do.
import { types } from 'node:util';
import { FlowStoneError } from '../flowstone.errors.js';

/** The value an error is about. */
export interface ValuePlace {
  readonly asset: string;
  readonly partition: string | undefined;
}

/** How a value is named in messages. */
export function valueName({ asset, partition }: ValuePlace): string {
  return partition === undefined ? `the value of ${asset}` : `the value of ${asset}[${partition}]`;
}

/** `FLOWSTONE_IO_VALUE_NOT_FOUND`: nothing is there; `why` completes "not found: ". */
export function valueNotFound(place: ValuePlace, why: string, cause?: unknown): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_IO_VALUE_NOT_FOUND',
    `${valueName(place)} was not found: ${why}. Materialize it again.`,
    { context: contextOf(place), cause },
  );
}

/** `FLOWSTONE_IO_VERSION_NOT_KEPT`: the value of a version is not there any more; `policy` completes "since ". */
export function versionNotKept(place: ValuePlace, version: number, policy: string): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_IO_VERSION_NOT_KEPT',
    `version ${version} of ${valueName(place)} is not kept, since ${policy}. Load the newest, or keep more from now on.`,
    { context: { ...contextOf(place), version } },
  );
}

/** `FLOWSTONE_IO_VALUE_MOVED`: what is there is another version than the one that was asked for. */
export function valueMoved(place: ValuePlace): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_IO_VALUE_MOVED',
    `${valueName(place)} was replaced while it was read: its I/O manager keeps only the newest. Load it again.`,
    { context: contextOf(place) },
  );
}

/** `FLOWSTONE_IO_VALUE_CORRUPT`: what is there is not what was stored; `why` completes "cannot be used: ". */
export function valueCorrupt(place: ValuePlace, why: string, cause?: unknown): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_IO_VALUE_CORRUPT',
    `${valueName(place)} cannot be used: ${why}. Materialize it again.`,
    { context: contextOf(place), cause },
  );
}

/** `FLOWSTONE_IO_VALUE_CORRUPT` for a size that is not the recorded one. */
export function valueResized(place: ValuePlace, found: number, recorded: number): FlowStoneError {
  return valueCorrupt(place, `it has ${found} bytes, not ${recorded}`);
}

/**
 * `FLOWSTONE_IO_FAILED`: the storage did not do what was asked (`verb`: store, load, delete). `reason` completes
 * "cannot store it: ", if there is more to say than the cause does.
 */
export function ioFailed(
  place: ValuePlace,
  verb: string,
  cause: unknown,
  reason = types.isNativeError(cause) ? cause.message : String(cause),
): FlowStoneError {
  return new FlowStoneError('FLOWSTONE_IO_FAILED', `cannot ${verb} ${valueName(place)}: ${reason}`, {
    context: contextOf(place),
    cause,
  });
}

/** What reading a value threw, as an error of ours: a SyntaxError says that the bytes are not what was written. */
export function readFailure(place: ValuePlace, error: unknown): unknown {
  if (error instanceof FlowStoneError) return error;
  if (error instanceof SyntaxError) return valueCorrupt(place, 'it is not what was written', error);
  const { code } = types.isNativeError(error) ? (error as NodeJS.ErrnoException) : {};
  if (code?.startsWith('Z_')) return valueCorrupt(place, 'it cannot be unpacked', error);
  return ioFailed(place, 'load', error);
}

/** What the encoders refuse, with the value it is about; any other error as it is. */
export function placeRefusal(place: ValuePlace, thrown: unknown): unknown {
  if (!(thrown instanceof FlowStoneError) || thrown.code !== 'FLOWSTONE_IO_VALUE_UNSUPPORTED') return thrown;
  return new FlowStoneError(thrown.code, `${valueName(place)}: ${thrown.message}`, {
    context: { ...contextOf(place), ...thrown.context },
    cause: thrown,
  });
}

function contextOf({ asset, partition }: ValuePlace) {
  return { asset, partition: partition ?? null };
}
