// Why a materialization does not run yet, in words: read from what is recorded, never stored.
import type { PlaceFacts, WaitFacts } from '../ledger/ledger.port.js';
import type { HeldAsset } from '../ledger/process.records.js';

/**
 * What a materialization waits for:
 * - `approval`: a decision by people.
 * - `upstream`: materializations of its run that are not done.
 * - `holder`: another one has the same asset and partition in hand; it looks again when that has ended.
 * - `retry`: the time of its next attempt.
 * - `worker`: no live process with workers declares its asset.
 * - `resource`: in every such process something that its asset requires is not healthy.
 * - `paused`: a person paused the queue of its pool.
 * - `run_concurrency`: its run has as many running as its `maxConcurrency`.
 * - `pool_concurrency`, `pool_rate`: its pool is full, or has begun as many as its rate allows.
 * - `key_concurrency`, `key_rate`: likewise the key that it has in its pool (`perKey`).
 * - `definition`: a newer definition is current than that of the worker that was asked.
 * - `turn`: nothing of that; a worker that is free, and what is more urgent.
 */
export type WaitKind =
  | 'approval'
  | 'upstream'
  | 'holder'
  | 'retry'
  | 'worker'
  | 'resource'
  | 'paused'
  | 'run_concurrency'
  | 'pool_concurrency'
  | 'pool_rate'
  | 'key_concurrency'
  | 'key_rate'
  | 'definition'
  | 'turn';

/** What a materialization waits for now. The first reason that holds: when it has gone, another may show. */
export interface Wait {
  readonly kind: WaitKind;
  readonly message: string;
  /** The pool it runs in. */
  readonly pool: string;
  /** `upstream`: the first of them; `holder`: that one. */
  readonly materialization?: number;
  /** `resource`: its name. */
  readonly resource?: string;
  /** The key that it has in its pool (`key_concurrency`, `key_rate`). */
  readonly key?: string;
  /** When it may go on, where that is known (`retry`, `pool_rate`, `key_rate`; `holder` that is to be tried again). */
  readonly until?: Date;
}

/** What a process knows that is asked. */
export interface AskedProcess {
  /** Whether a worker declares the asset. */
  readonly live: boolean;
  /** Why no worker can begin the asset. */
  readonly held: HeldAsset | undefined;
  /** Whether the process is a worker that declares it in another definition than the current one. */
  readonly superseded: boolean;
  /** Whether its pool is paused. */
  readonly paused: boolean;
}

/** Undefined: it does not wait. */
export function waitReason(facts: WaitFacts, { live, held, superseded, paused }: AskedProcess): Wait | undefined {
  const { status, pool, key, run, holder, upstreams, retryAt, now } = facts;
  const wait = (kind: WaitKind, message: string, more: Partial<Wait> = {}): Wait => ({
    kind,
    message,
    pool: pool.name,
    ...more,
  });
  if (status === 'waiting_approval') return wait('approval', `a decision: see the approvals of run ${run.id}`);
  if (status !== 'pending') return undefined;
  if (holder) {
    const of = holder.run === null ? '' : ` of run ${holder.run}`;
    const again = holder.retryAt ? ` and is tried again at ${holder.retryAt.toISOString()}` : '';
    return wait('holder', `materialization ${holder.id}${of}, which has the same partition in hand${again}`, {
      materialization: holder.id,
      ...(holder.retryAt && { until: holder.retryAt }),
    });
  }
  if (upstreams.open > 0) {
    const others = upstreams.open === 1 ? '' : ` and ${upstreams.open - 1} more`;
    return wait('upstream', `upstream materialization ${upstreams.first}${others}`, {
      materialization: upstreams.first!,
    });
  }
  if (retryAt) return wait('retry', `its next attempt at ${retryAt.toISOString()}`, { until: retryAt });
  if (!live) return wait('worker', `a worker: no worker declares ${facts.asset}`);
  if (held) return wait('resource', heldInWords(held), { resource: held.resource });
  if (paused) return wait('paused', `pool ${pool.name}, which is paused`);
  if (run.concurrency !== null && run.running >= run.concurrency) {
    return wait('run_concurrency', `run ${run.id} (${run.running} of ${run.concurrency} running)`);
  }
  const full = placeWait('pool', `pool ${pool.name}`, pool, now);
  if (full) return wait(full.kind, full.message, full);
  const keyFull = key && placeWait('key', `key ${JSON.stringify(key.name)} of pool ${pool.name}`, key, now);
  if (keyFull) return wait(keyFull.kind, keyFull.message, { ...keyFull, key: key.name });
  if (superseded) {
    const message = `another worker than this one: a newer definition is current of ${facts.asset}`;
    return wait('definition', message);
  }
  return wait('turn', 'its turn');
}

function heldInWords({ asset, resource, state, message, since }: HeldAsset): string {
  const where = `on no worker that declares ${asset}`;
  if (state === 'setting_up') return `resource ${resource}, which is being set up and ready ${where} yet`;
  return `resource ${resource}, which is healthy ${where} since ${since.toISOString()}: ${message}`;
}

/** What it waits for there; undefined: nothing. */
function placeWait(what: 'pool' | 'key', name: string, place: PlaceFacts, now: Date): Omit<Wait, 'pool'> | undefined {
  const { concurrency, running, tokenDue } = place;
  if (concurrency !== null && running >= concurrency) {
    return { kind: `${what}_concurrency`, message: `${name} (${running} of ${concurrency} in use)` };
  }
  if (tokenDue === null) return undefined;
  const seconds = Number((tokenDue / 1000).toPrecision(2));
  const until = new Date(now.getTime() + tokenDue);
  return { kind: `${what}_rate`, message: `the rate of ${name}, next in ${seconds} s`, until };
}
