// What becomes of claimed and failed materializations: tables of (seen, decided).
import { describe, expect, it } from '@jest/globals';
import {
  decideAfterClaim,
  decideAfterFailure,
  decideAfterMove,
  NO_RETRY,
  retryDelay,
} from '../../../lib/runs/attempt.machine.js';
import { RESCUE_CAP } from '../../../lib/ledger/transitions.js';
import type { ErrorRecord } from '../../../lib/ledger/records.js';

const error: ErrorRecord = { code: 'FLOWSTONE_EXECUTE_FAILED', family: 'user-code', message: 'no', retryable: true };
const outage: ErrorRecord = { code: 'FLOWSTONE_IO_FAILED', family: 'infrastructure', message: 'no', retryable: true };
const rule = { attempts: 3, delay: 100, factor: 2, max: 300, jitter: 0 };

describe('after a claim', () => {
  const plain = { forced: false, joined: null };

  it('executes what differs, and what is forced though nothing differs', () => {
    expect(decideAfterClaim({ claim: plain, differs: true, missing: undefined })).toEqual({ kind: 'execute' });
    expect(decideAfterClaim({ claim: { ...plain, forced: true }, differs: false, missing: undefined })).toEqual({
      kind: 'execute',
    });
  });

  it('skips what is fresh', () => {
    expect(decideAfterClaim({ claim: plain, differs: false, missing: undefined })).toEqual({
      kind: 'skip',
      reason: 'fresh',
      joined: null,
    });
  });

  it('fails what lacks a required input', () => {
    expect(decideAfterClaim({ claim: plain, differs: true, missing: error })).toEqual({ kind: 'fail', error });
  });

  it('takes the success of the holder it waited for, naming it', () => {
    const joined = { id: 7, status: 'success', error: null } as const;
    expect(decideAfterClaim({ claim: { forced: false, joined }, differs: false, missing: undefined })).toEqual({
      kind: 'skip',
      reason: 'joined',
      joined: 7,
    });
    expect(decideAfterClaim({ claim: { forced: false, joined }, differs: true, missing: undefined })).toEqual({
      kind: 'execute',
    });
  });

  it('fails with the holder that failed for good, unless it is forced', () => {
    const joined = { id: 7, status: 'failed', error } as const;
    expect(decideAfterClaim({ claim: { forced: false, joined }, differs: true, missing: undefined })).toMatchObject({
      kind: 'fail',
      error: { code: error.code, context: { joinedFailure: 7 } },
    });
    expect(decideAfterClaim({ claim: { forced: true, joined }, differs: true, missing: undefined })).toEqual({
      kind: 'execute',
    });
  });

  it('runs itself when the holder was cancelled', () => {
    const joined = { id: 7, status: 'cancelled', error: null } as const;
    expect(decideAfterClaim({ claim: { forced: false, joined }, differs: true, missing: undefined })).toEqual({
      kind: 'execute',
    });
  });
});

describe('after a failure', () => {
  it('retries while the policy has attempts left, later each time, up to the maximum', () => {
    const at = (attempt: number) =>
      decideAfterFailure({ error, attempt, rescues: 0, rule: { ...rule, attempts: 5 }, random: 0.5 });
    expect([1, 2, 3, 4, 5].map(at)).toEqual([
      { kind: 'retry', delay: 100, infrastructure: false },
      { kind: 'retry', delay: 200, infrastructure: false },
      { kind: 'retry', delay: 300, infrastructure: false },
      { kind: 'retry', delay: 300, infrastructure: false },
      { kind: 'failed' },
    ]);
  });

  it('fails at once without a policy, and with an error that is final', () => {
    expect(decideAfterFailure({ error, attempt: 1, rescues: 0, rule: NO_RETRY, random: 0 })).toEqual({
      kind: 'failed',
    });
    const final = { ...error, retryable: false };
    expect(decideAfterFailure({ error: final, attempt: 1, rescues: 0, rule, random: 0 })).toEqual({ kind: 'failed' });
  });

  it('forgives infrastructure without using attempts, up to the cap', () => {
    const at = (rescues: number) =>
      decideAfterFailure({ error: outage, attempt: 1, rescues, rule: NO_RETRY, random: 0.5 });
    expect(at(0)).toEqual({ kind: 'retry', delay: 1000, infrastructure: true });
    expect(at(RESCUE_CAP)).toEqual({ kind: 'failed' });
  });

  it('spreads the delay by the jitter', () => {
    expect(retryDelay({ ...rule, jitter: 0.5 }, 1, 0)).toBe(50);
    expect(retryDelay({ ...rule, jitter: 0.5 }, 1, 0.999_999)).toBe(150);
  });
});

describe('after an input has moved on', () => {
  it('begins anew, at once at first, then later and later, and gives up', () => {
    expect([0, 1, 2, 3, 4].map(decideAfterMove)).toEqual(
      [null, null, 200, 2000, 20_000].map((delay) => ({ kind: 'repinned', delay })),
    );
    expect(decideAfterMove(5)).toEqual({ kind: 'failed' });
  });
});
