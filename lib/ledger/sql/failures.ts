// Which failures of the database mean an outage, which ask for a repetition; all others are bugs and pass through.
import { FlowStoneError } from '../../flowstone.errors.js';

const REPEATABLE = new Set(['40001', '40P01']);
// A lost connection, a shutdown, a system that fails the server.
const LOST_STATES = /^(08...|57P0.|58...)$/;
// A server that lacks disk, memory or connections, that only reads (a primary that has been replaced), or cut a statement,
// a wait or a transaction short. It says so itself: what the transaction did is undone.
const UNDONE_STATES = /^(53...|25006|57014|55P03|25P0[34])$/;
const OUTAGE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'FLOWSTONE_EMBEDDED_BUSY',
  'FLOWSTONE_EMBEDDED_STOPPED',
]);
// node-postgres gives these no code; and TypeORM releases a runner under our hands when its connection is lost.
const OUTAGE_MESSAGES =
  /Connection terminated|connection timeout|timeout exceeded|Query read timeout|not queryable|connection error|Client was closed|Cannot use a pool after|Driver not connected|Query runner already released/i;

/** The state that PostgreSQL told, or the code of a system error: of an error of `pg` or of TypeORM. */
export function codeOf(error: unknown): string | undefined {
  const { code, driverError } = (error ?? {}) as { code?: unknown; driverError?: { code?: unknown } };
  const found = driverError?.code ?? code;
  return typeof found === 'string' ? found : undefined;
}

/** A deadlock or a serialization failure: nothing happened, the transaction is to be repeated. */
export function isRepeatable(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && REPEATABLE.has(code);
}

/** Whether a lock was not to be had in the time allowed; also of an error that this caused. */
export function isLocked(error: unknown): boolean {
  return codeOf(error) === '55P03' || (error instanceof FlowStoneError && codeOf(error.cause) === '55P03');
}

/** Whether a row was refused since there is one of its key already. */
export function isDuplicate(error: unknown): boolean {
  return codeOf(error) === '23505';
}

/** Whether the server says of an outage that nothing happened. */
function isUndone(error: unknown): boolean {
  return UNDONE_STATES.test(codeOf(error) ?? '');
}

/** Whether the database could not be reached, was lost, did not answer in time, or cannot do its work for now. */
export function isOutage(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const code = codeOf(error);
  if (code !== undefined && (OUTAGE_CODES.has(code) || LOST_STATES.test(code) || isUndone(error))) return true;
  // One error per address that was tried.
  const { errors, message } = error as { errors?: unknown; message?: unknown };
  if (Array.isArray(errors) && errors.some(isOutage)) return true;
  return code === undefined && typeof message === 'string' && OUTAGE_MESSAGES.test(message);
}

/** The outage as our error. `committing`: it came while a commit was on its way, so that the outcome may be unknown. */
export function unavailable(cause: unknown, committing: boolean): FlowStoneError {
  return outage(cause, committing && !isUndone(cause), 'Work goes on when it can; check the server and its address.');
}

/** An outage that leaves in doubt whether something was recorded, with what whoever asked for it should do. */
export function doubtful(error: FlowStoneError, advice: string): FlowStoneError {
  return outage(error.cause, true, advice);
}

function outage(cause: unknown, inDoubt: boolean, advice: string): FlowStoneError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new FlowStoneError(
    'FLOWSTONE_LEDGER_UNAVAILABLE',
    `The ledger's database cannot be used now (${why}). ${advice}`,
    { cause, context: { inDoubt } },
  );
}

/** Whether an error of ours says that a commit may or may not have happened. */
export function isInDoubt(error: unknown): error is FlowStoneError {
  return error instanceof FlowStoneError && error.context['inDoubt'] === true;
}
