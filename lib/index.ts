// The public door of nestjs-flowstone: everything an application may import, by name.
export { FLOWSTONE_DATA_SOURCE, FlowStoneModule, type FlowStoneAsyncOptions } from './flowstone.module.js';
export { FlowStoneService, type EnsuredHead } from './flowstone.service.js';
export type { FlowStoneHealth } from './flowstone.health.js';
export type {
  ActOptions,
  DeleteOptions,
  EnsureOptions,
  HistoryOptions,
  LoadOptions,
  LogOptions,
  MaterializeOptions,
  PartitionsOfAct,
  PreviewOptions,
  ProgressTokenOptions,
  ReportedVersion,
  RunFilter,
} from './flowstone.requests.js';
export type {
  DataSourceStorage,
  FlowStoneOptions,
  PostgresStorage,
  Queue,
  RedisQueue,
  Role,
  Storage,
} from './flowstone.options.js';
export type { QueueHealth } from './queue/queue.port.js';
export {
  ERROR_CATALOGUE,
  FlowStoneError,
  type ErrorFamily,
  type FlowStoneErrorCode,
  type FlowStoneErrorDetails,
} from './flowstone.errors.js';

// Declaring
export { Asset } from './assets/asset.decorator.js';
export { Checkpoint } from './assets/checkpoint.decorator.js';
export type { CheckpointCode, Decision } from './assets/checkpoint.code.js';
export type {
  AudienceOptions,
  CheckpointOptions,
  DecisionOptions,
  EscalationOptions,
} from './assets/checkpoint.options.js';
export { Signal } from './assets/signal.decorator.js';
export type { SignalCallback, SignalCode } from './assets/signal.code.js';
export { SignalAsset } from './assets/signal.value.js';
export type { SignalOptions } from './assets/signal.options.js';
export { DependsOn } from './assets/depends-on.decorator.js';
export { Requires } from './assets/requires.decorator.js';
export {
  after,
  all,
  columns,
  keys,
  latest,
  mapped,
  optional,
  previous,
  window,
  within,
  type MappingOptions,
  type WindowOffsets,
} from './assets/dependency.wrappers.js';
export type { AssetOptions, KnownAssetOptions, RetryOptions } from './assets/asset.options.js';
export type { AssetClass, Modification, ModificationClass } from './assets/asset.definition.js';
export type { Dependencies, Dependency, InputsOf, OrderingDependency, Upstream } from './assets/dependency.js';
export { ExternalAsset, type PartitionedInput, type ValueOf } from './assets/asset.value.js';
export {
  currentContext,
  requireContext,
  type AssetContext,
  type BatchContext,
  type BatchItem,
  type BatchLog,
  type BatchResults,
  type ContextLog,
  type ContextLogger,
  type ContextPartition,
  type ContextReport,
  type LogFields,
  type ResourceClasses,
} from './assets/asset.context.js';
export { BatchFailure } from './assets/batch.failure.js';
export type { Duration } from './assets/duration.js';

// Partitions
export { Partitions, type PartitionScheme } from './partitions/partitions.js';
export {
  mapping,
  type DimensionMapping,
  type MappingFunctions,
  type MappingSpec,
  type PartitionInfo,
  type PartitionMapping,
} from './partitions/mapping.js';
export type { PartitionKeyInput } from './partitions/partition-key.js';
export type { PartitionSet, PartitionWindow } from './partitions/partition-set.js';

// Values
export type { FileFormat } from './io/formats/blob.formats.js';
export type {
  ParquetColumn,
  ParquetCompression,
  ParquetSchema,
  ParquetType,
  ParquetValueOptions,
} from './io/formats/parquet/parquet.schema.js';
export type { FilesystemValueOptions } from './io/managers/filesystem.io-manager.js';
export type { S3ClientLike, S3Credentials, S3Options } from './io/blobs/s3/s3.options.js';
export { S3IoManager, type S3ValueOptions } from './io/managers/s3.io-manager.js';
export type { PostgresValueOptions } from './io/managers/postgres/database.io-manager.js';
export { PostgresIoManager, type PostgresIoManagerOptions } from './io/managers/postgres/postgres.io-manager.js';
export type {
  AssetPlace,
  IoManager,
  LoadContext,
  MostOfValue,
  PartitionSlice,
  StoreContext,
  StoredAttempt,
  StoredValue,
  UnwrittenValue,
  ValueAddress,
  ValueBeginning,
  VersionsOf,
} from './io/io-manager.port.js';
export type { ValueSql } from './ledger/value-database.port.js';
export { rowsOf, type Rows } from './io/rows.js';

