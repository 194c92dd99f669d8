// What the conformance suites of ledgers share: a world with a ledger in it, and short words for what happens there.
import type { Ledger } from '../../lib/ledger/ledger.port.js';
import type { AssetRegistration } from '../../lib/ledger/registrations.js';
import type { Claim, Claimant, ClaimRequest, Outcome, PlanRows, Settled } from '../../lib/ledger/work.js';
import type { ErrorRecord, JsonObject, NewRun, RunRecord } from '../../lib/ledger/records.js';

/** A fresh, open ledger and the one thing a test cannot wait for. */
export interface LedgerUnderTest {
  readonly ledger: Ledger;
  /** Lets time pass for leases, deadlines and timers. */
  pass(milliseconds: number): Promise<void>;
  /** Puts a notice into the outbox, as whatever it tells of does. */
  post(topic: string, payload: JsonObject): Promise<void>;
  close(): Promise<void>;
}

export type MakeLedger = () => Promise<LedgerUnderTest>;

export interface Entry {
  readonly asset: string;
  readonly partition?: string;
  readonly upstreams?: readonly number[];
  readonly forced?: boolean;
  readonly priority?: number;
  readonly blocked?: ErrorRecord;
}

export const LEASE = 15_000;

export const error = (message: string): ErrorRecord => ({
  code: 'FLOWSTONE_EXECUTE_FAILED',
  family: 'user-code',
  message,
  retryable: false,
});

export function planOf(entries: readonly Entry[]): PlanRows {
  const starts = new Int32Array(entries.length + 1);
  entries.forEach(({ upstreams = [] }, index) => (starts[index + 1] = starts[index]! + upstreams.length));
  return {
    size: entries.length,
    assetAt: (index) => entries[index]!.asset,
    partitionAt: (index) => entries[index]!.partition ?? '',
    forcedAt: (index) => entries[index]!.forced ?? false,
    priorityAt: (index) => entries[index]!.priority ?? 0,
    hasBlocked: entries.some(({ blocked }) => blocked !== undefined),
    isBlockedAt: (index) => entries[index]!.blocked !== undefined,
    blockedAt: (index) => entries[index]!.blocked,
    edges: { starts, upstreams: Int32Array.from(entries.flatMap(({ upstreams = [] }) => upstreams)) },
  };
}

export function runOf(fields: Partial<NewRun> = {}): NewRun {
  return {
    request: { targets: [], upstream: 'stale', downstream: false, force: false, forceMaxAge: null },
    runKey: null,
    retryOf: null,
    priority: 0,
    tags: {},
    requestedBy: null,
    maxConcurrency: null,
    failFast: false,
    ...fields,
  };
}

/** What a process that declares these assets asks to plan. */
export function by(process: string, assets: readonly string[] = ['a', 'b', 'c', 'd', 'p']): Claimant {
  return { process, assets };
}

/** The assets of a world, as its processes declare them. */
export function registrations(): AssetRegistration[] {
  return ['a', 'b', 'c', 'd', 'p'].map((key) => ({
    key,
    formerly: [],
    hash: `hash of ${key}`,
    partitioned: key === 'p',
    pool: 'default',
    upstreams: '',
    definition: { key },
  }));
}

/** A ledger with the assets a, b, c, d (unpartitioned) and p (partitioned), declared by the processes one and two. */
export class World {
  constructor(
    readonly ledger: Ledger,
    readonly pass: (milliseconds: number) => Promise<void>,
  ) {}

  async register(...processes: string[]): Promise<void> {
    for (const id of processes) {
      await this.ledger.register({ id, host: 'here', pid: 1, worker: true, lease: LEASE }, registrations());
    }
  }

  /** So much time passes that the lease of every process but this one expires. */
  async outlive(process: string): Promise<void> {
    // Far from the end of its own lease, since on a busy machine real time passes as well.
    await this.ledger.renew(process);
    await this.pass(0.6 * LEASE);
    await this.ledger.renew(process);
    await this.pass(0.6 * LEASE);
  }

  async run(entries: readonly Entry[], fields: Partial<NewRun> = {}): Promise<RunRecord> {
    return (await this.ledger.insertRun(runOf(fields), { plan: planOf(entries) })).run;
  }

  claim(process = 'one', request: Partial<ClaimRequest> = {}): Promise<readonly Claim[]> {
    return this.ledger.claim({ process, assets: ['a', 'b', 'c', 'd', 'p'], limit: 100, ...request });
  }

  async claimOne(process = 'one'): Promise<Claim> {
    const [claim, ...more] = await this.claim(process);
    if (!claim || more.length > 0) throw new Error(`expected one claim, got ${claim ? more.length + 1 : 0}`);
    return claim;
  }

  settle(...outcomes: Outcome[]): Promise<Settled> {
    return this.ledger.settle(outcomes);
  }

  succeed(claim: Claim, fields: Partial<Extract<Outcome, { kind: 'success' }>> = {}): Promise<Settled> {
    return this.settle(success(claim, fields));
  }

  fail(claim: Claim, message = 'it broke'): Promise<Settled> {
    return this.settle({
      kind: 'failed',
      id: claim.id,
      epoch: claim.epoch,
      error: error(message),
      startedAt: new Date(),
    });
  }

  retry(claim: Claim, delay: number, infrastructure = false): Promise<Settled> {
    return this.settle({ ...attempt(claim), kind: 'retry', error: error('again'), delay, infrastructure });
  }

  /** `asset[partition]: status` of every row of a run, in plan order. */
  async statuses(run: number): Promise<string[]> {
    const { items } = await this.ledger.materializations({ run }, { limit: 1000 });
    return items
      .toReversed()
      .map(({ asset, partition, status }) => `${asset}${partition && `[${partition}]`}: ${status}`);
  }

  async runStatus(run: number): Promise<string> {
    return (await this.ledger.run(run))!.status;
  }

  async headOf(asset: string, partition = ''): Promise<Claim['head'] | undefined> {
    const [heads] = await this.ledger.heads([{ asset, partitions: [partition] }]);
    return heads!.get(partition);
  }

  async eventKinds(run: number): Promise<string[]> {
    const { items } = await this.ledger.events({ run }, { limit: 1000 });
    return items.toReversed().map(({ kind }) => kind);
  }
}

export function attempt({ id, epoch }: Claim): { id: number; epoch: number } {
  return { id, epoch };
}

export function success(
  claim: Claim,
  fields: Partial<Extract<Outcome, { kind: 'success' }>> = {},
): Extract<Outcome, { kind: 'success' }> {
  return {
    kind: 'success',
    ...attempt(claim),
    value: { io: 'memory', location: { at: claim.id }, size: 3, rows: 1, hash: 'h' },
    dataVersion: `v${claim.id}`,
    codeVersion: '1',
    inputs: 'inputs',
    upstreams: '',
    consumed: [],
    metadata: null,
    startedAt: new Date(),
    ...fields,
  };
}
