// nestjs-flowstone/testing: what applications import in their own tests.
export {
  executeAsset,
  executeBatch,
  type Executed,
  type ExecutedBatch,
  type ExecuteBatchOptions,
  type ExecuteOptions,
} from './execute-asset.js';
export {
  executeCheckpoint,
  type ExecuteCheckpointOptions,
  type ExecutedCheckpoint,
  type GivenDecision,
} from './execute-checkpoint.js';
export { FakeClock } from './fake-clock.js';
export { runIoConformance, type ConformanceFramework, type IoConformanceSubject } from './io-conformance.js';
export { startTestGraph, type TestGraph, type TestGraphOptions } from './test-graph.js';
