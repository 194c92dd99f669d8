// Summaries of large assets on the database, and the notes of what changed since they were written.
import { setTimeout as pause } from 'node:timers/promises';
import type { HeadRecord } from '../records.js';
import type { SummaryLedger } from '../summaries.port.js';
import {
  LANE_NAMES,
  type HeadChanges,
  type KeptChunk,
  type KeptSummary,
  type LaneRange,
  type SummaryQuery,
} from '../summary.records.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database } from './database.js';
import { headRecord, type HeadRow } from './rows.js';
import {
  CHANGES,
  DROP_ALL_NOTES,
  DROP_CHUNKS,
  DROP_NOTES,
  HEADS_BY_ID,
  KEEP_CHUNK,
  KEPT,
  LANES,
  NEXT_TRANSACTION,
  SETTLE_WATCH,
  TURN_VERSION,
  UNWATCH,
  WATCH,
  WATCHED,
} from './statements/summarizing.js';
import { json, numbers } from './values.js';

/** How often and how long it is waited for transactions that began before an asset was watched; ms. */
const LOOKS = 20;
const LOOK_AGAIN = 25;
// The driver takes several times as long over a long row.
/** Chunks of which the sums come in one row. */
const CHUNKS_OF_ROW = 16;
/** Bytes of lanes in a row, or a part more. */
const BATCH = 32 * 1024;

interface KeptRow extends Pick<KeptSummary, 'layout' | 'version' | 'changed'> {
  readonly asset_id: number;
  /** In their order, with the length of their runs; null where there is none. */
  readonly chunks: readonly (readonly [chunk: number, classes: readonly unknown[], runs: number])[] | null;
  readonly runs: string | null;
  readonly versions: string | null;
  readonly inputs: string | null;
}

