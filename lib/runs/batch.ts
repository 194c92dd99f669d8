// Materializations of one asset that one call of executeMany computes. Each ends by itself, as soon as its key was yielded,
// failed or told to stop; what is left when the call ends, fails. It never touches the record itself.
import {
  runInContext,
  type BatchContext,
  type BatchItem,
  type BatchLog,
  type ContextLogger,
} from '../assets/asset.context.js';
import type { Claim, Outcome } from '../ledger/work.js';
import { Abort, abortAfter } from './abort.js';
import { partitionOf } from './attempt.context.js';
import type { AttemptHost, Prepared, Stored, Unwritten } from './attempt.host.js';
import { AttemptResult, releaseGuarded, releaseStored } from './attempt.result.js';
import { batchLog } from './attempt.log.js';
import { BatchKeys } from './batch.keys.js';
import { crashPoint } from './crash-points.js';
import type { Ended, Execution, Finished, ToExecute } from './execution.port.js';
import { messageOf } from './failure.js';
import { loadInputs, type PinLoader } from './input.loader.js';
import type { GuardedValue } from './value.guard.js';

/** Items whose inputs are loaded at once. */
const LOADING = 16;

/** A claim that is to be executed in a batch. */
export class BatchedAttempt implements Execution {
  constructor(
    private readonly host: AttemptHost,
    readonly prepared: Prepared,
  ) {}

  get claim(): Claim {
    return this.prepared.claim;
  }

  get batchSize(): number {
    return this.prepared.definition.batchSize!;
  }

  run(abort: Abort, fellows: readonly ToExecute[], ended: Ended): Promise<void> {
    const batch = new Batch(this.host);
    const enter = (attempt: BatchedAttempt, itsAbort: Abort): Promise<void> =>
      batch.enter(attempt.prepared, itsAbort).then(({ outcome, failure }) => ended(attempt.claim, outcome, failure));
    const own = enter(this, abort);
    return batch.run([own, ...fellows.map((fellow) => enter(fellow.execution as BatchedAttempt, fellow.abort))]);
  }
}

/** One of the materializations, until it has an outcome. */
interface Member {
  readonly prepared: Prepared;
  readonly abort: Abort;
  readonly result: AttemptResult;
  /** Without an outcome: it is committed. */
  succeed(outcome: Outcome | undefined): void;
  fail(thrown: unknown): void;
}

class Batch {
  readonly #host: AttemptHost;
  /** Those without an outcome, by partition. */
  readonly #open = new Map<string, Member>();
  /** Of the call: once all that are open are to stop. */
  readonly #abort = new Abort();
  #stopTimer: (() => void) | undefined;
  /** How long code that was told to stop is waited for, ms: while inputs are loaded, not at all. */
  #grace = 0;

  constructor(host: AttemptHost) {
    // What fails together is tried again together: the same delay for all.
    const random = host.random();
    this.#host = { ...host, random: () => random };
  }

