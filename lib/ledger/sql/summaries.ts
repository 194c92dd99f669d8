// Summaries of large assets on the database, and the notes of what changed since they were written.
import { setTimeout as pause } from 'node:timers/promises';
import type { HeadChanges, SummaryLedger, SummaryQuery } from '../summaries.port.js';
import type { KeptChunk, KeptSummary, LaneName } from '../summary.records.js';
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
  laneParts,
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

interface KeptRow extends Pick<KeptSummary, 'layout' | 'version' | 'changed'> {
  readonly asset_id: number;
  /** In their order, with the length of their runs. */
  readonly chunks: readonly (readonly [chunk: number, classes: readonly unknown[], runs: number])[];
  readonly runs: string;
  readonly versions: string;
  readonly inputs: string;
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
    ]);
    const found = new Map(rows.map((row) => [row.asset_id, keptSummary(row)]));
    return known.map(([id]) => (id === undefined ? undefined : found.get(id)));
  }

  async lanes(
    ...[asset, version, names, ranges]: Parameters<SummaryLedger['lanes']>
  ): ReturnType<SummaryLedger['lanes']> {
    const [id] = await this.assets.known(this.database, [asset]);
    const rows = await this.database.rows<Record<LaneName, string>>(laneParts(names), [
      id,
      version,
      numbers(ranges.map(({ chunk }) => chunk)),
      numbers(ranges.map(({ from }) => from)),
      numbers(ranges.map(({ length }) => length)),
    ]);
    return rows.length === ranges.length ? rows.map((row) => names.map((name) => bytes(row[name]))) : undefined;
  }

  async changes(asset: string, version: number, after: number, limit: number): Promise<HeadChanges | undefined> {
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

function keptSummary(row: KeptRow): KeptSummary {
  const runs = bytes(row.runs);
  const versions = bytes(row.versions);
  const inputs = bytes(row.inputs);
  const each = row.chunks.length;
  let to = 0;
  const chunks = row.chunks.map(([chunk, classes, length], at): KeptChunk => {
    const part = (sums: Uint8Array): Uint8Array =>
      sums.subarray((sums.length / each) * at, (sums.length / each) * (at + 1));
    to += length;
    return {
      chunk,
      classes,
      runs: runs.subarray(to - length, to),
      versionSums: part(versions),
      inputSums: part(inputs),
    };
  });
  const { layout, version, changed } = row;
  return { layout, version, changed, chunks };
}

/** Of its own, so that numbers can be read from it in place. */
function bytes(base64: string): Uint8Array {
  const read = Buffer.from(base64, 'base64');
  return read.byteOffset % 4 === 0 ? read : Uint8Array.from(read);
}
