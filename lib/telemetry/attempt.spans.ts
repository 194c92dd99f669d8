// Spans of attempts: one for each, from when its code can begin until its outcome is committed, and below it one for each
// thing it does; what is done for several at once is one span. What does these is wrapped, so that attempts themselves know nothing of it.
import type { Attributes, Context, Span } from '@opentelemetry/api';
import type { BatchResults } from '../assets/asset.context.js';
import type { Claim, Outcome, Verdict } from '../ledger/work.js';
import type { AttemptHost, Prepared } from '../runs/attempt.host.js';
import type { Finished } from '../runs/execution.port.js';
import type { PinLoader } from '../runs/input.loader.js';
import { tracerOf, type Api } from './api.js';
import type { Instruments } from './instruments.js';
import { failSpan, type RunSpans } from './run.spans.js';

/** Others that a span of a commit names: as many as SDKs keep, if nothing else is said. */
const MOST_LINKS = 128;

/** What is known of an attempt under way. */
interface OpenAttempt {
  readonly span: Span;
  /** Whose spans are its children. */
  readonly context: Context;
  /** By performance.now(). */
  readonly began: number;
  /** When what came of it was known, by the same; 0: it is not. */
  ended: number;
}

export class AttemptSpans {
  readonly #tracer: ReturnType<typeof tracerOf>;
  readonly #open = new Map<Claim, OpenAttempt>();
  /** By what is followed. */
  readonly #followed = new WeakMap<AttemptHost, AttemptHost>();

  constructor(
    readonly api: Api,
    traced: boolean,
    readonly runs: RunSpans,
    private readonly instruments: () => Instruments,
  ) {
    this.#tracer = tracerOf(api, traced);
  }

  get active(): number {
    return this.#open.size;
  }

  /** An attempt begins. @param parent of its run */
  begin({ claim, definition }: Prepared, parent: Context): void {
    const attributes: Attributes = {
      'flowstone.asset': claim.asset,
      'flowstone.run': claim.run,
      'flowstone.materialization': claim.id,
      'flowstone.attempt': claim.attempt,
      'flowstone.epoch': claim.epoch,
    };
    if (definition.scheme) attributes['flowstone.partition'] = claim.partition;
    const span = this.#tracer.startSpan('flowstone.materialization', { attributes }, parent);
    const context = this.api.trace.setSpan(parent, span);
    this.#open.set(claim, { span, context, began: performance.now(), ended: 0 });
  }

  /** It is known what came of it; without an outcome, others have settled it. */
  ended(claim: Claim, outcome: Outcome | undefined): void {
    const open = this.#open.get(claim);
    if (!open) return;
    if (!outcome) return this.#end(claim, open, 'fenced', undefined);
    open.ended = performance.now();
  }

  /** The ledger has answered what came of these. */
  settled(finished: readonly Finished[], verdicts: readonly Verdict[]): void {
    const settled: [Finished, Claim, OpenAttempt, Verdict][] = [];
    finished.forEach((one, index) => {
      const open = one.claim && this.#open.get(one.claim);
      if (open) settled.push([one, one.claim, open, verdicts[index]!]);
    });
    this.#commits(settled);
    for (const [{ outcome }, claim, open, verdict] of settled) {
      if (typeof verdict === 'object') {
        failSpan(this.api, open.span, verdict.refused);
        this.#end(claim, open, 'failed', verdict.refused.code);
      } else if (verdict === 'committed') this.#committed(claim, open, outcome);
      else this.#end(claim, open, verdict, undefined);
    }
  }

