// Who follows requests and attempts, where an application wants telemetry: the implementation is in lib/telemetry. Without it
// nothing of this exists, and nobody asks but whether it does.
import type { RunRequest, TraceContext } from '../ledger/records.js';
import type { Verdict } from '../ledger/work.js';
import type { MakeExecution } from './execution.js';
import type { Finished } from './execution.port.js';

/** A request, from when it is read until its run is recorded. One that is never told of was rolled back. */
export interface RequestTrace {
  /** What is recorded with the run; undefined: nobody records spans. */
  readonly context: TraceContext | undefined;
  /** It is committed. Only the first call counts. */
  recorded(run: number): void;
  failed(error: unknown): void;
}

export interface RequestTracing {
  request(request: RunRequest): RequestTrace;
}

export interface AttemptTracing {
  /** In place of `plainExecution`. */
  readonly execution: MakeExecution;
  /** The ledger has answered what came of these: one verdict for each. */
  readonly settled: (finished: readonly Finished[], verdicts: readonly Verdict[]) => void;
}
