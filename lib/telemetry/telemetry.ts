// Telemetry of one process, put together for the engine: spans and metrics where they are wanted, else nothing at all.
import type { RunRecord } from '../ledger/records.js';
import type { AttemptTracing, RequestTracing } from '../runs/tracing.port.js';
import { loadApi } from './api.js';
import { AttemptSpans } from './attempt.spans.js';
import { Instruments } from './instruments.js';
import { RunSpans } from './run.spans.js';
import type { Telemetry } from './telemetry.options.js';
import { TracedExecution } from './traced.execution.js';

/** What the engine tells. */
export interface EngineTelemetry extends RequestTracing, AttemptTracing {
  /** This process recorded that it has ended. */
  runEnded(run: RunRecord): void;
  close(): void;
}

/** @param runOf what is recorded of a run */
export function openTelemetry(
  wanted: Telemetry | undefined,
  runOf: (run: number) => Promise<RunRecord | undefined>,
): EngineTelemetry | undefined {
  if (!wanted) return undefined;
  const api = loadApi();
  const runs = new RunSpans(api, wanted.traces, runOf);
  // Meters do not wait for an SDK as tracers do: instruments are made when the first is needed, at the latest by then it runs.
  let instruments: Instruments | undefined;
  const measured = (): Instruments => (instruments ??= new Instruments(api, wanted.metrics, () => attempts.active));
  const attempts = new AttemptSpans(api, wanted.traces, runs, measured);
  return {
    request: (request) => runs.request(request),
    execution: (host, prepared) => new TracedExecution(attempts, attempts.follow(host), prepared),
    settled: (...settled) => attempts.settled(...settled),
    runEnded: (run) => {
      runs.ended(run);
      measured().runEnded(run);
    },
    close: () => instruments?.close(),
  };
}