  /** Outcomes are committed together. Of each run it is one span: below the attempt that waited longest, with links to all others. */
  #commits(settled: readonly (readonly [Finished, Claim, OpenAttempt, Verdict])[]): void {
    const byRun = new Map<number, OpenAttempt[]>();
    for (const [, { run }, open] of settled) {
      // What was written with its value has a span of its own.
      if (open.ended === 0) continue;
      const others = byRun.get(run);
      if (others) others.push(open);
      else byRun.set(run, [open]);
    }
    for (const [first, ...others] of byRun.values()) {
      const links = others.slice(0, MOST_LINKS).map(({ span }) => ({ context: span.spanContext() }));
      const attributes = { 'flowstone.commit.size': others.length + 1 };
      const options = { startTime: first!.ended, attributes, ...(links.length > 0 && { links }) };
      this.#tracer.startSpan('flowstone.commit', options, first!.context).end();
    }
  }

  /** The same host, whose work for attempts is followed; the same for the same one. */
  follow(host: AttemptHost): AttemptHost {
    let followed = this.#followed.get(host);
    if (!followed) this.#followed.set(host, (followed = this.#around(host)));
    return followed;
  }

  #around(host: AttemptHost): AttemptHost {
    return {
      ...host,
      store: (...store) => this.#during(store[1], 'flowstone.store', () => host.store(...store)),
      commit: (...commit) => {
        const open = this.#open.get(commit[0]);
        if (!open) return host.commit(...commit);
        const span = this.#tracer.startSpan('flowstone.commit', undefined, open.context);
        // What the database driver of the application records of it belongs there as well.
        const within = this.api.trace.setSpan(open.context, span);
        const committing = this.api.context.with(within, () => host.commit(...commit));
        committing.then(
          () => span.end(),
          (error: unknown) => this.#fail(span, error),
        );
        return committing;
      },
      ask: async (claim, request) => {
        const asked = await this.#during(claim, 'flowstone.ask', () => host.ask(claim, request));
        const open = this.#open.get(claim);
        // The wait for people is no attempt: what carries their decision out is one of its own.
        if (open && asked === 'waiting') this.#end(claim, open, 'waiting', undefined);
        return asked;
      },
    };
  }

  /** Loads for an attempt, or for the batch that begins with it. */
  loader(claim: Claim, loader: PinLoader): PinLoader {
    return {
      load: (value, options) =>
        this.#during(claim, 'flowstone.load', () => loader.load(value, options), {
          'flowstone.asset': value.asset,
          ...(value.partition !== undefined && { 'flowstone.partition': value.partition }),
        }),
    };
  }

  /** Code of an attempt. */
  executing(claim: Claim, call: () => unknown): unknown {
    const { span, within } = this.#startExecute(claim, []);
    const failed = (error: unknown): void => this.#fail(span, error);
    try {
      const value = this.api.context.with(within, call);
      if (typeof (value as { then?: unknown } | null | undefined)?.then !== 'function') {
        span.end();
        return value;
      }
      // Queries of many libraries begin only when they are awaited.
      const computing = Promise.resolve(value);
      computing.then(() => span.end(), failed);
      return computing;
    } catch (error) {
      failed(error);
      throw error;
    }
  }

  /** Code of a batch. @param fellows whose are computed with it */
  async *executingMany(
    claim: Claim,
    fellows: readonly Claim[],
    call: () => BatchResults<unknown>,
  ): AsyncGenerator<readonly [string, unknown]> {
    const { span, within } = this.#startExecute(claim, fellows);
    const steps = (async function* () {
      yield* call();
    })();
    try {
      // What a generator does until it yields is done in the context of who asks for that.
      for (;;) {
        const step = await this.api.context.with(within, () => steps.next());
        if (step.done) return;
        yield step.value;
      }
    } catch (error) {
      failSpan(this.api, span, error);
      throw error;
    } finally {
      await steps.return(undefined);
      span.end();
    }
  }

  #startExecute(claim: Claim, fellows: readonly Claim[]): { readonly span: Span; readonly within: Context } {
    const parent = this.#open.get(claim)?.context ?? this.api.ROOT_CONTEXT;
    const links = fellows.flatMap((fellow) => {
      const open = this.#open.get(fellow);
      return open ? [{ context: open.span.spanContext() }] : [];
    });
    const span = this.#tracer.startSpan('flowstone.execute', links.length > 0 ? { links } : undefined, parent);
    return { span, within: this.api.trace.setSpan(parent, span) };
  }

  async #during<T>(claim: Claim, name: string, work: () => Promise<T>, attributes: Attributes = {}): Promise<T> {
    const open = this.#open.get(claim);
    // A value may be asked for by code that was left behind.
    if (!open) return work();
    const span = this.#tracer.startSpan(name, { attributes }, open.context);
    try {
      const result = await this.api.context.with(this.api.trace.setSpan(open.context, span), work);
      span.end();
      return result;
    } catch (error) {
      this.#fail(span, error);
      throw error;
    }
  }

  #fail(span: Span, error: unknown): void {
    failSpan(this.api, span, error);
    span.end();
  }

  #committed(claim: Claim, open: OpenAttempt, outcome: Outcome): void {
    if (outcome.kind === 'success') {
      const { value } = outcome;
      if (value?.rows != null) open.span.setAttribute('flowstone.value.rows', value.rows);
      if (value?.size != null) open.span.setAttribute('flowstone.value.size', value.size);
      return this.#end(claim, open, 'success', undefined);
    }
    if (outcome.kind !== 'failed' && outcome.kind !== 'retry') return this.#end(claim, open, outcome.kind, undefined);
    const { code, message } = outcome.error;
    open.span.setAttribute('error.type', code);
    open.span.setStatus({ code: this.api.SpanStatusCode.ERROR, message });
    this.#end(claim, open, outcome.kind, code);
  }

  #end(claim: Claim, open: OpenAttempt, outcome: string, error: string | undefined): void {
    this.#open.delete(claim);
    open.span.setAttribute('flowstone.outcome', outcome);
    open.span.end();
    this.instruments().attemptEnded(claim.asset, outcome, error, (performance.now() - open.began) / 1000);
  }
}
