// What one attempt tells the ledger: what its code reported, and the outcome that follows from its value or its failure.
import { EventEmitter } from 'node:events';
import type { ContextPartition, ContextReport } from '../assets/asset.context.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { PartitionSlice } from '../io/io-manager.port.js';
import type { Outcome } from '../ledger/work.js';
import type { JsonObject, ValueRecord } from '../ledger/records.js';
import { combinationOf } from '../planning/combination.js';
import { Aborted, type Abort, type AbortKind } from './abort.js';
import type { AttemptHost, Prepared, Stored, Unwritten } from './attempt.host.js';
import { decideAfterFailure, decideAfterMove, MOST_REPINS, NO_RETRY } from './attempt.machine.js';
import type { AttemptLog } from './attempt.log.js';
import { crashPoint } from './crash-points.js';
import type { Finished } from './execution.port.js';
import { guarded, type GuardedValue, type ValueGuard } from './value.guard.js';
import { errorRecord, placeName, wrapUserError, type FailurePlace } from './failure.js';
import type { PinnedDependency } from './input.loader.js';
import { timeoutError } from './timed-out.js';

const NOTHING: readonly number[] = [];
/** Columns of a value that are recorded. */
const MOST_COLUMNS = 200;

export class AttemptResult {
  /** When user code began; null: it has not. */
  #startedAt: Date | null = null;
  /** The same by a clock that only goes forward, ms. */
  #began = 0;
  /** What it will say is known: its code has nothing to say any more. */
  isOver = false;
  #dataVersion: string | undefined;
  #metadata: Record<string, unknown> | undefined;
  #columns: Record<string, unknown> | undefined;
  #log: AttemptLog | undefined;

  constructor(
    private readonly host: Pick<AttemptHost, 'store' | 'random' | 'logOf'>,
    private readonly prepared: Prepared,
  ) {}

  get place(): FailurePlace {
    const { claim, definition } = this.prepared;
    const { run, asset, partition, attempt } = claim;
    return { run, asset, partition: definition.scheme ? partition : undefined, attempt };
  }

  /** User code begins. */
  begin(): void {
    this.#startedAt = new Date();
    this.#began = performance.now();
  }