// I/O managers of your own
export { batchesWithin, narrowRow, rowsInBatches, type RowRange } from './io/rows.js';
export { dataVersionOf, isRowStream, type DataVersion } from './io/data-version.js';
export { ioFailed, valueCorrupt, valueMoved, valueNotFound, type ValuePlace } from './io/io-failures.js';
export { RowEncoder } from './io/row-encoder.js';
export { valueFromText, valueToText, type ValueText } from './io/value-text.js';

// Webhooks
export { verifyWebhook, type WebhookRequest, type WebhookVerdict } from './outbox/webhook.signature.js';
export type { TelemetryOptions } from './telemetry/telemetry.options.js';
export type { OpenLineageOptions } from './openlineage/openlineage.options.js';
export type { OutboxOptions } from './outbox/outbox.options.js';
export type { WebhookOptions } from './outbox/webhook.options.js';

// Approvals
export type { Approvals, Review, ReviewedInput } from './checkpoints/approvals.js';
export type {
  ActingPerson,
  ApprovalsFilter,
  SignalsFilter,
  ApprovalsPage,
  ApproveOptions,
  EscalateOptions,
  ExtendOptions,
} from './checkpoints/approval.requests.js';
export { ApprovalNotifier, LogNotifier, type ApprovalNotice } from './checkpoints/approval.notifier.js';
export { WebhookNotifier, type WebhookNotifierOptions } from './checkpoints/webhook.notifier.js';
export type { Signals } from './checkpoints/signals.js';
export type { ValueDifference } from './checkpoints/value.diff.js';
export type {
  ApprovalAct,
  ApprovalDecision,
  ApprovalInput,
  ApprovalProposal,
  ApprovalRecord,
  ApprovalRule,
  ApprovalStatus,
  ApprovalVote,
  Audience,
  EscalationStep,
  TimeoutAction,
} from './ledger/approval.records.js';

// Lineage
export type { Lineage } from './lineage/lineage.js';
export type {
  AuditOptions,
  DiffOptions,
  GraphOptions,
  ImpactOptions,
  InvalidateOptions,
  PartitionsOfLineage,
  StaleOptions,
  TraceOptions,
} from './lineage/lineage.requests.js';
export type { StaleAsset } from './lineage/stale.view.js';
export type { LineageTrace, TracedDecision } from './lineage/trace.js';
export type {
  Impact,
  ImpactedAsset,
  ImpactEntry,
  ImpactPage,
  PartitionRange,
  UndeclaredConsumer,
  UndeclaredConsumers,
} from './lineage/impact.js';
export type { ExpectedCost } from './lineage/expected.cost.js';
export type { AuditDocument, AuditedApproval } from './lineage/audit.document.js';
export type { InputChange, RunDiff, RunDiffEntry } from './lineage/run.diff.js';
export type { GraphView } from './lineage/graph.view.js';
export type { ComparedMaterialization, TracedEdge, TracedRemoval, TracedVersion } from './ledger/lineage.port.js';

// Events
export type { LogLevel, LogLine, LogPlace } from './ledger/logs.port.js';
export type { FlowStoneEvent } from './events/event.js';
export type { EventOptions } from './events/event.options.js';
export {
  OnApprovalRequested,
  OnEvent,
  OnMaterializationFailed,
  OnMaterialized,
  OnRunEnded,
  OnRunFailed,
  OnRunSucceeded,
  type HookDecorator,
  type HookOptions,
  type OnEventOptions,
} from './events/hook.decorators.js';
export type { ProgressMessage } from './events/progress.stream.js';
export type { HookDelivery } from './events/hook.js';
export type { EventName, EventOf } from './events/event.names.js';
export { webhookNotifier, type EventNotifier, type EventWebhookOptions } from './events/event.notifier.js';
export {
  FlowStoneEvents,
  type EventFilter,
  type EventsPage,
  type EventsSinceOptions,
} from './events/flowstone.events.js';
export type { DetailOf, EventSubject, SubjectsOf } from './ledger/event.catalogue.js';
// Freshness
export type { FreshnessOptions } from './assets/freshness.options.js';
export type { AssetFreshness, FreshnessDesk, FreshnessState } from './automation/freshness/freshness.desk.js';
export type { OverduePartition } from './ledger/freshness.port.js';

