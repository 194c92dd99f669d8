// Spans of runs. A span can only be ended by the process that began it, and a run may outlive any: so the request is a short
// span, whose context is kept with the run as the parent of all others, and what says how long the run took is written
// whole by whoever records its end.
import type { Attributes, Context, Span } from '@opentelemetry/api';
import { FlowStoneError } from '../flowstone.errors.js';
import type { RunRecord, RunRequest, TraceContext } from '../ledger/records.js';
import type { RequestTrace, RequestTracing } from '../runs/tracing.port.js';
import { tracerOf, type Api } from './api.js';
import { readTrace, writeTrace } from './trace-context.js';

/** Runs whose context is remembered; that of others is read again. */
const MOST_RUNS = 10_000;
/** Targets that a span names. */
const NAMED_AT_MOST = 20;

export class RunSpans implements RequestTracing {
  readonly #api: Api;
  readonly #tracer: ReturnType<typeof tracerOf>;
  readonly #traced: boolean;
  /** In the order in which they were learned; a promise while one is read. */
  readonly #contexts = new Map<number, Context | Promise<Context>>();

  /** @param runOf what is recorded of a run */
  constructor(
    api: Api,
    traced: boolean,
    private readonly runOf: (run: number) => Promise<{ readonly trace?: TraceContext } | undefined>,
  ) {
    this.#api = api;
    this.#traced = traced;
    this.#tracer = tracerOf(api, traced);
  }

  /** Under whatever span the caller is in. */
  request({ targets }: RunRequest): RequestTrace {
    const assets = targets.slice(0, NAMED_AT_MOST).map(({ asset }) => asset);
    const span = this.#tracer.startSpan('flowstone.run.request', { attributes: { 'flowstone.assets': assets } });
    let open = true;
    return {
      context: writeTrace(this.#api, span.spanContext()),
      recorded: (run) => {
        if (!open) return;
        open = false;
        span.setAttribute('flowstone.run', run);
        span.end();
      },
      failed: (error) => {
        if (!open) return;
        open = false;
        failSpan(this.#api, span, error);
        span.end();
      },
    };
  }

  /** What spans of a run's attempts are children of. Never rejects: without an answer they are a trace of their own. */
  contextOf(run: number): Context | Promise<Context> {
    if (!this.#traced) return this.#api.ROOT_CONTEXT;
    const known = this.#contexts.get(run);
    if (known) return known;
    const reading = this.runOf(run).then(
      (found) => {
        const context = readTrace(this.#api, found?.trace);
        this.#contexts.set(run, context);
        return context;
      },
      () => {
        this.#contexts.delete(run);
        return this.#api.ROOT_CONTEXT;
      },
    );
    this.#contexts.set(run, reading);
    if (this.#contexts.size > MOST_RUNS) this.#contexts.delete(this.#contexts.keys().next().value!);
    return reading;
  }

  /** The run has ended, by what this process recorded. */
  ended(run: RunRecord): void {
    this.#contexts.delete(run.id);
    if (!this.#traced || !run.completedAt) return;
    const { id, status, counts, retryOf, error, createdAt, completedAt } = run;
    const attributes: Attributes = {
      'flowstone.run': id,
      'flowstone.status': status,
      'flowstone.materializations': counts.total,
      'flowstone.materializations.success': counts.success,
      'flowstone.materializations.failed': counts.failed,
      ...(retryOf !== null && { 'flowstone.run.retry_of': retryOf }),
      ...(error && { 'error.type': error.code }),
    };
    const parent = readTrace(this.#api, run.trace);
    const span = this.#tracer.startSpan('flowstone.run', { startTime: createdAt, attributes }, parent);
    if (status === 'failed') {
      const message = error?.message ?? `${counts.failed} materializations failed`;
      span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message });
    }
    span.end(completedAt);
  }
}

/** It ends with that error: its code, or the class of one that is not ours, and an event of its own. */
export function failSpan(api: Api, span: Span, thrown: unknown): void {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  span.setAttribute('error.type', error instanceof FlowStoneError ? error.code : error.name);
  span.setStatus({ code: api.SpanStatusCode.ERROR, message: error.message });
  span.recordException(error);
}
