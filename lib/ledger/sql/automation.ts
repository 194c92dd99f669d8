// Automation on the database: who decides, what is known, and the transaction by which a decision takes effect.
import type { Act, Page, PageRequest } from '../ledger.port.js';
import type {
  AutomationDecision,
  AutomationFlow,
  AutomationLedger,
  AutomationStep,
  PlaceOfAsset,
} from '../automation.port.js';
import type { AutomationFacts, AutomationState, Combination } from '../automation.records.js';
import type { JsonObject, MaterializationStatus, RunRecord } from '../records.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database, Transaction } from './database.js';
import type { Requests } from './requests.js';
import {
  DECISIONS,
  DECISIONS_OF,
  FACTS,
  FLOWS,
  FORGET_REQUESTS,
  KEEP_DECISION,
  LEAD,
  NOTE_FLOWS,
  NOTE_REQUESTS,
  NOTE_TICKS,
  OPEN_REQUESTS,
  PAUSE,
  RESIGN,
  STATES,
  STILL_LEADS,
} from './statements/automating.js';
import { json } from './values.js';

interface StateRow {
  readonly asset_id: number;
  readonly paused_at: Date | null;
  readonly paused_by: string | null;
  readonly paused_reason: string | null;
  readonly ticks: Readonly<Record<string, string>>;
}

interface FactsRow {
  readonly head: number | null;
  readonly invalidated: boolean | null;
  readonly head_at: Date | null;
  readonly open_id: number | null;
  readonly open_run: number;
  readonly open_status: MaterializationStatus;
  readonly ended_id: number | null;
  readonly ended_run: number | null;
  readonly ended_status: MaterializationStatus;
  readonly ended_code: string | null;
  readonly ended_at: Date;
  readonly ended_inputs: string | null;
  readonly ended_code_version: string | null;
  readonly ended_definition: string | null;
  readonly request_run: number | null;
  readonly run_status: RunRecord['status'] | null;
  readonly inputs: string | null;
  readonly code_version: string | null;
  readonly definition: string;
  readonly tick: Date | null;
  readonly requested_at: Date;
}

interface DecisionRow {
  readonly id: number;
  readonly asset_id: number;
  readonly at: Date;
  readonly run_id: number | null;
  readonly detail: JsonObject;
}

/** Thrown to end a transaction that has nothing to say any more; never leaves this file. */
class NotLeading extends Error {}