export class Summaries implements SummaryLedger {
  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly assets: AssetNumbers,
  ) {}

  async watch(asset: string): Promise<boolean> {
    const id = (await this.assets.require(this.database, [asset]))(asset);
    const [watched] = await this.database.rows<{ settled: boolean }>(WATCH, [id]);
    if (watched?.settled) return true;
    const [point] = await this.database.rows<{ next: string }>(NEXT_TRANSACTION);
    for (let look = 0; look < LOOKS; look++) {
      if (look > 0) await pause(LOOK_AGAIN);
      const settled = await this.database.rows(SETTLE_WATCH, [id, point!.next]);
      if (settled.length > 0) return true;
    }
    return false;
  }

  async watched(): Promise<readonly string[]> {
    const rows = await this.database.rows<{ key: string }>(WATCHED, [this.namespace]);
    return rows.map(({ key }) => key);
  }

  async forget(asset: string): Promise<void> {
    const id = (await this.assets.require(this.database, [asset]))(asset);
    await this.database.transaction(async (sql) => {
      // The row first: who writes a summary holds it.
      for (const removal of [UNWATCH, DROP_CHUNKS, DROP_ALL_NOTES]) await sql.rows(removal, [id]);
    });
  }

  async kept(queries: readonly SummaryQuery[]): Promise<readonly (KeptSummary | undefined)[]> {
    const known = await Promise.all(queries.map(({ asset }) => this.assets.known(this.database, [asset])));
    const wanted = queries.flatMap((query, at) => (known[at]!.length > 0 ? [{ ...query, id: known[at]![0]! }] : []));
    const rows = await this.database.rows<KeptRow>(KEPT, [
      wanted.map(({ id }) => id),
      wanted.map(({ versions }) => versions),
      wanted.map(({ inputs }) => inputs),
      CHUNKS_OF_ROW,
    ]);
    const found = new Map<number, KeptSummary & { readonly chunks: KeptChunk[] }>();
    for (const { asset_id: id, layout, version, changed, ...row } of rows) {
      let summary = found.get(id);
      if (summary === undefined) found.set(id, (summary = { layout, version, changed, chunks: [] }));
      summary.chunks.push(...keptChunks(row));
    }
    return known.map(([id]) => (id === undefined ? undefined : found.get(id)));
  }

  async lanes(ranges: readonly LaneRange[]): Promise<readonly Uint8Array[] | undefined> {
    const ids = new Map<string, number>();
    for (const { asset } of ranges)
      if (!ids.has(asset)) ids.set(asset, (await this.assets.require(this.database, [asset]))(asset));
    const ends: number[] = [];
    let bytesBefore = 0;
    for (const { length } of ranges) ends.push((bytesBefore += length));
    const columns = [
      ranges.map(({ length }, at) => Math.floor((ends[at]! - length) / BATCH)),
      ranges.map(({ asset }) => ids.get(asset)!),
      ranges.map(({ version }) => version),
      ranges.map(({ chunk }) => chunk),
      ranges.map(({ lane }) => LANE_NAMES.indexOf(lane)),
      ranges.map(({ from }) => from),
      ranges.map(({ length }) => length),
    ];
    const rows = await this.database.rows<{ parts: string }>(LANES, columns.map(numbers));
    const read = Buffer.concat(rows.map(({ parts }) => Buffer.from(parts, 'base64')));
    if (read.length !== bytesBefore) return undefined;
    return ranges.map(({ length }, at) => aligned(read.subarray(ends[at]! - length, ends[at])));
  }

  async changes(
    asset: string,
    version: number,
    after: number,
    limit: number,
  ): Promise<HeadChanges<HeadRecord> | undefined> {
    type Row = { readonly notes: readonly number[]; readonly heads: readonly (readonly number[])[] };
    const [id] = await this.assets.known(this.database, [asset]);
    const [row] = await this.database.rows<Row>(CHANGES, [id, version, after, limit]);
    if (!row) return undefined;
    // Read later than the notes: what they tell of is in them, and whatever follows has notes of its own.
    const ids = [...new Set(row.heads.flat())];
    const heads = ids.length > 0 ? await this.database.rows<HeadRow>(HEADS_BY_ID, [numbers(ids)]) : [];
    return { notes: row.notes, heads: heads.map(headRecord) };
  }

  async keep(asset: string, written: Parameters<SummaryLedger['keep']>[1]): Promise<boolean> {
    const id = (await this.assets.require(this.database, [asset]))(asset);
    const { version, layout, anew, chunks, notes } = written;
    return this.database.transaction(async (sql) => {
      const turned = await sql.rows(TURN_VERSION, [id, version, layout]);
      if (turned.length === 0) return false;
      if (anew) await sql.rows(DROP_CHUNKS, [id]);
      for (const { chunk, classes, runs, versionSums, inputSums, lanes } of chunks) {
        const columns = [
          runs,
          versionSums,
          inputSums,
          lanes.versions_0,
          lanes.versions_1,
          lanes.inputs_0,
          lanes.inputs_1,
        ];
        await sql.rows(KEEP_CHUNK, [id, chunk, json(classes), ...columns.map((column) => Buffer.from(column))]);
      }
      if (notes.length > 0) await sql.rows(DROP_NOTES, [id, numbers(notes)]);
      return true;
    });
  }
}

function keptChunks(row: Pick<KeptRow, 'chunks' | 'runs' | 'versions' | 'inputs'>): readonly KeptChunk[] {
  const runs = bytes(row.runs ?? '');
  const versions = bytes(row.versions ?? '');
  const inputs = bytes(row.inputs ?? '');
  const of = row.chunks ?? [];
  let to = 0;
  return of.map(([chunk, classes, length], at) => {
    const part = (sums: Uint8Array): Uint8Array =>
      sums.subarray((sums.length / of.length) * at, (sums.length / of.length) * (at + 1));
    to += length;
    return {
      chunk,
      classes,
      runs: runs.subarray(to - length, to),
      versionSums: part(versions),
      inputSums: part(inputs),
    };
  });
}

function bytes(base64: string): Uint8Array {
  return aligned(Buffer.from(base64, 'base64'));
}

/** So that numbers can be read from it in place. */
function aligned(read: Uint8Array): Uint8Array {
  return read.byteOffset % 4 === 0 ? read : Uint8Array.from(read);
}
