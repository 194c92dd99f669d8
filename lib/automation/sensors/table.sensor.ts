// A sensor of rows that are new in a table, or changed: found by a column that rises.
import { createHash } from 'node:crypto';
import { parseDuration, readDuration, type Duration } from '../../assets/duration.js';
import { FlowStoneError } from '../../flowstone.errors.js';
import type { Sensing, SensorAnswer, SensorContext } from './sensor.js';
import { MOST_REMEMBERED, NOTHING_SEEN, unseen, type Found, type Seen } from './seen.js';

/** Whatever runs SQL on PostgreSQL with `$1` parameters: a TypeORM DataSource is one. */
export interface RowSource {
  query(sql: string, values?: unknown[]): Promise<unknown>;
}

/** A row: its key and watermark as texts, and the columns that were asked for. */
export interface SeenRow<R extends object = Record<string, unknown>> {
  readonly key: string;
  readonly watermark: string;
  readonly row: R;
}

interface Line {
  readonly key: string;
  readonly watermark: string;
  readonly place: string;
  readonly now: string;
  readonly now_place: string;
  readonly row: Record<string, unknown>;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_$]{0,62}$/;
/** Rows that one evaluation asks about. */
const AT_ONCE = 500;

/**
 * Asks about rows whose `watermark` rises: extend it, say which table, and answer in `onRows`. A row whose watermark is raised
 * (an `updated_at`) is a new one. Reads by an index on the watermark; only from the given source, and writes nothing.
 */
export abstract class TableSensor<R extends object = Record<string, unknown>> implements Sensing<Seen> {
  abstract readonly source: RowSource;
  /** `name` or `schema.name`. */
  abstract readonly table: string;
  /** A column that rises from row to row: a `timestamptz`, or a whole number. */
  abstract readonly watermark: string;
  /** A column that no two rows share. */
  abstract readonly key: string;
  /** Further columns that `onRows` needs. */
  readonly columns: readonly string[] = [];
  /**
   * How far a row's watermark may lie behind that of others when it is committed: a duration, or with whole numbers a number.
   * What comes later than that is lost: let it be longer than the longest transaction that writes the table. Of the window, at
   * most 20,000 rows are remembered. Default `5m`.
   */
  readonly window: Duration | number = '5m';
  /** Of which type the watermark is. Default `time`. */
  readonly kind: 'time' | 'number' = 'time';
  /** Whether it asks about rows that were there before its first evaluation. */
  readonly existing: boolean = false;

  /** What some rows, in the order of their watermarks, ask for. Its cursor is kept by the sensor itself. */
  abstract onRows(
    rows: readonly SeenRow<R>[],
    context: SensorContext<Seen>,
  ): SensorAnswer<never> | Promise<SensorAnswer<never>>;

