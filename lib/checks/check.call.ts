// One call of a check: what it found, whatever it does.
import { isRecord } from '../assets/expectations.js';
import type { CheckStatus, NewCheckResult } from '../ledger/check.records.js';
import type { JsonObject } from '../ledger/json.js';
import { messageOf } from '../runs/failure.js';
import type { CheckContext } from './check.options.js';
import type { OwnCheck } from './declared.checks.js';

/** What a check found, and what it threw if it did. */
export interface Finding extends Pick<NewCheckResult, 'status' | 'message' | 'metadata' | 'duration'> {
  readonly thrown?: unknown;
}

/** Calls it with a value that is loaded as part of it. Never rejects; what the signal says comes as `errored`. */
export async function callCheck(check: OwnCheck, context: CheckContext, value: () => unknown): Promise<Finding> {
  const limit = new AbortController();
  const signal = AbortSignal.any([context.signal, limit.signal]);
  const timer = setTimeout(
    () => limit.abort(new DOMException(`it has taken longer than ${check.timeout / 1000} s`, 'TimeoutError')),
    check.timeout,
  ).unref();
  const start = performance.now();
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  aborted.catch(() => undefined);
  const calling = (async () => check.call({ ...context, signal }, await value()))();
  // It may go on when nobody waits for it any more.
  calling.catch(() => undefined);
  const found = (finding: Omit<Finding, 'duration'>): Finding => ({ ...finding, duration: performance.now() - start });
  try {
    return found(readAnswer(await Promise.race([calling, aborted])));
  } catch (thrown) {
    return found({ status: 'errored', message: messageOf(thrown), metadata: null, thrown });
  } finally {
    clearTimeout(timer);
  }
}

function readAnswer(answer: unknown): Omit<Finding, 'duration'> {
  const status = (passed: boolean): CheckStatus => (passed ? 'passed' : 'failed');
  if (typeof answer === 'boolean') return { status: status(answer), message: null, metadata: null };
  const { passed, message, metadata } = isRecord(answer) ? answer : {};
  if (typeof passed !== 'boolean')
    throw new TypeError('It has to answer true or false, or { passed, message, metadata }.');
  return {
    status: status(passed),
    message: typeof message === 'string' ? message : null,
    metadata: metadata === undefined ? null : (JSON.parse(JSON.stringify(metadata)) as JsonObject),
  };
}
