// Sensors in memory: which there are, and the step in which a cursor moves together with what it requests.
import { FlowStoneError } from '../../flowstone.errors.js';
import type { JsonObject, JsonValue } from '../json.js';
import type { Page, PageRequest } from '../page.js';
import type { Act, RunRecord } from '../records.js';
import type { EvaluationRecord, SensorPartitions, SensorRecord, SensorRun } from '../sensor.records.js';
import {
  KEPT_EVALUATIONS,
  type CommittedEvaluation,
  type DeclaredSensor,
  type EvaluationCause,
  type NewEvaluation,
  type SensorLedger,
  type TakenSensor,
} from '../sensors.port.js';
import { addPartitions } from './memory-acts.js';
import { insertRun } from './memory-requests.js';
import type { MemoryState } from './memory-state.js';

interface Definition extends DeclaredSensor {
  readonly first: number;
  readonly processes: Set<string>;
}

interface Kept {
  readonly id: number;
  readonly name: string;
  definition: JsonObject;
  hash: string;
  cursor: JsonValue | null;
  generation: number;
  failures: number;
  lastError: string | null;
  evaluatedAt: Date | null;
  nextAt: number;
  paused: SensorRecord['paused'];
  held: { readonly by: string; readonly until: number } | null;
  readonly createdAt: Date;
  readonly definitions: Definition[];
  evaluations: EvaluationRecord[];
  readonly deliveries: Map<string, EvaluationRecord>;
}

export class MemorySensors implements SensorLedger {
  readonly #kept = new Map<string, Kept>();
  #last = 0;
  #lastDefinition = 0;
  #lastEvaluation = 0;

  constructor(private readonly state: MemoryState) {}

