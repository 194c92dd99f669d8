// The kinds of events: one line each says what an event of it is always about, and the shape of its detail.
// docs/events.md explains each (a test ties the two).
import type { JsonValue } from './json.js';

/** What an event may be about. A partition is given by its canonical key, that of an unpartitioned asset by ''. */
export type EventSubject = 'run' | 'materialization' | 'asset' | 'partition';

/** One kind of events. */
export interface EventShape<S extends EventSubject, D> {
  /** What is never null in an event of this kind. */
  readonly about: readonly S[];
  /** Of the type alone: never set. */
  readonly detail?: D;
}

const about =
  <S extends EventSubject>(...subjects: S[]) =>
  <D = null>(): EventShape<S, D> => ({ about: subjects });

const ofRun = about('run');
const ofMaterialization = about('run', 'materialization', 'asset', 'partition');
const ofPartition = about('asset', 'partition');
const ofVersion = about('materialization', 'asset', 'partition');
const ofNothing = about<never>();

interface Reason {
  readonly reason: string | null;
}

/** Who an approval is open to. */
interface Audience {
  readonly users: readonly string[];
  readonly roles: readonly string[];
}

/** Detail of what happens to an approval. */
interface Approval {
  readonly approval: number;
}

/** What was done to a schedule, by name. */
interface Schedule extends Reason {
  readonly schedule: string;
}

/** What became of a tick of it, in ISO 8601. */
interface ScheduledTick extends Schedule {
  readonly tick: string;
}

/** What was done to a sensor, by name. */
interface Sensor extends Reason {
  readonly sensor: string;
}

/** What a check found. */
interface Checked {
  readonly check: string;
  readonly severity: 'warn' | 'error';
  /** Whether it decided about the commit. */
  readonly blocking: boolean;
  readonly message: string | null;
}

/** A resource of a process. */
interface LentResource {
  readonly resource: string;
  readonly process: string;
  readonly host: string;
  /** Why it is not healthy. */
  readonly message: string | null;
}

/** Every kind, in the order of docs/events.md. */
export const EVENT_CATALOGUE = {
  'run.requested': ofRun(),
  'run.planned': ofRun<{ readonly materializations: number }>(),
  'run.cancel_requested': ofRun<Reason>(),
  'run.ended': ofRun<{ readonly status: 'success' | 'failed' | 'cancelled' }>(),
  'materialization.success': ofMaterialization(),
  'materialization.failed': ofMaterialization(),
  'materialization.upstream_failed': ofMaterialization(),
  'materialization.skipped': ofMaterialization(),
  'materialization.cancelled': ofMaterialization(),
  'materialization.waiting_approval': ofMaterialization(),
  'materialization.retrying': ofMaterialization(),
  'materialization.rescued': ofMaterialization(),
  'approval.requested': ofMaterialization<Approval>(),
  'approval.voted': ofMaterialization<Approval & Reason & { readonly votes: number; readonly quorum: number }>(),
  'approval.proposed': ofMaterialization<
    Approval & Reason & { readonly before: JsonValue; readonly after: JsonValue; readonly proposal: number }
  >(),
  'approval.approved': ofMaterialization<Approval & Reason>(),
  'approval.modified': ofMaterialization<
    Approval & Reason & { readonly before: JsonValue; readonly after: JsonValue }
  >(),
  'approval.rejected': ofMaterialization<Approval & Reason>(),
  'approval.received': ofMaterialization<Approval & Reason>(),
  'approval.timed_out': ofMaterialization<Approval & Reason>(),
  'approval.escalated': ofMaterialization<Approval & Reason & { readonly to: Audience; readonly step?: number }>(),
  'approval.extended': ofMaterialization<
    Approval & Reason & { readonly before: string | null; readonly after: string }
  >(),
  'approval.commented': ofMaterialization<Approval & { readonly text: string }>(),
  'approval.superseded': ofMaterialization<Approval>(),
  'approval.cancelled': ofMaterialization<Approval>(),
  'asset.overdue': ofPartition<{ readonly due: string }>(),
  'asset.on_time': ofPartition(),
  'check.passed': ofVersion<Checked>(),
  'check.failed': ofVersion<Checked>(),
  'check.errored': ofVersion<Checked>(),
  'check.skipped': ofVersion<Checked>(),
  'asset.invalidated': ofPartition<Reason>(),
  'asset.deleted': ofPartition<Reason>(),
  'asset.version_reported': ofVersion<{ readonly dataVersion: string }>(),
  'partitions.added': ofNothing<{ readonly name: string; readonly keys: readonly string[] }>(),
  'partitions.removed': ofNothing<{ readonly name: string; readonly keys: readonly string[] }>(),
  'automation.paused': about('asset')<Reason>(),
  'automation.resumed': about('asset')<Reason>(),
  'schedule.fired': ofRun<ScheduledTick>(),
  'schedule.queued': ofNothing<ScheduledTick>(),
  'schedule.skipped': ofNothing<ScheduledTick>(),
  'schedule.missed': ofNothing<ScheduledTick>(),
  'schedule.failed': ofNothing<ScheduledTick>(),
  'schedule.created': ofNothing<Schedule>(),
  'schedule.updated': ofNothing<Schedule>(),
  'schedule.paused': ofNothing<Schedule>(),
  'schedule.resumed': ofNothing<Schedule>(),
  'schedule.deleted': ofNothing<Schedule>(),
  'sensor.requested': ofNothing<{
    readonly sensor: string;
    readonly evaluation: number;
    readonly runs: readonly number[];
    readonly partitions: readonly { readonly scheme: string; readonly added: readonly string[] }[];
  }>(),
  'sensor.failed': ofNothing<Sensor & { readonly failures: number }>(),
  'sensor.recovered': ofNothing<{ readonly sensor: string; readonly failures: number }>(),
  'sensor.paused': ofNothing<Sensor>(),
  'sensor.resumed': ofNothing<Sensor>(),
  'sensor.deleted': ofNothing<Sensor>(),
  'sensor.cursor_set': ofNothing<Sensor & { readonly before: JsonValue; readonly after: JsonValue }>(),
  'resource.unhealthy': ofNothing<LentResource>(),
  'resource.healthy': ofNothing<LentResource>(),
  'process.blocked': ofNothing<{ readonly process: string; readonly milliseconds: number }>(),
  'hook.failed': ofNothing<{
    readonly hook: string;
    readonly event: number;
    readonly kind: string;
    readonly attempts: number;
    readonly error: string;
  }>(),
  'hook.missed': ofNothing<{ readonly hook: string; readonly reason: string }>(),
  'notice.dropped': ofNothing<{ readonly notice: number; readonly topic: string; readonly attempts: number }>(),
} as const satisfies Record<string, EventShape<EventSubject, unknown>>;

/** The kinds of events a ledger writes, each in the transaction of what it tells. */
export type EventKind = keyof typeof EVENT_CATALOGUE;

/** The names of all kinds. */
export const EVENT_KINDS = Object.keys(EVENT_CATALOGUE) as readonly EventKind[];

type Shape<K extends EventKind> = (typeof EVENT_CATALOGUE)[K];

/** What is never null in an event of this kind. */
export type SubjectsOf<K extends EventKind> = Shape<K> extends EventShape<infer S, unknown> ? S : never;

/** The shape of its detail. */
export type DetailOf<K extends EventKind> = Exclude<Shape<K>['detail'], undefined>;