export class Automation implements AutomationLedger {
  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly assets: AssetNumbers,
    readonly requests: Requests,
  ) {}

  async lead(process: string): Promise<number | undefined> {
    const [row] = await this.database.rows<{ epoch: number }>(LEAD, [this.namespace, process]);
    return row?.epoch;
  }

  async resign(process: string): Promise<void> {
    await this.database.rows(RESIGN, [this.namespace, process]);
  }

  async states(): Promise<readonly AutomationState[]> {
    const rows = await this.database.rows<StateRow>(STATES, [this.namespace]);
    const keyOf = await this.#keysOf(rows);
    return rows.map(({ asset_id, paused_at: at, paused_by: actor, paused_reason: reason, ticks }) => ({
      asset: keyOf(asset_id),
      paused: at && { at, actor, reason },
      ticks: new Map(Object.entries(ticks).map(([name, tick]) => [name, new Date(tick)])),
    }));
  }

  async facts(of: readonly PlaceOfAsset[]): Promise<readonly AutomationFacts[]> {
    if (of.length === 0) return [];
    const rows = await this.database.rows<FactsRow>(FACTS, await this.#columnsOf(this.database, of));
    return rows.map(factsOf);
  }

  async flows(assets: readonly string[]): Promise<readonly AutomationFlow[]> {
    if (assets.length === 0) return [];
    type Row = { readonly asset_id: number; readonly key: string; readonly requested_at: Date };
    const rows = await this.database.rows<Row>(FLOWS, [await this.assets.known(this.database, assets)]);
    const keyOf = await this.#keysOf(rows);
    return rows.map(({ asset_id, key, requested_at: requestedAt }) => ({ asset: keyOf(asset_id), key, requestedAt }));
  }

  async openRequests(assets: readonly string[]): Promise<readonly PlaceOfAsset[]> {
    if (assets.length === 0) return [];
    type Row = { readonly asset_id: number; readonly partition: string };
    const rows = await this.database.rows<Row>(OPEN_REQUESTS, [await this.assets.known(this.database, assets)]);
    const keyOf = await this.#keysOf(rows);
    return rows.map(({ asset_id, partition }) => ({ asset: keyOf(asset_id), partition }));
  }

  async take(step: AutomationStep): Promise<readonly RunRecord[] | undefined> {
    try {
      return await this.database.transaction((sql) => this.#take(sql, step));
    } catch (error) {
      if (error instanceof NotLeading) return undefined;
      throw error;
    }
  }

  async #take(sql: Transaction, step: AutomationStep): Promise<readonly RunRecord[]> {
    const leads = await sql.rows(STILL_LEADS, [this.namespace, step.process, step.epoch]);
    if (leads.length === 0) throw new NotLeading();
    const runs: RunRecord[] = [];
    for (const { run, plan } of step.runs) {
      runs.push((await this.requests.insertRun(run, plan ? { plan } : {}, sql)).run);
    }
    const named = [step.requested, step.settled, step.ticks, step.flows, step.decisions].flat();
    const numberOf = await this.assets.require(
      sql,
      named.map(({ asset }) => asset),
    );
    const runOf = (place: number | null): number | null => (place === null ? null : runs[place]!.id);
    if (step.settled.length > 0) await sql.rows(FORGET_REQUESTS, await this.#columnsOf(sql, step.settled));
    if (step.requested.length > 0) {
      const rows = step.requested.map(
        ({ asset, partition, run, tick, combination: { inputs, codeVersion, definition } }) => ({
          ...{
            asset_id: numberOf(asset),
            partition,
            run_id: runOf(run),
            inputs,
            code_version: codeVersion,
            definition,
            tick,
          },
        }),
      );
      await sql.rows(NOTE_REQUESTS, [json(rows)]);
    }
    for (const { asset, name, tick } of step.ticks) {
      await sql.rows(NOTE_TICKS, [this.namespace, numberOf(asset), json({ [name]: tick })]);
    }
    if (step.flows.length > 0) {
      const keys = step.flows.map(({ key }) => key);
      await sql.rows(NOTE_FLOWS, [step.flows.map(({ asset }) => numberOf(asset)), keys]);
    }
    for (const { asset, run, detail } of step.decisions) {
      await sql.rows(KEEP_DECISION, [this.namespace, numberOf(asset), runOf(run), json(detail)]);
    }
    return runs;
  }

  async pause(asset: string, paused: boolean, { actor, reason }: Act): Promise<boolean> {
    const number = (await this.assets.require(this.database, [asset]))(asset);
    const changed = await this.database.rows(PAUSE, [this.namespace, number, paused, actor, reason]);
    return changed.length > 0;
  }

  async decisions(filter: { readonly asset?: string }, page: PageRequest): Promise<Page<AutomationDecision>> {
    const { before = null, limit } = page;
    const number = filter.asset === undefined ? undefined : await this.assets.known(this.database, [filter.asset]);
    const rows = number
      ? await this.database.rows<DecisionRow>(DECISIONS_OF, [number[0] ?? -1, before, limit + 1])
      : await this.database.rows<DecisionRow>(DECISIONS, [this.namespace, before, limit + 1]);
    const keyOf = await this.#keysOf(rows);
    const items = rows
      .slice(0, limit)
      .map(({ id, asset_id, at, run_id: run, detail }) => ({ id, asset: keyOf(asset_id), at, run, detail }));
    return { items, next: rows.length > limit ? items.at(-1)!.id : null };
  }

  #keysOf(rows: readonly { readonly asset_id: number }[]): Promise<(id: number) => string> {
    return this.assets.keys(
      this.database,
      rows.map(({ asset_id }) => asset_id),
    );
  }

  async #columnsOf(sql: Pick<Database, 'rows'>, of: readonly PlaceOfAsset[]): Promise<[number[], string[]]> {
    const numberOf = await this.assets.require(
      sql,
      of.map(({ asset }) => asset),
    );
    return [of.map(({ asset }) => numberOf(asset)), of.map(({ partition }) => partition)];
  }
}

function factsOf(row: FactsRow): AutomationFacts {
  return {
    open: row.open_id === null ? null : { materialization: row.open_id, run: row.open_run, status: row.open_status },
    ended:
      row.ended_id === null
        ? null
        : {
            materialization: row.ended_id,
            run: row.ended_run,
            status: row.ended_status,
            code: row.ended_code,
            at: row.ended_at,
            combination: combinationIn(row.ended_inputs, row.ended_code_version, row.ended_definition),
          },
    head:
      row.head === null ? null : { materialization: row.head, at: row.head_at!, invalidated: row.invalidated === true },
    request:
      row.inputs === null
        ? null
        : {
            run: row.request_run,
            runStatus: row.run_status,
            combination: { inputs: row.inputs, codeVersion: row.code_version, definition: row.definition },
            tick: row.tick,
            at: row.requested_at,
          },
  };
}

/** Of what did not fail there is no definition. */
function combinationIn(
  inputs: string | null,
  codeVersion: string | null,
  definition: string | null,
): Combination | null {
  return inputs === null || definition === null ? null : { inputs, codeVersion, definition };
}