  async evaluate(context: SensorContext<Seen>): Promise<SensorAnswer<Seen>> {
    const { cursor, signal } = context;
    this.#requireNames();
    const span = this.kind === 'time' ? parseDuration(this.window) : Number(this.window);
    if (!cursor && !this.existing) return { cursor: await this.#present(span), skip: 'it sees what comes from now on' };
    const before = cursor ?? NOTHING_SEEN;
    const lines = await this.#read(before, span, before.window.length + AT_ONCE + 1);
    signal.throwIfAborted();
    const { taken, seen, more } = unseen(before, lines.map(found), span, AT_ONCE, this.#ceiling(lines));
    requireRoom(context.name, seen);
    if (taken.length === 0) return { cursor: seen, skip: 'no new rows' };
    const rows = taken.map(({ thing: { key, watermark, row } }) => ({ key, watermark, row: row as R }));
    const answer = (await this.onRows(rows, context)) ?? undefined;
    return { skip: 'nothing was to be done for new rows', ...answer, cursor: seen, again: more };
  }

  /** What is there counts as seen. */
  async #present(span: number): Promise<Seen> {
    const [top] = (await this.source.query(this.#select('DESC', 1, false), [])) as Line[];
    if (!top) return NOTHING_SEEN;
    const ceiling = this.#ceiling([top]);
    const { mark: high, place } = ceiling && Number(top.place) > ceiling.place ? ceiling : found(top);
    const from: Seen = { high, place, window: [] };
    const lines = await this.#read(from, span, MOST_REMEMBERED + 1);
    const { seen } = unseen(from, lines.map(found), span, MOST_REMEMBERED + 1, ceiling);
    return seen;
  }

  async #read({ high }: Seen, span: number, limit: number): Promise<readonly Line[]> {
    const values = high === null ? [] : [high, this.kind === 'time' ? span / 1000 : span];
    return (await this.source.query(this.#select('ASC', limit, high !== null), values)) as readonly Line[];
  }

  #select(order: 'ASC' | 'DESC', limit: number, bounded: boolean): string {
    const time = this.kind === 'time';
    const mark = `t."${this.watermark}"`;
    const written = (value: string): string =>
      time ? `to_char(${value} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')` : `${value}::text`;
    const place = (value: string): string => (time ? `(extract(epoch FROM ${value}) * 1000)::text` : `${value}::text`);
    const now = time ? 'clock_timestamp()' : `NULL::bigint`;
    const bound = time ? `$1::timestamptz - $2::float8 * interval '1 second'` : '$1::bigint - $2::bigint';
    const row = this.columns.map((column) => `'${column}', t."${column}"`).join(', ');
    const from = this.table.split('.').map((name) => `"${name}"`);
    return `SELECT t."${this.key}"::text AS key, ${written(mark)} AS watermark, ${place(mark)} AS place,
        ${written(now)} AS now, ${place(now)} AS now_place, json_build_object(${row}) AS row
      FROM ${from.join('.')} t
      WHERE ${bounded ? `${mark} >= ${bound}` : `${mark} IS NOT NULL`}${time ? ` AND isfinite(${mark})` : ''}
      ORDER BY ${mark} ${order}, t."${this.key}" ${order} LIMIT ${limit}`;
  }

  #ceiling([line]: readonly Line[]): { readonly mark: string; readonly place: number } | undefined {
    return line && this.kind === 'time' ? { mark: line.now, place: Number(line.now_place) } : undefined;
  }

  /** They stand in the text of a statement. */
  #requireNames(): void {
    const parts = this.table.split('.');
    const names = [...parts, this.watermark, this.key, ...this.columns];
    const wrong = names.find((name) => typeof name !== 'string' || !NAME.test(name));
    const fits = this.kind === 'time' ? readDuration(this.window) !== undefined : Number.isSafeInteger(this.window);
    if (wrong === undefined && parts.length <= 2 && fits) return;
    throw new FlowStoneError(
      'FLOWSTONE_REQUEST_INVALID',
      wrong === undefined && parts.length <= 2
        ? `window of a table sensor is ${String(this.window)}: give it a duration, or with kind 'number' a whole number.`
        : `A table sensor names ${JSON.stringify(wrong ?? this.table)}: tables (schema.name) and columns are plain names of letters, digits and _.`,
    );
  }
}

function found(line: Line): Found<Line> {
  const { key, watermark: mark, place } = line;
  const id = createHash('sha256').update(`${mark} ${key}`).digest('base64url').slice(0, 16);
  return { id, mark, place: Number(place), thing: line };
}

/** @throws FlowStoneError where what it has to remember does not fit */
export function requireRoom(sensor: string, { window }: Seen): void {
  if (window.length <= MOST_REMEMBERED) return;
  throw new FlowStoneError(
    'FLOWSTONE_REQUEST_INVALID',
    `Sensor ${sensor} has to remember ${window.length} things in its window, more than ${MOST_REMEMBERED}. Give it a shorter window, or less to look at.`,
    { context: { sensor } },
  );
}
