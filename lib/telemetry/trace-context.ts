// Contexts of spans as they are kept with runs, by W3C Trace Context. Not by the propagator of the application, which may
// write other headers, or none, in each process.
import type { Context, SpanContext } from '@opentelemetry/api';
import type { TraceContext } from '../ledger/records.js';
import type { Api } from './api.js';

/** The version and the fields of a later one; what follows those is for later versions. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;

/** Undefined: nobody records the span. */
export function writeTrace(api: Api, context: SpanContext): TraceContext | undefined {
  if (!api.isSpanContextValid(context)) return undefined;
  const flags = context.traceFlags.toString(16).padStart(2, '0');
  const traceparent = `00-${context.traceId}-${context.spanId}-${flags}`;
  const tracestate = context.traceState?.serialize();
  return tracestate ? { traceparent, tracestate } : { traceparent };
}

/** The context whose spans have that one as their parent; without one, a trace of its own. */
export function readTrace(api: Api, trace: TraceContext | undefined): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(trace?.traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return api.ROOT_CONTEXT;
  const traceState = trace?.tracestate === undefined ? undefined : api.createTraceState(trace.tracestate);
  return api.trace.setSpanContext(api.ROOT_CONTEXT, {
    ...{ traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true },
    ...(traceState && { traceState }),
  });
}
