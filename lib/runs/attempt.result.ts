// What one attempt tells the ledger: what its code reported, and the outcome that follows from its value or its failure.
import type { ContextReport } from '../assets/asset.context.js';
import type { Outcome } from '../ledger/ledger.port.js';
import type { JsonObject, ValueRecord } from '../ledger/records.js';
import { Aborted, type Abort } from './abort.js';
import type { AttemptHost, Prepared } from './attempt.host.js';
import { decideAfterFailure, NO_RETRY } from './attempt.machine.js';
import { crashPoint } from './crash-points.js';
import { errorRecord, wrapUserError, type FailurePlace } from './failure.js';
import type { PinnedDependency } from './input.loader.js';
import { timeoutError } from './timed-out.js';

export class AttemptResult {
  readonly place: FailurePlace;
  /** When user code began; null: it has not. */
  startedAt: Date | null = null;
  #dataVersion: string | undefined;
  readonly #metadata: Record<string, unknown> = {};
  readonly #columns: Record<string, unknown> = {};

  constructor(
    private readonly host: Pick<AttemptHost, 'store' | 'failed' | 'random'>,
    private readonly prepared: Prepared,
  ) {
    const { run, asset, partition, attempt } = prepared.claim;
    this.place = { run, asset, partition: prepared.definition.scheme ? partition : undefined, attempt };
  }

  /** Later reports add to earlier ones. */
  report({ dataVersion, metadata, columns }: ContextReport): void {
    if (dataVersion !== undefined) this.#dataVersion = dataVersion;
    Object.assign(this.#metadata, metadata);
    Object.assign(this.#columns, columns);
  }

  /** Stores what user code computed; `undefined`: there is nothing to store. */
  async success(value: unknown, abort: Abort): Promise<Outcome> {
    const { claim, definition, dependencies, inputs, upstreams } = this.prepared;
    abort.throwIfAborted();
    const stored = value === undefined ? undefined : await this.host.store(definition, claim, value, abort.signal);
    // No timer fires while code blocks the event loop, but the ledger has counted on.
    if (Date.now() - this.startedAt!.getTime() > (definition.timeout ?? Infinity)) throw new Aborted('timeout');
    crashPoint('after-value');
    const record: ValueRecord | null = stored
      ? { io: stored.io, location: stored.location, size: stored.size, rows: stored.rows, hash: stored.hash }
      : null;
    return {
      kind: 'success',
      id: claim.id,
      epoch: claim.epoch,
      value: record,
      dataVersion: this.#dataVersion ?? stored?.hash ?? String(claim.id),
      codeVersion: definition.codeVersion ?? null,
      inputs,
      upstreams,
      consumed: consumedBy(dependencies),
      metadata: this.#told(),
      startedAt: this.startedAt!,
    };
  }

  /** What becomes of it after `thrown`, or after the abort that came before. Tells the host of a failure. */
  failure(thrown: unknown, abort: Abort): Outcome {
    const { id, epoch, attempt, rescues } = this.prepared.claim;
    const kind = abort.reason?.kind ?? (thrown instanceof Aborted ? thrown.kind : undefined);
    if (kind === 'cancelled') return { kind: 'cancelled', id, epoch };
    if (kind === 'shutdown' || kind === 'lost') return { kind: 'handed_back', id, epoch };
    const { timeout, retry: rule = NO_RETRY } = this.prepared.definition;
    const error = kind === 'timeout' ? timeoutError(this.place, timeout) : wrapUserError(thrown, this.place);
    const record = errorRecord(error);
    const decision = decideAfterFailure({ error: record, attempt, rescues, rule, random: this.host.random() });
    this.host.failed({ ...this.place, error, retrying: decision.kind === 'retry' });
    if (decision.kind === 'retry') return { ...decision, id, epoch, error: record };
    return { kind: 'failed', id, epoch, error: record, startedAt: this.startedAt };
  }

  #told(): JsonObject | null {
    const columns = this.#columns;
    const all = { ...this.#metadata, ...(Object.keys(columns).length > 0 && { columns }) };
    return Object.keys(all).length === 0 ? null : (JSON.parse(JSON.stringify(all)) as JsonObject);
  }
}

function consumedBy(dependencies: readonly PinnedDependency[]): number[] {
  const ids = dependencies
    .filter(({ dependency }) => !dependency.ordering)
    .flatMap(({ pins }) => pins.map(({ head }) => head?.materialization));
  return [...new Set(ids.filter((id) => id != null))];
}
