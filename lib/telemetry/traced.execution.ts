// An execution that is followed: the same as without telemetry, with wrapped parts.
import type { Context } from '@opentelemetry/api';
import type { BatchResults } from '../assets/asset.context.js';
import type { Claim } from '../ledger/work.js';
import type { Abort } from '../runs/abort.js';
import type { AttemptHost, Executable, Prepared } from '../runs/attempt.host.js';
import { plainExecution } from '../runs/execution.js';
import type { Ended, Execution, ToExecute } from '../runs/execution.port.js';
import type { AttemptSpans } from './attempt.spans.js';

export class TracedExecution implements Execution {
  readonly #plain: Execution;
  #fellows: readonly Claim[] = [];

  /** @param host that is followed */
  constructor(
    private readonly spans: AttemptSpans,
    host: AttemptHost,
    private readonly prepared: Prepared,
  ) {
    const { claim, dependencies, executable } = prepared;
    const loading = dependencies.length > 0 ? { ...host, loader: spans.loader(claim, host.loader) } : host;
    this.#plain = plainExecution(loading, { ...prepared, executable: new TracedExecutable(spans, this, executable) });
  }

  get claim(): Claim {
    return this.prepared.claim;
  }

  /** Claims that are computed with it. */
  get fellows(): readonly Claim[] {
    return this.#fellows;
  }

  get batchSize(): number {
    return this.#plain.batchSize;
  }

  // Without a promise more where the context of the run is known, as it is but for the first of each run here.
  run(abort: Abort, fellows: readonly ToExecute[], ended: Ended): Promise<unknown> {
    const all = [this, ...fellows.map(({ execution }) => execution as TracedExecution)];
    const parents = all.map(({ claim }) => this.spans.runs.contextOf(claim.run));
    const begin = (known: readonly Context[]): Promise<unknown> => {
      all.forEach((execution, index) => this.spans.begin(execution.prepared, known[index]!));
      this.#fellows = fellows.map(({ execution }) => execution.claim);
      const others = fellows.map((fellow, index) => ({ execution: all[index + 1]!.#plain, abort: fellow.abort }));
      return this.#plain.run(abort, others, (claim, outcome, failure) => {
        this.spans.ended(claim, outcome);
        ended(claim, outcome, failure);
      });
    };
    return parents.every(isKnown) ? begin(parents) : Promise.all(parents.map(async (parent) => parent)).then(begin);
  }
}

const isKnown = (context: Context | Promise<Context>): context is Context => !('then' in context);

/** Its code, in whose context spans of its own are children. */
class TracedExecutable implements Executable {
  constructor(
    private readonly spans: AttemptSpans,
    private readonly of: TracedExecution,
    private readonly executable: Executable,
  ) {}

  execute(...given: Parameters<Executable['execute']>): unknown {
    return this.spans.executing(this.of.claim, () => this.executable.execute(...given));
  }

  executeMany(...given: Parameters<NonNullable<Executable['executeMany']>>): BatchResults<unknown> {
    const { claim, fellows } = this.of;
    return this.spans.executingMany(claim, fellows, () => this.executable.executeMany!(...given));
  }
}