  async declare(process: string, declared: readonly DeclaredSensor[]): Promise<void> {
    for (const each of declared) {
      const kept = this.#kept.get(each.name) ?? this.#add(each);
      let known = kept.definitions.find((other) => other.hash === each.hash);
      if (!known) kept.definitions.push((known = { ...each, first: ++this.#lastDefinition, processes: new Set() }));
      known.processes.add(process);
    }
    for (const kept of this.#kept.values()) {
      const alive = kept.definitions.filter((definition) => this.#lives(definition));
      const counts = alive.sort((a, b) => b.first - a.first)[0];
      if (!counts || counts.hash === kept.hash) continue;
      this.#change(kept);
      Object.assign(kept, { definition: counts.definition, hash: counts.hash });
    }
  }

  async all(): Promise<{ readonly sensors: readonly SensorRecord[]; readonly now: Date }> {
    const byName = [...this.#kept.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return { sensors: byName.map((kept) => this.#record(kept)), now: new Date(this.state.clock()) };
  }

  async take(
    name: string,
    hash: string,
    process: string,
    lease: number,
    cause: EvaluationCause,
  ): Promise<TakenSensor | undefined> {
    const kept = this.#kept.get(name);
    const now = this.state.clock();
    if (kept?.hash !== hash) return undefined;
    const wanted = !kept.paused && (kept.nextAt <= now || (cause === 'news' && kept.failures === 0));
    if (cause !== 'asked' && !wanted) return undefined;
    if (kept.held && kept.held.until >= now && this.#isAlive(kept.held.by)) return undefined;
    kept.held = { by: process, until: now + lease };
    const { id, cursor, evaluatedAt, failures } = kept;
    return { id, generation: ++kept.generation, cursor, evaluatedAt, failures, now: new Date(now) };
  }

  async leave({ id, generation }: TakenSensor): Promise<void> {
    const kept = this.#require(id);
    if (kept.generation === generation) kept.held = null;
  }

  async commit(
    { id, generation, failures }: TakenSensor,
    evaluation: NewEvaluation,
    next: number,
  ): Promise<CommittedEvaluation | undefined> {
    const kept = this.#require(id);
    const now = this.state.clock();
    if (kept.generation !== generation || !kept.held || kept.held.until <= now) return undefined;
    const { status, reason, cursor, stop } = evaluation;
    const { name: sensor } = kept;
    this.#change(kept);
    kept.nextAt = now + next;
    if (cursor !== undefined) kept.cursor = structuredClone(cursor);
    if (status === 'failed') {
      kept.lastError = reason ?? '';
      this.state.tell('sensor.failed', { detail: { sensor, reason, failures: ++kept.failures } });
    } else {
      Object.assign(kept, { failures: 0, lastError: null, evaluatedAt: new Date(now) });
      if (failures > 0) this.state.tell('sensor.recovered', { detail: { sensor, failures } });
    }
    if (stop) {
      kept.paused = { actor: null, reason, at: new Date(now) };
      this.state.tell('sensor.paused', { detail: { sensor, reason } });
    }
    return this.#evaluated(kept, evaluation);
  }

  async deliver(
    sensor: number,
    delivery: string,
    evaluation: NewEvaluation,
    keep: number,
  ): Promise<(CommittedEvaluation & { readonly repeated: boolean }) | undefined> {
    const kept = this.#require(sensor);
    const before = kept.deliveries.get(delivery);
    if (before) return { evaluation: before, created: [], repeated: true };
    if (kept.paused) return undefined;
    const committed = this.#evaluated(kept, evaluation);
    kept.deliveries.set(delivery, committed.evaluation);
    for (const [old, { at }] of kept.deliveries) {
      if (at.getTime() >= this.state.clock() - keep) break;
      kept.deliveries.delete(old);
    }
    return { ...committed, repeated: false };
  }

  async delivered(sensor: number, delivery: string): Promise<EvaluationRecord | undefined> {
    return this.#require(sensor).deliveries.get(delivery);
  }

  async pause(name: string, paused: boolean, act: Act): Promise<boolean> {
    const kept = this.#kept.get(name);
    if (!kept || (kept.paused !== null) === paused) return false;
    this.#change(kept);
    kept.paused = paused ? { ...act, at: new Date(this.state.clock()) } : null;
    if (!paused) Object.assign(kept, { nextAt: this.state.clock(), failures: 0 });
    const detail = { sensor: name, reason: act.reason };
    this.state.tell(paused ? 'sensor.paused' : 'sensor.resumed', { actor: act.actor, detail });
    return true;
  }

  async setCursor(name: string, cursor: JsonValue | null, { actor, reason }: Act): Promise<boolean> {
    const kept = this.#kept.get(name);
    if (!kept) return false;
    this.#change(kept);
    const detail = { sensor: name, reason, before: kept.cursor, after: cursor };
    if (cursor === null) kept.evaluatedAt = null;
    const fresh = { failures: 0, lastError: null, nextAt: this.state.clock() };
    Object.assign(kept, { cursor: structuredClone(cursor), ...fresh });
    this.state.tell('sensor.cursor_set', { actor, detail });
    return true;
  }

  async remove(name: string, { actor, reason }: Act): Promise<boolean> {
    const kept = this.#kept.get(name);
    if (!kept || kept.definitions.some((definition) => this.#lives(definition))) return false;
    this.#kept.delete(name);
    this.state.tell('sensor.deleted', { actor, detail: { sensor: name, reason } });
    return true;
  }

  async evaluations(sensor: number, { limit, before = Infinity }: PageRequest): Promise<Page<EvaluationRecord>> {
    const found = this.#require(sensor)
      .evaluations.filter(({ id }) => id < before)
      .toReversed();
    const items = found.slice(0, limit);
    return { items, next: found.length > limit ? items.at(-1)!.id : null };
  }

  /** Who evaluates it does so in vain. */
  #change(kept: Kept): void {
    kept.generation++;
    kept.held = null;
  }

  #evaluated(kept: Kept, { status, reason, by, ...asked }: NewEvaluation): CommittedEvaluation {
    const { name: sensor } = kept;
    const partitions = asked.partitions.map(({ scheme, keys }): SensorPartitions => {
      const added = addPartitions(this.state, scheme, keys, { actor: `sensor ${sensor}`, reason: null });
      return { scheme, added };
    });
    const created: (RunRecord | undefined)[] = [];
    const runs = asked.runs.map(({ run, plan, runKey }): SensorRun => {
      try {
        const inserted = insertRun(this.state, run, plan ? { plan } : {});
        created.push(inserted.created ? inserted.run : undefined);
        return { run: inserted.run.id, runKey, outcome: inserted.created ? 'requested' : 'repeated' };
      } catch (error) {
        if (!(error instanceof FlowStoneError) || error.code !== 'FLOWSTONE_RUN_KEY_CONFLICT') throw error;
        created.push(undefined);
        return { run: Number(error.context['run']), runKey, outcome: 'conflict' };
      }
    });
    const id = ++this.#lastEvaluation;
    const at = new Date(this.state.clock());
    const evaluation: EvaluationRecord = { id, sensor, status, reason, runs, partitions, by, at };
    if (status === 'requested') {
      const detail = { sensor, evaluation: id, runs: created.flatMap((run) => run?.id ?? []) };
      const added = partitions.map((each) => ({ ...each, added: [...each.added] }));
      this.state.tell('sensor.requested', { actor: by, detail: { ...detail, partitions: added } });
    }
    kept.evaluations.push(evaluation);
    this.#forget(kept);
    return { evaluation, created };
  }

  #forget(kept: Kept): void {
    const left = { requested: KEPT_EVALUATIONS.requested as number, others: KEPT_EVALUATIONS.others as number };
    kept.evaluations = kept.evaluations
      .toReversed()
      .filter(({ status }) => left[status === 'requested' ? 'requested' : 'others']-- > 0)
      .toReversed();
  }

  #add({ name, definition, hash, paused }: DeclaredSensor): Kept {
    const now = new Date(this.state.clock());
    const kept: Kept = {
      ...{ id: ++this.#last, name, definition, hash, cursor: null, generation: 0, failures: 0, lastError: null },
      ...{ evaluatedAt: null, nextAt: now.getTime(), held: null, createdAt: now },
      paused: paused ? { actor: null, reason: 'declared so', at: now } : null,
      ...{ definitions: [], evaluations: [], deliveries: new Map() },
    };
    this.#kept.set(name, kept);
    return kept;
  }

  #lives({ processes }: Definition): boolean {
    return [...processes].some((id) => this.#isAlive(id));
  }

  #isAlive(process: string): boolean {
    return (this.state.processes.get(process)?.leaseUntil ?? 0) > this.state.clock();
  }

  #require(id: number): Kept {
    const kept = [...this.#kept.values()].find((each) => each.id === id);
    if (!kept) throw new Error(`There is no sensor ${id}.`);
    return kept;
  }

  #record(kept: Kept): SensorRecord {
    const { id, name, definition, hash, cursor, evaluatedAt, nextAt, failures, lastError, paused, createdAt } = kept;
    return {
      ...{ id, name, definition, hash, cursor, evaluatedAt, failures, lastError, paused, createdAt },
      live: kept.definitions.some((each) => each.hash === hash && this.#lives(each)),
      nextAt: new Date(nextAt),
    };
  }
}
