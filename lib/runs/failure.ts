// The one boundary between errors of user code and those of FlowStone, and what is recorded of an error.
import { isNativeError } from 'node:util/types';
import { FlowStoneError } from '../flowstone.errors.js';
import type { ErrorRecord, JsonObject } from '../ledger/records.js';

const STACK_LIMIT = 4000;

/** Where an attempt was when it failed. */
export interface FailurePlace {
  readonly run: number;
  readonly asset: string;
  readonly partition: string | undefined;
  readonly attempt: number;
}

/** A failure as the host's hook sees it. */
export interface Failure extends FailurePlace {
  readonly error: FlowStoneError;
  /** Whether another attempt follows. */
  readonly retrying: boolean;
}

/** How an asset and its partition are named in messages. */
export function placeName({ asset, partition }: Pick<FailurePlace, 'asset' | 'partition'>): string {
  return partition === undefined ? asset : `${asset}[${partition}]`;
}

/**
 * Wraps what an asset threw. User code may mark its own error as final with a property `retryable: false`.
 * FlowStone's own errors (values that cannot be loaded or stored) pass as they are.
 */
export function wrapUserError(thrown: unknown, place: FailurePlace): FlowStoneError {
  if (thrown instanceof FlowStoneError) return thrown;
  const message = messageOf(thrown);
  const final = typeof thrown === 'object' && thrown !== null && 'retryable' in thrown && thrown.retryable === false;
  return new FlowStoneError('FLOWSTONE_EXECUTE_FAILED', `${placeName(place)} failed: ${message}`, {
    cause: thrown,
    context: { ...place },
    ...(final && { retryable: false }),
  });
}

/** What the ledger keeps of an error: code, message and the stack nearest to the user's code. */
export function errorRecord(error: FlowStoneError): ErrorRecord {
  const { code, family, message, retryable } = error;
  const stack = isNativeError(error.cause) ? error.cause.stack : error.stack;
  // Through JSON, since context and messages must fit jsonb: no undefined, no NUL characters.
  const plain = {
    code,
    family,
    message,
    retryable,
    stack: String(stack).slice(0, STACK_LIMIT),
    context: error.context,
  };
  return JSON.parse(recordable(plain).replaceAll('\\u0000', '\\ufffd')) as ErrorRecord & { context: JsonObject };
}

/** As JSON. User code may throw a FlowStoneError of its own whose context is not JSON: it is left out then. */
function recordable(plain: object): string {
  try {
    return JSON.stringify(plain);
  } catch {
    return JSON.stringify({ ...plain, context: {} });
  }
}

/**
 * What a thrown value says; errors of another realm (a test's sandbox, a vm) are errors too. Anything can be thrown,
 * also what has no text.
 */
export function messageOf(thrown: unknown): string {
  try {
    return isNativeError(thrown) ? thrown.message : String(thrown);
  } catch {
    return 'something without a text was thrown';
  }
}
