// An execution that is followed: the same as without telemetry, with wrapped parts, in the context of its span.
import type { Context } from '@opentelemetry/api';
import type { Claim } from '../ledger/work.js';
import type { Abort } from '../runs/abort.js';
import type { AttemptHost, Prepared } from '../runs/attempt.host.js';
import { plainExecution } from '../runs/execution.js';
import type { Ended, Execution, ToExecute } from '../runs/execution.port.js';
import type { AttemptSpans } from './attempt.spans.js';

export class TracedExecution implements Execution {
  readonly #plain: Execution;
  /** Claims that are computed with it. */
  #fellows: readonly Claim[] = [];

  /** @param host that is followed */
  constructor(
    private readonly spans: AttemptSpans,
    host: AttemptHost,
    private readonly prepared: Prepared,
  ) {
    const { claim, dependencies, executable } = prepared;
    this.#plain = plainExecution(
      dependencies.length > 0 ? { ...host, loader: spans.loader(claim, host.loader) } : host,
      { ...prepared, executable: spans.executable(claim, executable, () => this.#fellows) },
    );
  }

  get claim(): Claim {
    return this.prepared.claim;
  }

  get batchSize(): number {
    return this.#plain.batchSize;
  }

  async run(abort: Abort, fellows: readonly ToExecute[], ended: Ended): Promise<void> {
    const own = await this.#begin();
    const others: ToExecute[] = [];
    for (const { execution, abort: itsAbort } of fellows) {
      const fellow = execution as TracedExecution;
      await fellow.#begin();
      others.push({ execution: fellow.#plain, abort: itsAbort });
    }
    this.#fellows = fellows.map(({ execution }) => execution.claim);
    await this.spans.api.context.with(own, () =>
      this.#plain.run(abort, others, (claim, outcome, failure) => {
        this.spans.ended(claim, outcome);
        ended(claim, outcome, failure);
      }),
    );
  }

  /** Resolves to the context of its own span. */
  async #begin(): Promise<Context> {
    const parent = this.spans.runs.contextOf(this.claim.run);
    return this.spans.begin(this.prepared, 'then' in parent ? await parent : parent).context;
  }
}
