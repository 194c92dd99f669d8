// Why a materialization does not run yet, in words: read from what is recorded, never stored.
import type { WaitFacts } from '../ledger/ledger.port.js';

/**
 * What a materialization waits for:
 * - `upstream`: materializations of its run that are not done.
 * - `holder`: another one has the same asset and partition in hand; it looks again when that has ended.
 * - `retry`: the time of its next attempt.
 * - `worker`: no live process with workers declares its asset.
 * - `paused`: a person paused the queue of its pool.
 * - `run_concurrency`: its run has as many running as its `maxConcurrency`.
 * - `pool_concurrency`, `pool_rate`: its pool is full, or has begun as many as its rate allows.
 * - `turn`: nothing of that; a worker that is free, and what is more urgent.
 */
export type WaitKind =
  'upstream' | 'holder' | 'retry' | 'worker' | 'paused' | 'run_concurrency' | 'pool_concurrency' | 'pool_rate' | 'turn';

/** What a materialization waits for now. The first reason that holds: when it has gone, another may show. */
export interface Wait {
  readonly kind: WaitKind;
  readonly message: string;
  /** The pool it runs in. */
  readonly pool: string;
  /** `upstream`: the first of them; `holder`: that one. */
  readonly materialization?: number;
  /** When it may go on, where that is known (`retry`, `pool_rate`). */
  readonly until?: Date;
}

/** Undefined: it does not wait. `live`: whether a worker declares the asset; `paused`: whether its pool is. */
export function waitReason(facts: WaitFacts, live: boolean, paused: boolean): Wait | undefined {
  const { status, pool, run, holder, upstreams, retryAt, now } = facts;
  if (status !== 'pending') return undefined;
  const wait = (kind: WaitKind, message: string, more: Partial<Wait> = {}): Wait => ({
    kind,
    message,
    pool: pool.name,
    ...more,
  });
  if (holder) {
    const of = holder.run === null ? '' : ` of run ${holder.run}`;
    return wait('holder', `materialization ${holder.id}${of}, which has the same partition in hand`, {
      materialization: holder.id,
    });
  }
  if (upstreams.open > 0) {
    const others = upstreams.open === 1 ? '' : ` and ${upstreams.open - 1} more`;
    return wait('upstream', `upstream materialization ${upstreams.first}${others}`, {
      materialization: upstreams.first!,
    });
  }
  if (retryAt) return wait('retry', `its next attempt at ${retryAt.toISOString()}`, { until: retryAt });
  if (!live) return wait('worker', `a worker that declares ${facts.asset}`);
  if (paused) return wait('paused', `pool ${pool.name}, which is paused`);
  if (run.concurrency !== null && run.running >= run.concurrency) {
    return wait('run_concurrency', `run ${run.id} (${run.running} of ${run.concurrency} running)`);
  }
  if (pool.concurrency !== null && pool.running >= pool.concurrency) {
    return wait('pool_concurrency', `pool ${pool.name} (${pool.running} of ${pool.concurrency} in use)`);
  }
  if (pool.tokenDue !== null) {
    const seconds = Number((pool.tokenDue / 1000).toPrecision(2));
    return wait('pool_rate', `the rate of pool ${pool.name}, next in ${seconds} s`, {
      until: new Date(now.getTime() + pool.tokenDue),
    });
  }
  return wait('turn', 'its turn');
}
