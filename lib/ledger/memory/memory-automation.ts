// Automation in memory: who decides, what is known, and the step by which a decision takes effect.
import type { Act, Page, PageRequest } from '../ledger.port.js';
import type {
  AutomationDecision,
  AutomationFlow,
  AutomationLedger,
  AutomationStep,
  PlaceOfAsset,
} from '../automation.port.js';
import type { AutomationFacts, AutomationState, AutomationRequest } from '../automation.records.js';
import type { RunRecord } from '../records.js';
import { isTerminal } from '../transitions.js';
import { pageOf } from './memory-reads.js';
import { insertRun } from './memory-requests.js';
import type { Row } from './memory-rows.js';
import type { MemoryState } from './memory-state.js';

/** As many as the database keeps of each asset. */
const DECISIONS_KEPT = 100;

interface Noted {
  paused: AutomationState['paused'];
  readonly ticks: Map<string, Date>;
  readonly requests: Map<string, AutomationRequest>;
  readonly flows: Map<string, Date>;
}

export class MemoryAutomation implements AutomationLedger {
  #leader: string | null = null;
  #epoch = 0;
  readonly #noted = new Map<string, Noted>();
  #decisions: AutomationDecision[] = [];
  #lastDecision = 0;

  constructor(private readonly state: MemoryState) {}

  async lead(process: string): Promise<number | undefined> {
    if (this.#leader === process) return this.#epoch;
    const leader = this.#leader === null ? undefined : this.state.processes.get(this.#leader);
    if (leader && leader.leaseUntil > this.state.clock()) return undefined;
    this.#leader = process;
    return ++this.#epoch;
  }

  async resign(process: string): Promise<void> {
    if (this.#leader === process) this.#leader = null;
  }

  async states(): Promise<readonly AutomationState[]> {
    return Array.from(this.#noted, ([asset, { paused, ticks }]) => ({ asset, paused, ticks }));
  }

  async facts(of: readonly PlaceOfAsset[]): Promise<readonly AutomationFacts[]> {
    const wanted = new Map(of.map((place) => [nameOf(place), [] as Row[]]));
    for (const row of this.state.rows.values()) wanted.get(nameOf(row))?.push(row);
    return of.map((place) => this.#factsOf(place, wanted.get(nameOf(place))!));
  }

  async flows(assets: readonly string[]): Promise<readonly AutomationFlow[]> {
    return assets.flatMap((asset) =>
      Array.from(this.#noted.get(asset)?.flows ?? [], ([key, requestedAt]) => ({ asset, key, requestedAt })),
    );
  }

  async openRequests(assets: readonly string[]): Promise<readonly PlaceOfAsset[]> {
    const open = new Set<string>();
    for (const row of this.state.rows.values()) if (!isTerminal(row.status)) open.add(nameOf(row));
    return assets.flatMap((asset) =>
      [...(this.#noted.get(asset)?.requests ?? [])]
        .map(([partition, { run }]) => ({ asset, partition, run }))
        .filter((place) => place.run !== null && open.has(nameOf(place)))
        .map(({ partition }) => ({ asset, partition })),
    );
  }

  async take(step: AutomationStep): Promise<readonly RunRecord[] | undefined> {
    if (this.#leader !== step.process || this.#epoch !== step.epoch) return undefined;
    const runs = step.runs.map(({ run, plan }) => insertRun(this.state, run, plan ? { plan } : {}).run);
    const at = new Date(this.state.clock());
    for (const { asset, partition } of step.settled) this.#of(asset).requests.delete(partition);
    for (const { asset, partition, run, combination, tick } of step.requested) {
      const request = { run: run === null ? null : runs[run]!.id, combination, tick, at };
      this.#of(asset).requests.set(partition, request);
    }
    for (const { asset, name, tick } of step.ticks) this.#of(asset).ticks.set(name, tick);
    for (const { asset, key } of step.flows) this.#of(asset).flows.set(key, at);
    for (const { asset, run, detail } of step.decisions) {
      const id = ++this.#lastDecision;
      this.#decisions.push({ id, asset, at, run: run === null ? null : runs[run]!.id, detail });
      const [oldest, ...others] = this.#decisions.filter((decision) => decision.asset === asset);
      if (others.length >= DECISIONS_KEPT) this.#decisions = this.#decisions.filter((decision) => decision !== oldest);
    }
    return runs;
  }

  async pause(asset: string, paused: boolean, { actor, reason }: Act): Promise<boolean> {
    const noted = this.#of(asset);
    if ((noted.paused !== null) === paused) return false;
    noted.paused = paused ? { actor, reason, at: new Date(this.state.clock()) } : null;
    this.state.tell(paused ? 'automation.paused' : 'automation.resumed', { asset, actor, detail: { reason } });
    return true;
  }

  async decisions({ asset }: { readonly asset?: string }, page: PageRequest): Promise<Page<AutomationDecision>> {
    const found = this.#decisions.filter((decision) => asset === undefined || decision.asset === asset);
    return pageOf(found, page, (decision) => decision);
  }

  #of(asset: string): Noted {
    let noted = this.#noted.get(asset);
    if (!noted) {
      noted = { paused: null, ticks: new Map(), requests: new Map(), flows: new Map() };
      this.#noted.set(asset, noted);
    }
    return noted;
  }

  #factsOf({ asset, partition }: PlaceOfAsset, rows: readonly Row[]): AutomationFacts {
    const head = this.state.heads.get(asset)?.get(partition);
    const version = head?.materialization == null ? undefined : this.state.rows.get(head.materialization);
    const request = this.#noted.get(asset)?.requests.get(partition);
    const open = rows.findLast(({ status }) => !isTerminal(status));
    const ended = rows
      .filter(({ status }) => isTerminal(status))
      .sort((a, b) => a.completedAt!.getTime() - b.completedAt!.getTime() || a.id - b.id)
      .at(-1);
    return {
      open: open ? { materialization: open.id, run: open.run!, status: open.status } : null,
      ended: ended
        ? {
            materialization: ended.id,
            run: ended.run,
            status: ended.status,
            code: ended.error?.code ?? null,
            at: ended.completedAt!,
            combination:
              ended.inputs === null || ended.definition === null
                ? null
                : { inputs: ended.inputs, codeVersion: ended.codeVersion, definition: ended.definition },
          }
        : null,
      head: version ? { materialization: version.id, at: version.completedAt!, invalidated: head!.invalidated } : null,
      request: request ? { ...request, runStatus: this.state.runs.get(request.run ?? -1)?.status ?? null } : null,
    };
  }
}

function nameOf({ asset, partition }: PlaceOfAsset): string {
  return `${asset} ${partition}`;
}
