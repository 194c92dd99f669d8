// The shapes of partition schemes: frozen plain data with a `kind`.
// How users write them is in partitions.ts, what keys they have is in partition-set.ts.

/** What every time scheme is declared with; all times are wall-clock times of the scheme's zone. */
export interface TimeOptions {
  /**
   * `2001`, `2001-03`, `2001-03-04`, `2001-03-04T05` or `2001-03-04T05:30[:00]`, without an offset. The first partition is the
   * first window that starts at or after it.
   */
  readonly start: string;
  /** Exclusive: a window that starts at or after it is no partition. Same forms as `start`; without it time goes on. */
  readonly end?: string | undefined;
  /** IANA name such as `Europe/Berlin`; `UTC` unless told. */
  readonly timeZone?: string | undefined;
  /** A partition exists once its window has started, instead of ended. */
  readonly includeCurrent?: boolean | undefined;
}

/** A time scheme whose windows are ticks of a cron expression (five fields, or six with seconds first). */
export interface CronOptions extends TimeOptions {
  readonly cron: string;
}

interface TimeSchemeBase {
  readonly start: string;
  readonly end: string | undefined;
  readonly timeZone: string;
  readonly includeCurrent: boolean;
}

/** Windows of one hour, day, week (from Monday) or month of the wall clock. */
export interface CalendarScheme extends TimeSchemeBase {
  readonly kind: 'hourly' | 'daily' | 'weekly' | 'monthly';
}

/** Windows from one tick of a cron expression to the next. */
export interface CronScheme extends TimeSchemeBase {
  readonly kind: 'cron';
  readonly cron: string;
}

export type TimeScheme = CalendarScheme | CronScheme;

/** A fixed list of keys. */
export interface StaticScheme {
  readonly kind: 'static';
  readonly keys: readonly string[];
}

/** A stored list of keys that grows and shrinks at run time, shared by all schemes of the same name. */
export interface DynamicScheme {
  readonly kind: 'dynamic';
  readonly name: string;
}

/** What a custom scheme's function gets. */
export interface CustomKeysContext {
  readonly config: Readonly<Record<string, unknown>>;
  readonly resources: Readonly<Record<string, unknown>>;
}

/** One partition of a custom scheme: its key or, where `dimensions` are declared, its parts by order or by name. */
export type CustomKey = string | readonly string[] | Readonly<Record<string, string>>;

type CustomKeys = Iterable<CustomKey> | AsyncIterable<CustomKey>;

/** Computes the keys of a custom scheme: for each plan, and again as work on it begins. It is waited for 30 s. */
export type CustomKeysFunction = (context: CustomKeysContext) => CustomKeys | Promise<CustomKeys>;

/** Keys computed by a function. */
export interface CustomScheme {
  readonly kind: 'custom';
  /** What the user wrote; two custom schemes are the same where it is the same function. */
  readonly compute: CustomKeysFunction;
  readonly name: string;
  /** Names of the parts of a key; empty where keys have no parts. */
  readonly dimensions: readonly string[];
}

/** A scheme that can be a dimension of a `multi`. */
export type SingleScheme = TimeScheme | StaticScheme | DynamicScheme | CustomScheme;

/** The cartesian product of its dimensions, in declared order. */
export interface MultiScheme {
  readonly kind: 'multi';
  readonly dimensions: Readonly<Record<string, SingleScheme>>;
}

/** How an asset's data space is cut into partitions. */
export type PartitionScheme = SingleScheme | MultiScheme;

/** Whether partitions of this scheme are windows of time. */
export function isTimeScheme(scheme: PartitionScheme): scheme is TimeScheme {
  return (
    scheme.kind === 'hourly' ||
    scheme.kind === 'daily' ||
    scheme.kind === 'weekly' ||
    scheme.kind === 'monthly' ||
    scheme.kind === 'cron'
  );
}

/** The schemes a scheme is made of: the dimensions of a `multi`, else itself. */
export function schemeLeaves(scheme: PartitionScheme): readonly SingleScheme[] {
  return scheme.kind === 'multi' ? Object.values(scheme.dimensions) : [scheme];
}
