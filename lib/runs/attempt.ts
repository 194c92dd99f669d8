// One attempt at one materialization: load, execute, store. It never touches the record itself.
// What is told of it stands in attempt.result.ts; several at once in batch.ts.
import { contextPartition, runInContext, type AssetContext, type ContextLogger } from '../assets/asset.context.js';
import type { Claim, Outcome } from '../ledger/ledger.port.js';
import { abortAfter, Aborted, type Abort } from './abort.js';
import type { AttemptHost, Prepared } from './attempt.host.js';
import { AttemptResult } from './attempt.result.js';
import type { Execution, Executing } from './coordinator.js';
import { crashPoint } from './crash-points.js';
import { placeName } from './failure.js';
import { loadInputs } from './input.loader.js';

export class Attempt implements Execution {
  readonly batchSize = 1;
  readonly #result: AttemptResult;
  #stopTimer: (() => void) | undefined;
  /** How long code that was told to stop is waited for, ms: while inputs are loaded, not at all. */
  #grace = 0;

  constructor(
    private readonly host: AttemptHost,
    private readonly prepared: Prepared,
  ) {
    this.#result = new AttemptResult(host, prepared);
  }

  get claim(): Claim {
    return this.prepared.claim;
  }

  run(abort: Abort): Executing {
    const outcome = this.#run(abort);
    return { outcomes: [outcome], over: outcome };
  }

  async #run(abort: Abort): Promise<Outcome> {
    const over = this.host.pulse.begin(this.claim.id);
    try {
      abort.throwIfAborted();
      return await abort.over(this.#work(abort), () => this.#grace);
    } catch (error) {
      return this.#result.failure(error, abort);
    } finally {
      this.#stopTimer?.();
      over();
    }
  }

  async #work(abort: Abort): Promise<Outcome> {
    const inputs = await loadInputs(this.prepared.dependencies, this.host.loader, abort);
    await this.#start(abort);
    abort.throwIfAborted();
    this.#grace = this.host.cancelGrace;
    const context = this.#context(abort);
    crashPoint('before-execute');
    // Rows are produced while they are stored, so that both happen inside the context and under the signal.
    return runInContext(context, async () => {
      const value = await this.prepared.executable.execute(context, inputs);
      crashPoint('after-execute');
      return this.#result.success(value, abort);
    });
  }

  async #start(abort: Abort): Promise<void> {
    const limit = this.prepared.definition.timeout;
    if (limit !== undefined) {
      const { id, epoch } = this.claim;
      const held = await this.host.ledger.start([{ id, epoch, timeout: limit }]);
      if (!held.has(id)) throw new Aborted('lost');
    }
    this.#result.startedAt = new Date();
    if (limit !== undefined && !abort.reason) this.#stopTimer = abortAfter(limit, () => abort.abort('timeout'));
  }

  #context(abort: Abort): AssetContext {
    const { claim, definition, window, dimensions } = this.prepared;
    const { host } = this;
    const result = this.#result;
    let logger: ContextLogger | undefined;
    const name = `${placeName(result.place)} run ${claim.run}`;
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
      report: (report) => result.report(report),
      progress: (done, total) => host.progress(claim, done, total),
    };
  }
}
