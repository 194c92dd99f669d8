// One attempt at one materialization: load, execute, store. It never touches the record itself.
// What its code is given stands in attempt.context.ts, what is told of it in attempt.result.ts; several at once in batch.ts.
import { runInContext } from '../assets/asset.context.js';
import { Pause } from '../checkpoints/checkpoint.executable.js';
import type { ApprovalRecord } from '../ledger/approval.records.js';
import type { ApprovalPin } from '../ledger/approvals.port.js';
import type { Claim, Outcome } from '../ledger/work.js';
import { abortAfter, Aborted, type Abort } from './abort.js';
import { AttemptContext } from './attempt.context.js';
import type { AttemptHost, Prepared, Stored, Unwritten } from './attempt.host.js';
import { AttemptResult, closeUnwanted, releaseGuarded, releaseStored } from './attempt.result.js';
import { crashPoint } from './crash-points.js';
import type { Ended, Execution, ToExecute } from './execution.port.js';
import type { Failure } from './failure.js';
import { loadInputs } from './input.loader.js';
import type { GuardedValue } from './value.guard.js';

const NOT_AT_ALL = (): number => 0;

export class Attempt implements Execution {
  readonly batchSize = 1;
  readonly #result: AttemptResult;
  #stopTimer: (() => void) | undefined;

  constructor(
    private readonly host: AttemptHost,
    private readonly prepared: Prepared,
  ) {
    this.#result = new AttemptResult(host, prepared);
  }

  get claim(): Claim {
    return this.prepared.claim;
  }

  // In one function, which waits only where there is something to wait for: each promise more, and each wait, would cost
  // a good part of what all else of a short attempt costs.
  async run(abort: Abort, _fellows: readonly ToExecute[], ended: Ended): Promise<void> {
    const over = this.host.pulse.begin(this.claim.id);
    const { definition, dependencies, executable } = this.prepared;
    /** How long code that was told to stop is waited for, ms: while inputs are loaded, not at all. */
    const grace = (): number => this.host.cancelGrace;
    let outcome: Outcome | undefined;
    let failure: Failure | undefined;
    let computing: unknown;
    let guarding: Promise<GuardedValue> | undefined;
    let storing: Promise<Stored | Unwritten> | undefined;
    let committing: Promise<void> | undefined;
    try {
      abort.throwIfAborted();
      const loading = dependencies.length > 0 ? loadInputs(dependencies, this.host.loader, abort) : undefined;
      const inputs = loading ? await abort.over(loading, NOT_AT_ALL) : {};
      abort.throwIfAborted();
      if (definition.timeout !== undefined) await abort.over(this.#limit(definition.timeout, abort), NOT_AT_ALL);
      abort.throwIfAborted();
      this.#result.begin();
      const context = new AttemptContext(this.host, this.prepared, this.#result, abort);
      crashPoint('before-execute');
      computing = runInContext(context, () => awaitable(executable.execute(context, inputs)));
      const value = computing instanceof Promise ? await abort.over<unknown>(computing, grace) : computing;
      crashPoint('after-execute');
      abort.throwIfAborted();
      const asks = value instanceof Pause;
      const guard = this.host.guards.get(definition.key);
      // Rows are produced while they are looked at or stored: inside the context as well.
      if (guard && !asks)
        guarding = runInContext(context, () => this.#result.guard(guard, value, context.partition, abort));
      const looked = guarding ? (await abort.over(guarding, grace)).value : value;
      // What is undefined, nobody stores.
      storing =
        value === undefined || asks ? undefined : runInContext(context, () => this.#result.store(looked, abort));
      const stored = storing && (await abort.over(storing, grace));
      abort.throwIfMoved();
      if (asks) {
        outcome = await abort.over(this.#ask(value, abort), grace);
      } else if (stored && 'write' in stored) {
        await this.#result.logged();
        committing = this.host.commit(this.claim, stored, (written) => this.#result.success(written), abort);
        await abort.over(committing, grace);
      } else outcome = this.#result.success(stored);
    } catch (error) {
      const { decided } = this.prepared;
      if (decided && abort.reason?.kind === 'moved') outcome = await this.#askAgain(decided);
      else ({ outcome, failure } = this.#result.failure(error, abort));
    }
    this.#stopTimer?.();
    over();
    if (storing && outcome?.kind !== 'success') void releaseStored(storing, committing);
    if (guarding) void releaseGuarded(guarding, storing);
    if (!storing && !guarding && outcome?.kind !== 'success') void closeUnwanted(computing);
    const logged = this.#result.logged();
    if (logged) await logged;
    ended(this.claim, outcome, failure);
  }

  /** People are asked; without an outcome, the attempt is over by that. */
  async #ask({ message, signal }: Pause, abort: Abort): Promise<Outcome | undefined> {
    const { claim, definition, dependencies, inputs, upstreams } = this.prepared;
    const pins = dependencies.flatMap(({ dependency, pins: versions }) =>
      versions.map(({ asset, partition = '', head }): ApprovalPin => {
        const { materialization = null, dataVersion = null } = head ?? {};
        return { alias: dependency.alias, asset, partition, materialization, dataVersion };
      }),
    );
    const { rule } = definition.checkpoint!;
    const asked = await this.host.ask(claim, {
      ...{ message, rule, inputs, upstreams, pins },
      ...(signal !== undefined && { signal }),
    });
    if (asked === 'cancelled') abort.abort('cancelled');
    if (asked === 'moved') abort.abort('moved');
    if (abort.reason && asked !== 'waiting') throw abort.reason;
    return undefined;
  }

  /** What was decided upon is not there any more: it is never decided of data that nobody saw. */
  async #askAgain({ id: approval }: ApprovalRecord): Promise<Outcome> {
    await this.host.supersede(this.claim, approval);
    const { id, epoch } = this.claim;
    return { kind: 'handed_back', id, epoch };
  }

  /** From now on it has so many ms, by the ledger's clock and by ours. */
  async #limit(milliseconds: number, abort: Abort): Promise<void> {
    const { id, epoch } = this.claim;
    const held = await this.host.ledger.start([{ id, epoch, timeout: milliseconds }]);
    if (!held.has(id)) throw new Aborted('lost');
    if (!abort.reason) this.#stopTimer = abortAfter(milliseconds, () => abort.abort('timeout'));
  }
}

/** What `execute` returned: a promise where it can be awaited, since queries of many libraries begin only when they are. */
function awaitable(value: unknown): unknown {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function' ? Promise.resolve(value) : value;
}