// Checks
export { Check, type CheckDecorator } from './checks/check.decorator.js';
export type { CheckAnswer, CheckContext, CheckFunction, CheckOptions } from './checks/check.options.js';
export type { CheckResultFilter, Checks, DeclaredCheck, RunChecksOptions } from './checks/check.desk.js';
export type { CheckResult, CheckSeverity, CheckStatus } from './ledger/check.records.js';

// Resources
export { asResource, Resource } from './resources/resource.decorator.js';
export type {
  ManagedResource,
  ProvidedResource,
  ResourceContext,
  ResourceOptions,
} from './resources/resource.options.js';
export type { ResourceInProcess, ResourceOverview } from './resources/resource.overview.js';
export type { ResourceView } from './resources/resource.keeper.js';
export type { ResourceState } from './ledger/process.records.js';

// Automation
export {
  allUpstreams,
  and,
  anyUpstream,
  during,
  eager,
  never,
  newest,
  not,
  olderThan,
  onCron,
  onMissing,
  or,
  status,
  type Condition,
  type ConditionStatus,
  type Weekday,
} from './assets/condition.js';
export { Schedule } from './automation/schedules/schedule.decorator.js';
export type {
  CreatedSchedule,
  ScheduledPartitions,
  ScheduleDefinition,
  ScheduleOptions,
  ScheduleTick,
} from './automation/schedules/schedule.options.js';
export type { CatchUp, Overlap } from './automation/schedules/due.ticks.js';
export type { ScheduleAct, Schedules, ScheduleView } from './automation/schedules/schedule.desk.js';
export type { TickPage } from './ledger/schedules.port.js';
export type { TickRecord, TickStatus } from './ledger/schedule.records.js';
export { Sensor, type SensorOptions } from './automation/sensors/sensor.decorator.js';
export type {
  Sensing,
  SensorAnswer,
  SensorContext,
  SensorResult,
  SensorRunRequest,
} from './automation/sensors/sensor.js';
export {
  AssetMaterializedSensor,
  EventSensor,
  RunEndedSensor,
  type EventSensorCursor,
  type RunEnd,
} from './automation/sensors/event.sensor.js';
export { TableSensor, type RowSource, type SeenRow } from './automation/sensors/table.sensor.js';
export { S3ObjectsSensor } from './automation/sensors/s3-objects.sensor.js';
export type { Seen } from './automation/sensors/seen.js';
export type { ListedObject } from './io/blobs/s3/listed.object.js';
export {
  signedBy,
  signedByFlowStone,
  WebhookSensor,
  type DeliveryContext,
  type SensorDelivery,
  type SignatureOptions,
  type WebhookVerifier,
} from './automation/sensors/webhook.sensor.js';
export type { DeliveryAnswer, SensorAct, SensorDryRun, Sensors, SensorView } from './automation/sensors/sensor.desk.js';
export type { EvaluationCause } from './ledger/sensors.port.js';
export type { EvaluationRecord, EvaluationStatus, SensorPartitions, SensorRun } from './ledger/sensor.records.js';
export type { AutomationOptions } from './assets/automation.options.js';
export type {
  Automation,
  AutomatedAsset,
  AutomationAct,
  AutomationDecision,
  AutomationExplanation,
} from './automation/automation.desk.js';
export type { DecisionKind } from './automation/conditions/decision.js';
export type { Truth } from './automation/conditions/truth.js';

// Runs, plans, status
export type { Collected } from './retention/collection.pass.js';
export type { RetentionOptions } from './retention/retention.options.js';
export { RunCancelled, RunFailed, RunHandle, type RunProgress, type WaitOptions } from './runs/run.handle.js';
export type { RunResult, RunView } from './runs/run.view.js';
export type { Failure } from './runs/failure.js';
export type { ValueExtracted, ValuePreview } from './runs/value.preview.js';
export type { PoolKeyOptions, PoolOptions } from './runs/pool.options.js';
export type { Wait, WaitKind } from './runs/wait.reason.js';
export type { RunWait } from './runs/waits.js';
export type { PartitionsOption, PlanOptions, Target } from './runs/request.reader.js';
export type { AssetStatus, PartitionStatus } from './planning/status.js';
export type { PlanWait } from './planning/planning.port.js';
export type { EntityManager, Page, PageRequest } from './ledger/ledger.port.js';
export type {
  ApprovalActKind,
  DescribedValue,
  ErrorRecord,
  EventKind,
  EventRecord,
  JsonObject,
  JsonValue,
  MaterializationRecord,
  MaterializationStatus,
  RunCounts,
  RunRecord,
  TraceContext,
  RunStatus,
  ValueColumn,
  ValueRecord,
  VersionPolicy,
} from './ledger/records.js';
