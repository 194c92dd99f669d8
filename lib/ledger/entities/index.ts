// Every entity of the ledger. The tables are made by migrations/; a test keeps the two equal.
import { ApprovalEntity } from './approval.entity.js';
import { ApprovalActEntity } from './approval-act.entity.js';
import { ApprovalInputEntity } from './approval-input.entity.js';
import { AssetEntity } from './asset.entity.js';
import { AutomationEntity } from './automation.entity.js';
import { AutomationDecisionEntity } from './automation-decision.entity.js';
import { AutomationFlowEntity } from './automation-flow.entity.js';
import { AutomationLeaderEntity } from './automation-leader.entity.js';
import { AutomationRequestEntity } from './automation-request.entity.js';
import { ClaimEntity } from './claim.entity.js';
import { CheckResultEntity } from './check-result.entity.js';
import { CollectionEntity } from './collection.entity.js';
import { DefinitionEntity } from './definition.entity.js';
import { DynamicPartitionEntity } from './dynamic-partition.entity.js';
import { EarlySignalEntity } from './early-signal.entity.js';
import { EventEntity } from './event.entity.js';
import { HeadEntity } from './head.entity.js';
import { HeadChangeEntity } from './head-change.entity.js';
import { HookEntity } from './hook.entity.js';
import { InstallationEntity } from './installation.entity.js';
import { LaneEntity } from './lane.entity.js';
import { LimitEntity } from './limit.entity.js';
import { LineageEntity } from './lineage.entity.js';
import { LogLineEntity } from './log-line.entity.js';
import { MaterializationEntity } from './materialization.entity.js';
import { NamespaceEntity } from './namespace.entity.js';
import { OutboxEntity } from './outbox.entity.js';
import { OverduePartitionEntity } from './overdue-partition.entity.js';
import { PoolEntity } from './pool.entity.js';
import { ProcessDefinitionEntity } from './process-definition.entity.js';
import { ProcessEntity } from './process.entity.js';
import { ProcessResourceEntity } from './process-resource.entity.js';
import { ReadyEntity } from './ready.entity.js';
import { RunKeyEntity } from './run-key.entity.js';
import { RunEntity } from './run.entity.js';
import { ScheduleEntity } from './schedule.entity.js';
import { ScheduleDefinitionEntity } from './schedule-definition.entity.js';
import { ScheduleProcessEntity } from './schedule-process.entity.js';
import { ScheduleTickEntity } from './schedule-tick.entity.js';
import { SensorDeliveryEntity } from './sensor-delivery.entity.js';
import { SensorEvaluationEntity } from './sensor-evaluation.entity.js';
import { SensorProcessEntity } from './sensor-process.entity.js';
import { SensorDefinitionEntity } from './sensor-definition.entity.js';
import { SensorEntity } from './sensor.entity.js';
import { SummaryChunkEntity } from './summary-chunk.entity.js';
import { SummaryEntity } from './summary.entity.js';
import { SupersededEntity } from './superseded.entity.js';
import { TimerEntity } from './timer.entity.js';

/** For reading the ledger through TypeORM; only the ledger writes. */
export const LEDGER_ENTITIES = [
  ApprovalActEntity,
  ApprovalEntity,
  ApprovalInputEntity,
  AssetEntity,
  AutomationDecisionEntity,
  AutomationEntity,
  AutomationFlowEntity,
  AutomationLeaderEntity,
  AutomationRequestEntity,
  ClaimEntity,
  CheckResultEntity,
  CollectionEntity,
  DefinitionEntity,
  DynamicPartitionEntity,
  EarlySignalEntity,
  EventEntity,
  HeadChangeEntity,
  HeadEntity,
  HookEntity,
  InstallationEntity,
  LaneEntity,
  LimitEntity,
  LineageEntity,
  LogLineEntity,
  MaterializationEntity,
  NamespaceEntity,
  OutboxEntity,
  OverduePartitionEntity,
  PoolEntity,
  ProcessDefinitionEntity,
  ProcessEntity,
  ProcessResourceEntity,
  ReadyEntity,
  RunEntity,
  RunKeyEntity,
  ScheduleDefinitionEntity,
  ScheduleEntity,
  ScheduleProcessEntity,
  ScheduleTickEntity,
  SensorDeliveryEntity,
  SensorEvaluationEntity,
  SensorProcessEntity,
  SensorDefinitionEntity,
  SensorEntity,
  SummaryChunkEntity,
  SummaryEntity,
  SupersededEntity,
  TimerEntity,
] as const;