  /** Where its code logs. */
  get log(): AttemptLog {
    return (this.#log ??= this.host.logOf(this.prepared.claim));
  }

  /** Resolves once what was logged is kept; undefined: nothing was. */
  logged(): Promise<void> | undefined {
    return this.#log?.flush();
  }

  /** Later reports add to earlier ones. Throws for what is not JSON here, where code can be told, and not once all is stored. */
  report({ dataVersion, metadata, columns }: ContextReport): void {
    if (metadata ?? columns) JSON.stringify([metadata, columns]);
    if (dataVersion !== undefined) this.#dataVersion = dataVersion;
    if (metadata) Object.assign((this.#metadata ??= {}), metadata);
    if (columns) Object.assign((this.#columns ??= {}), columns);
  }

  /** What user code computed, once it may be committed: what its guard says otherwise, this rejects with. */
  guard(guard: ValueGuard, value: unknown, partition: ContextPartition, abort: Abort): Promise<GuardedValue> {
    const { claim } = this.prepared;
    const guarding = guarded(guard, value, { claim, partition, signal: abort.signal });
    if (value instanceof EventEmitter) heed(value, guarding);
    return guarding;
  }

  /** Stores what user code computed. */
  store(value: unknown, abort: Abort): Promise<Stored | Unwritten> {
    const { claim, definition } = this.prepared;
    const storing = this.host.store(definition, claim, () => this.#slice(), value, abort.signal);
    if (value instanceof EventEmitter) heed(value, storing);
    return storing;
  }

  /** What is told of it once its value is stored; undefined: there was nothing to store. */
  success(stored: Stored | undefined): Outcome {
    const { claim, definition, dependencies, inputs, upstreams } = this.prepared;
    // No timer fires while code blocks the event loop, but the ledger has counted on.
    if (definition.timeout !== undefined && performance.now() - this.#began > definition.timeout) {
      throw new Aborted('timeout');
    }
    this.isOver = true;
    crashPoint('after-value');
    return {
      kind: 'success',
      id: claim.id,
      epoch: claim.epoch,
      value: stored ? valueRecord(stored) : null,
      format: stored?.format,
      schema: stored?.schema?.slice(0, MOST_COLUMNS),
      document: stored?.document,
      dataVersion: this.#dataVersion ?? stored?.hash ?? String(claim.id),
      codeVersion: definition.codeVersion ?? null,
      inputs,
      upstreams,
      consumed: dependencies.length === 0 ? NOTHING : consumedBy(dependencies),
      metadata: this.#told(),
      startedAt: this.#startedAt!,
    };
  }

  /** What becomes of it after `thrown`, or after the abort that came before. */
  failure(thrown: unknown, abort: Abort): Pick<Finished, 'outcome' | 'failure'> {
    this.isOver = true;
    const { id, epoch, attempt, rescues, repins } = this.prepared.claim;
    const kind = abort.reason?.kind ?? (thrown instanceof Aborted ? thrown.kind : undefined);
    if (kind === 'cancelled') return { outcome: { kind: 'cancelled', id, epoch } };
    if (kind === 'shutdown' || kind === 'lost') return { outcome: { kind: 'handed_back', id, epoch } };
    const moved = kind === 'moved' ? decideAfterMove(repins) : undefined;
    if (moved?.kind === 'repinned') return { outcome: { ...moved, id, epoch } };
    const { timeout, retry: rule = NO_RETRY } = this.prepared.definition;
    const error = this.#errorOf(kind, thrown, timeout);
    const record = errorRecord(error);
    const decision = decideAfterFailure({ error: record, attempt, rescues, rule, random: this.host.random() });
    const failure = { ...this.place, error, retrying: decision.kind === 'retry' };
    if (decision.kind === 'retry') return { failure, outcome: { ...decision, id, epoch, error: record } };
    const { definition, inputs } = this.prepared;
    const combination = combinationOf(definition, inputs);
    return { failure, outcome: { kind: 'failed', id, epoch, error: record, startedAt: this.#startedAt, combination } };
  }

  #errorOf(kind: AbortKind | undefined, thrown: unknown, timeout: number | undefined): FlowStoneError {
    if (kind === 'timeout') return timeoutError(this.place, timeout);
    return kind === 'moved' ? keepsChanging(this.place) : wrapUserError(thrown, this.place);
  }

  /** One that was retired meanwhile has only its key. */
  #slice(): PartitionSlice {
    const { partitions, ordinal, definition } = this.prepared;
    const { scheme } = definition;
    if (ordinal < 0) return { scheme };
    return { scheme, window: partitions.windowAt(ordinal), dimensions: partitions.dimensionsAt(ordinal) };
  }

  #told(): JsonObject | null {
    const columns = this.#columns && Object.keys(this.#columns).length > 0 ? this.#columns : undefined;
    if (!this.#metadata && !columns) return null;
    const all = { ...this.#metadata, ...(columns && { columns }) };
    return Object.keys(all).length === 0 ? null : (JSON.parse(JSON.stringify(all)) as JsonObject);
  }
}

/**
 * A stream of Node tells its failure by an event as well, which ends the process while nobody listens: before its rows are
 * asked for. And one of which they never are would keep its file or connection open.
 */
function heed(stream: EventEmitter & { destroy?(): unknown }, storing: Promise<unknown>): void {
  stream.on('error', () => undefined);
  storing.catch(() => stream.destroy?.());
}

/** Frees what was kept of a value that was looked at, once nobody stores it any more. Never rejects. */
export async function releaseGuarded(
  guarding: Promise<GuardedValue>,
  storing: Promise<unknown> | undefined,
): Promise<void> {
  const [looked] = await Promise.allSettled([guarding, storing]);
  if (looked.status === 'fulfilled') await looked.value.release?.();
}

/** The same of what code gives, or still may, when nobody stores it any more. Never rejects. */
export async function closeUnwanted(computing: unknown): Promise<void> {
  const [computed] = await Promise.allSettled([computing]);
  if (computed.status !== 'fulfilled' || !(computed.value instanceof EventEmitter)) return;
  heed(computed.value, Promise.reject(new Error('Nobody stores it.')));
}

function valueRecord({ io, location, size, rows, hash }: Stored): ValueRecord {
  return { io, location, size, rows, hash };
}

/**
 * Once nobody writes it any more: what was stored to be written with its record has come to its end, whatever became of it.
 * Never rejects.
 */
export async function releaseStored(
  storing: Promise<Stored | Unwritten>,
  committing: Promise<void> | undefined,
): Promise<void> {
  const [stored] = await Promise.allSettled([storing, committing]);
  if (stored.status === 'fulfilled' && 'release' in stored.value) await stored.value.release();
}

function keepsChanging(place: FailurePlace): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_INPUT_KEEPS_CHANGING',
    `${placeName(place)} could not be computed: an input was replaced while it was read, ${MOST_REPINS + 1} times. Its I/O manager keeps only the newest version: materialize the input less often, or keep its versions (document mode, files, objects). If nothing replaces it any more, its table in another database is ahead of its record: materialize it with force: true.`,
    { context: { ...place } },
  );
}

function consumedBy(dependencies: readonly PinnedDependency[]): number[] {
  const consumed = new Set<number>();
  for (const { pins } of dependencies) {
    for (const { head } of pins) if (head?.materialization != null) consumed.add(head.materialization);
  }
  return [...consumed];
}