  enter(prepared: Prepared, abort: Abort): Promise<Partial<Pick<Finished, 'outcome' | 'failure'>>> {
    const { partition } = prepared.claim;
    const result = new AttemptResult(this.#host, prepared);
    const older = this.#open.get(partition);
    const work = new Promise<Outcome | undefined>((succeed, fail) => {
      this.#open.set(partition, { prepared, abort, result, succeed, fail });
    });
    const member = this.#open.get(partition)!;
    // Of two attempts at one partition, claimed one after the other, the first has lost its lease.
    older?.abort.abort('lost');
    abort.signal.addEventListener('abort', () => this.#stopIfNoneGoesOn());
    return abort
      .over(work, () => this.#grace)
      .then(
        (outcome) => ({ outcome }),
        (thrown: unknown) => result.failure(thrown, abort),
      )
      .finally(() => this.#leave(member))
      .then((ended) => result.logged()?.then(() => ended) ?? ended);
  }

  /** Computes all that have entered. Resolves when the call has ended, or nobody waits for it any more; never rejects. */
  async run(members: readonly Promise<unknown>[]): Promise<void> {
    const [first] = this.#open.values();
    const end = this.#host.pulse.begin(first!.prepared.claim.id);
    const stopped = new Promise((resolve) => this.#abort.signal.addEventListener('abort', resolve));
    this.#stopIfNoneGoesOn();
    const called = this.#call(first!.prepared);
    await Promise.all(members);
    if (!this.#abort.reason) await Promise.race([called, stopped]);
    this.#stopTimer?.();
    end();
  }

  async #call(prepared: Prepared): Promise<void> {
    try {
      const items = await this.#load();
      await this.#start(prepared.definition.timeout);
      this.#grace = this.#host.cancelGrace;
      await this.#execute(
        prepared,
        items.filter(({ partition }) => this.#goesOn(partition.key)),
      );
    } catch (error) {
      for (const member of [...this.#open.values()]) this.#fail(member, error);
    }
  }

  /** The items whose inputs could be loaded; an input that several consume is loaded once. */
  async #load(): Promise<BatchItem[]> {
    const loaded = new Map<string, Promise<unknown>>();
    let sharing = true;
    const loader: PinLoader = {
      load: (value, { columns, moved }) => {
        // What is asked for later, of many partitions one by one, is not kept.
        if (!sharing) return this.#host.loader.load(value, { columns, moved });
        const name = JSON.stringify([value.asset, value.partition, value.value?.location, columns]);
        const known = loaded.get(name) ?? this.#host.loader.load(value, { columns, moved: () => this.#moved() });
        loaded.set(name, known);
        return known;
      },
    };
    const members = [...this.#open.values()];
    const items: BatchItem[] = [];
    for (let from = 0; from < members.length; from += LOADING) {
      const some = await Promise.all(members.slice(from, from + LOADING).map((member) => this.#item(member, loader)));
      items.push(...some.filter((item) => item !== undefined));
    }
    sharing = false;
    return items;
  }

  async #item(member: Member, loader: PinLoader): Promise<BatchItem | undefined> {
    const { abort, prepared } = member;
    const { claim, dependencies } = prepared;
    try {
      return {
        partition: partitionOf(prepared),
        inputs: await loadInputs(dependencies, loader, abort),
        attempt: claim.attempt,
        epoch: claim.epoch,
        idempotencyKey: `${this.#host.namespace}:${claim.id}`,
        previous: claim.head.dataVersion ?? undefined,
        signal: abort.signal,
      };
    } catch (error) {
      this.#fail(member, error);
      return undefined;
    }
  }

  /** The code begins: for all of them, so that the timeout is that of the call. */
  async #start(limit: number | undefined): Promise<void> {
    const members = [...this.#open.values()];
    if (limit !== undefined) {
      const attempts = members.map(({ prepared: { claim } }) => ({ id: claim.id, epoch: claim.epoch, timeout: limit }));
      const held = await this.#host.ledger.start(attempts);
      for (const { abort, prepared } of members) if (!held.has(prepared.claim.id)) abort.abort('lost');
    }
    for (const { result } of members) result.begin();
    if (limit === undefined || this.#abort.reason) return;
    this.#stopTimer = abortAfter(limit, () => {
      for (const { abort } of [...this.#open.values()]) abort.abort('timeout');
      this.#abort.abort('timeout');
    });
  }

  async #execute({ claim, definition, executable }: Prepared, items: readonly BatchItem[]): Promise<void> {
    this.#abort.throwIfAborted();
    if (items.length === 0) return;
    const keys = new BatchKeys(
      claim.asset,
      items.map(({ partition }) => partition.key),
    );
    const context = this.#context(definition, keys, items.length);
    crashPoint('before-execute');
    // What is yielded is stored, rows as they are produced, inside the context as well.
    await runInContext(context, async () => {
      try {
        for await (const yielded of executable.executeMany!(context, items)) {
          crashPoint('after-execute');
          if (this.#abort.reason && this.#open.size === 0) return;
          const taken = keys.take(yielded);
          const member = taken && this.#open.get(taken[0]);
          if (member) await this.#conclude(member, taken[1]);
        }
      } catch (error) {
        if (this.#open.size > 0) throw error;
        context.logger.warn(`executeMany() failed when all its items were over: ${messageOf(error)}`);
      }
      for (const key of keys.open) this.#failKey(key, keys.missing(key, definition.scheme !== undefined));
    });
  }

  async #conclude(member: Member, value: unknown): Promise<void> {
    let guarding: Promise<GuardedValue> | undefined;
    let storing: Promise<Stored | Unwritten> | undefined;
    let committing: Promise<void> | undefined;
    try {
      member.abort.throwIfAborted();
      const guard = this.#host.guards.get(member.prepared.definition.key);
      if (guard) guarding = member.result.guard(guard, value, partitionOf(member.prepared), member.abort);
      const looked = guarding ? (await guarding).value : value;
      member.abort.throwIfAborted();
      storing = value === undefined ? undefined : member.result.store(looked, member.abort);
      const stored = await storing;
      member.abort.throwIfMoved();
      let outcome: Outcome | undefined;
      if (stored && 'write' in stored) {
        const { prepared, result, abort } = member;
        await result.logged();
        committing = this.#host.commit(prepared.claim, stored, (written) => result.success(written), abort);
        await committing;
      } else outcome = member.result.success(stored);
      this.#leave(member);
      member.succeed(outcome);
    } catch (error) {
      this.#fail(member, error);
    }
    if (guarding) void releaseGuarded(guarding, storing);
    if (storing) void releaseStored(storing, committing);
  }

  #context(definition: Prepared['definition'], keys: BatchKeys, count: number): BatchContext {
    const host = this.#host;
    const abort = this.#abort;
    const open = this.#open;
    const failKey = (key: string, error: unknown): void => this.#failKey(key, error);
    let logger: ContextLogger | undefined;
    let log: BatchLog | undefined;
    const results = new Map(Array.from(open, ([key, { result }]) => [key, result]));
    return {
      asset: definition.key,
      resources: host.resourcesOf(definition),
      get logger() {
        return (logger ??= host.loggerOf(`${definition.key} (batch of ${count})`));
      },
      get signal() {
        return abort.signal;
      },
      fail(key, error) {
        const failure = keys.fail(key);
        failKey(key, error);
        return failure;
      },
      get log() {
        const { logger: plain } = this;
        return (log ??= batchLog((key) => results.get(key)?.log, plain));
      },
      report(key, report) {
        keys.expect(key, 'a report on the key');
        open.get(key)?.result.report(report);
      },
    };
  }

  /** What several may have read has been replaced meanwhile: none of them can tell what it has seen of it. */
  #moved(): void {
    for (const { abort } of [...this.#open.values()]) abort.abort('moved');
  }

  #goesOn(partition: string): boolean {
    const member = this.#open.get(partition);
    return member !== undefined && !member.abort.reason;
  }

  #failKey(key: string, thrown: unknown): void {
    const member = this.#open.get(key);
    if (member) this.#fail(member, thrown);
  }

  #fail(member: Member, thrown: unknown): void {
    this.#leave(member);
    member.fail(thrown);
  }

  #leave(member: Member): void {
    const { partition } = member.prepared.claim;
    if (this.#open.get(partition) === member) this.#open.delete(partition);
    this.#stopIfNoneGoesOn();
  }

  #stopIfNoneGoesOn(): void {
    const [first] = this.#open.values();
    const stopped = first && [...this.#open.values()].every(({ abort }) => abort.reason);
    if (stopped) this.#abort.abort(first.abort.reason!.kind);
  }
}
