// One attempt at one materialization: load, execute, store, and say how it ended. It never touches the record itself.
import type { AssetDefinition } from '../assets/asset.definition.js';
import {
  contextPartition,
  runInContext,
  type AssetContext,
  type ContextLogger,
  type ContextReport,
} from '../assets/asset.context.js';
import type { StoredValue } from '../io/io-manager.port.js';
import type { Claim, Ledger, Outcome } from '../ledger/ledger.port.js';
import type { JsonObject, ValueRecord } from '../ledger/records.js';
import { Aborted, type Abort } from './abort.js';
import { decideAfterFailure, NO_RETRY } from './attempt.machine.js';
import type { Execution } from './coordinator.js';
import { crashPoint } from './crash-points.js';
import { errorRecord, placeName, wrapUserError, type Failure, type FailurePlace } from './failure.js';
import type { Pulse } from './heartbeat/pulse.js';
import { loadInputs, type PinLoader, type PinnedDependency } from './input.loader.js';
import { timeoutError } from './timed-out.js';

/** Milliseconds; more fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** What an asset's class is to the worker. */
export interface Executable {
  execute(context: AssetContext, inputs: Readonly<Record<string, unknown>>): unknown;
}

/** What all attempts of a process share. */
export interface AttemptHost {
  readonly namespace: string;
  readonly cancelGrace: number;
  readonly ledger: Pick<Ledger, 'start'>;
  readonly pulse: Pick<Pulse, 'begin'>;
  readonly loader: PinLoader;
  /** Stores with the manager the asset declares; returns that manager's name too. */
  store(
    definition: AssetDefinition,
    claim: Claim,
    value: unknown,
    signal: AbortSignal,
  ): Promise<StoredValue & { io: string }>;
  resourcesOf(definition: AssetDefinition): Readonly<Record<string, unknown>>;
  loggerOf(name: string): ContextLogger;
  progress(claim: Claim, done: number, total: number | undefined): void;
  failed(failure: Failure): void;
  random(): number;
}

/** A claim with what the look-again found it consumes. */
export interface Prepared {
  readonly claim: Claim;
  readonly definition: AssetDefinition;
  readonly executable: Executable;
  readonly dependencies: readonly PinnedDependency[];
  readonly inputs: string;
  readonly upstreams: string;
  readonly window: { readonly start: Date; readonly end: Date } | undefined;
  readonly dimensions: Readonly<Record<string, string>> | undefined;
}

