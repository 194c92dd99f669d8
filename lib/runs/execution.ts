// What is made of a claim that is to be executed: an attempt by itself or one of a batch.
import { Attempt } from './attempt.js';
import type { AttemptHost, Prepared } from './attempt.host.js';
import { BatchedAttempt } from './batch.js';
import type { Execution } from './execution.port.js';

/** Makes executions, as {@link plainExecution}, or with something around it. */
export type MakeExecution = (host: AttemptHost, prepared: Prepared) => Execution;

export function plainExecution(host: AttemptHost, prepared: Prepared): Execution {
  // What carries out a decision has been decided for one, and its asset declares no batches.
  if (prepared.definition.batchSize !== undefined && !prepared.decided) return new BatchedAttempt(host, prepared);
  return new Attempt(host, prepared);
}