export class Attempt implements Execution {
  readonly #place: FailurePlace;
  #report: { dataVersion?: string; metadata: Record<string, unknown>; columns: Record<string, unknown> } = {
    metadata: {},
    columns: {},
  };
  #startedAt: Date | null = null;
  #timer: NodeJS.Timeout | undefined;
  /** How long code that was told to stop is waited for, ms: while inputs are loaded, not at all. */
  #grace = 0;

  constructor(
    private readonly host: AttemptHost,
    private readonly prepared: Prepared,
  ) {
    const { run, asset, partition, attempt } = prepared.claim;
    this.#place = { run, asset, partition: prepared.definition.scheme ? partition : undefined, attempt };
  }

  get claim(): Claim {
    return this.prepared.claim;
  }

  async run(abort: Abort): Promise<Outcome> {
    const over = this.host.pulse.begin(this.claim.id);
    try {
      abort.throwIfAborted();
      return await abort.over(this.#work(abort), () => this.#grace);
    } catch (error) {
      return this.#afterFailure(error, abort);
    } finally {
      clearTimeout(this.#timer);
      over();
    }
  }

  async #work(abort: Abort): Promise<Outcome> {
    const inputs = await loadInputs(this.prepared.dependencies, this.host.loader, abort);
    await this.#start(abort);
    abort.throwIfAborted();
    this.#grace = this.host.cancelGrace;
    return this.#execute(inputs, abort);
  }

  async #start(abort: Abort): Promise<void> {
    const limit = this.prepared.definition.timeout;
    if (limit !== undefined) {
      const { id, epoch } = this.claim;
      const held = await this.host.ledger.start([{ id, epoch, timeout: limit }]);
      if (!held.has(id)) throw new Aborted('lost');
    }
    this.#startedAt = new Date();
    // A timer of Node cannot wait longer; the ledger's own timer aborts what takes weeks.
    if (limit === undefined || limit > LONGEST_TIMER || abort.reason) return;
    this.#timer = setTimeout(() => abort.abort('timeout'), limit);
  }

  async #execute(inputs: Readonly<Record<string, unknown>>, abort: Abort): Promise<Outcome> {
    const { claim, definition, executable, dependencies, inputs: fingerprint, upstreams } = this.prepared;
    const context = this.#context(abort);
    crashPoint('before-execute');
    // Rows are produced while they are stored, so that both happen inside the context and under the signal.
    const stored = await runInContext(context, async () => {
      const value = await executable.execute(context, inputs);
      crashPoint('after-execute');
      abort.throwIfAborted();
      return value === undefined ? undefined : this.host.store(definition, claim, value, abort.signal);
    });
    // No timer fires while code blocks the event loop, but the ledger has counted on.
    if (Date.now() - this.#startedAt!.getTime() > (definition.timeout ?? Infinity)) throw new Aborted('timeout');
    crashPoint('after-value');
    const value: ValueRecord | null = stored
      ? { io: stored.io, location: stored.location, size: stored.size, rows: stored.rows, hash: stored.hash }
      : null;
    return {
      kind: 'success',
      id: claim.id,
      epoch: claim.epoch,
      value,
      dataVersion: this.#report.dataVersion ?? stored?.hash ?? String(claim.id),
      codeVersion: definition.codeVersion ?? null,
      inputs: fingerprint,
      upstreams,
      consumed: consumedBy(dependencies),
      metadata: this.#metadata(),
      startedAt: this.#startedAt!,
    };
  }

  #context(abort: Abort): AssetContext {
    const { claim, definition, window, dimensions } = this.prepared;
    const { host } = this;
    const report = this.#report;
    let logger: ContextLogger | undefined;
    const name = `${placeName(this.#place)} run ${claim.run}`;
    return {
      run: claim.run,
      asset: claim.asset,
      partition: contextPartition(claim.partition, window, dimensions),
      attempt: claim.attempt,
      epoch: claim.epoch,
      resources: host.resourcesOf(definition),
      get logger() {
        return (logger ??= host.loggerOf(name));
      },
      get signal() {
        return abort.signal;
      },
      idempotencyKey: `${host.namespace}:${claim.id}`,
      previousVersion: claim.head.dataVersion ?? undefined,
      report({ dataVersion, metadata, columns }: ContextReport) {
        if (dataVersion !== undefined) report.dataVersion = dataVersion;
        Object.assign(report.metadata, metadata);
        Object.assign(report.columns, columns);
      },
      progress: (done, total) => host.progress(claim, done, total),
    };
  }

  #metadata(): JsonObject | null {
    const { metadata, columns } = this.#report;
    const all = { ...metadata, ...(Object.keys(columns).length > 0 && { columns }) };
    return Object.keys(all).length === 0 ? null : (JSON.parse(JSON.stringify(all)) as JsonObject);
  }

  #afterFailure(thrown: unknown, abort: Abort): Outcome {
    const { id, epoch, attempt, rescues } = this.claim;
    const kind = abort.reason?.kind ?? (thrown instanceof Aborted ? thrown.kind : undefined);
    if (kind === 'cancelled') return { kind: 'cancelled', id, epoch };
    if (kind === 'shutdown' || kind === 'lost') return { kind: 'handed_back', id, epoch };
    const error =
      kind === 'timeout'
        ? timeoutError(this.#place, this.prepared.definition.timeout)
        : wrapUserError(thrown, this.#place);
    const record = errorRecord(error);
    const rule = this.prepared.definition.retry ?? NO_RETRY;
    const decision = decideAfterFailure({ error: record, attempt, rescues, rule, random: this.host.random() });
    this.host.failed({ ...this.#place, error, retrying: decision.kind === 'retry' });
    if (decision.kind === 'retry') return { ...decision, id, epoch, error: record };
    return { kind: 'failed', id, epoch, error: record, startedAt: this.#startedAt };
  }
}

function consumedBy(dependencies: readonly PinnedDependency[]): number[] {
  const ids = dependencies
    .filter(({ dependency }) => !dependency.ordering)
    .flatMap(({ pins }) => pins.map(({ head }) => head?.materialization));
  return [...new Set(ids.filter((id) => id != null))];
}
