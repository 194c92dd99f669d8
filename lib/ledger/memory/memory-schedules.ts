// Schedules in memory: which there are, and the step in which a tick and its run are recorded.
import type { JsonObject } from '../json.js';
import type { Page } from '../page.js';
import type { Act, RunRecord } from '../records.js';
import type { ScheduleRecord, TickRecord } from '../schedule.records.js';
import type { AttendedTick, DeclaredSchedule, ReadSchedule, ScheduleLedger, TickPage } from '../schedules.port.js';
import { insertRun } from './memory-requests.js';
import type { MemoryState } from './memory-state.js';

interface Definition extends DeclaredSchedule {
  readonly first: number;
  readonly processes: Set<string>;
}

interface Kept {
  readonly id: number;
  readonly name: string;
  declared: boolean;
  definition: JsonObject;
  hash: string;
  clock: string;
  watermark: number;
  generation: number;
  paused: ScheduleRecord['paused'];
  lastRun: number | null;
  held: { readonly by: string; readonly until: number } | null;
  readonly createdAt: Date;
  readonly definitions: Definition[];
  readonly ticks: Map<number, TickRecord>;
}

export class MemorySchedules implements ScheduleLedger {
  readonly #kept = new Map<string, Kept>();
  #last = 0;
  #lastDefinition = 0;

  constructor(private readonly state: MemoryState) {}

  async declare(process: string, declared: readonly DeclaredSchedule[]): Promise<void> {
    for (const each of declared) {
      const { name, definition, hash, clock } = each;
      const kept = this.#kept.get(name) ?? this.#add(name, { declared: true, definition, hash, clock });
      kept.declared = true;
      let known = kept.definitions.find((other) => other.hash === hash);
      if (!known) kept.definitions.push((known = { ...each, first: ++this.#lastDefinition, processes: new Set() }));
      known.processes.add(process);
    }
    for (const kept of this.#kept.values()) {
      const counts = kept.definitions
        .filter((definition) => this.#lives(definition))
        .sort((a, b) => b.first - a.first)[0];
      if (!kept.declared || !counts || counts.hash === kept.hash) continue;
      if (counts.clock !== kept.clock) kept.watermark = this.state.clock();
      kept.generation++;
      Object.assign(kept, { definition: counts.definition, hash: counts.hash, clock: counts.clock });
    }
  }

  async all(): Promise<{ readonly schedules: readonly ScheduleRecord[]; readonly now: Date }> {
    const byName = [...this.#kept.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return { schedules: byName.map((kept) => this.#record(kept)), now: new Date(this.state.clock()) };
  }

  async take(schedule: number, process: string, lease: number): Promise<boolean> {
    const kept = this.#require(schedule);
    const now = this.state.clock();
    if (kept.held && kept.held.by !== process && kept.held.until >= now) return false;
    kept.held = { by: process, until: now + lease };
    return true;
  }

  async leave(schedule: number, process: string): Promise<void> {
    const kept = this.#require(schedule);
    if (kept.held?.by === process) kept.held = null;
  }

  async attend(
    { id, generation, watermark: before }: ReadSchedule,
    tick: AttendedTick,
    watermark: Date,
  ): Promise<readonly RunRecord[] | undefined> {
    const kept = this.#find(id);
    if (kept?.generation !== generation || kept.watermark !== before.getTime() || kept.paused) return undefined;
    if (kept.watermark >= watermark.getTime()) return undefined;
    if (kept.ticks.has(tick.tick.getTime())) return undefined;
    kept.watermark = watermark.getTime();
    const run = this.#attended(kept, tick, null);
    return run ? [run] : [];
  }

  async dequeue(tick: AttendedTick): Promise<readonly RunRecord[] | undefined> {
    const kept = this.#find(tick.schedule);
    if (kept?.ticks.get(tick.tick.getTime())?.status !== 'queued') return undefined;
    const run = this.#attended(kept, tick, null);
    return run ? [run] : [];
  }

  async runNow(
    schedule: number,
    run: NonNullable<AttendedTick['run']>,
    { actor, reason }: Act,
  ): Promise<{ readonly run: RunRecord; readonly tick: Date }> {
    const kept = this.#require(schedule);
    let at = this.state.clock();
    while (kept.ticks.has(at)) at++;
    const tick = new Date(at);
    return { run: this.#attended(kept, { schedule, tick, status: 'fired', reason, run }, actor)!, tick };
  }

  async create(name: string, definition: JsonObject, hash: string, act: Act): Promise<boolean> {
    if (this.#kept.has(name)) return false;
    this.#add(name, { declared: false, definition, hash, clock: '' });
    return this.#told('schedule.created', name, act);
  }

  async update(name: string, definition: JsonObject, hash: string, reset: boolean, act: Act): Promise<boolean> {
    const kept = this.#kept.get(name);
    if (!kept || kept.declared) return false;
    Object.assign(kept, { definition, hash, generation: kept.generation + 1 });
    if (reset) kept.watermark = this.state.clock();
    return this.#told('schedule.updated', name, act);
  }

  async pause(name: string, paused: boolean, act: Act): Promise<boolean> {
    const kept = this.#kept.get(name);
    if (!kept || (kept.paused !== null) === paused) return false;
    kept.generation++;
    kept.paused = paused ? { ...act, at: new Date(this.state.clock()) } : null;
    if (!paused) kept.watermark = this.state.clock();
    return this.#told(paused ? 'schedule.paused' : 'schedule.resumed', name, act);
  }

  async remove(name: string, act: Act): Promise<boolean> {
    const kept = this.#kept.get(name);
    if (!kept || (kept.declared && kept.definitions.some((definition) => this.#lives(definition)))) return false;
    this.#kept.delete(name);
    return this.#told('schedule.deleted', name, act);
  }

  async ticks(schedule: number, { limit, before }: TickPage): Promise<Page<TickRecord>> {
    const found = [...this.#require(schedule).ticks.values()]
      .filter(({ tick }) => !before || tick < before)
      .sort((a, b) => b.tick.getTime() - a.tick.getTime());
    const items = found.slice(0, limit);
    return { items, next: found.length > limit ? items.at(-1)!.tick.getTime() : null };
  }

  #attended(kept: Kept, { tick, status, reason, run }: AttendedTick, by: string | null): RunRecord | undefined {
    const requested = run && insertRun(this.state, run.run, run.plan ? { plan: run.plan } : {}).run;
    const { name } = kept;
    const at = new Date(this.state.clock());
    kept.ticks.set(tick.getTime(), { schedule: name, tick, status, run: requested?.id ?? null, reason, by, at });
    if (requested) kept.lastRun = requested.id;
    const detail = { schedule: name, tick: tick.toISOString(), reason };
    this.state.tell(`schedule.${status}`, { run: requested?.id ?? null, actor: by, detail });
    return requested;
  }

  #add(name: string, fields: Pick<Kept, 'declared' | 'definition' | 'hash' | 'clock'>): Kept {
    const now = this.state.clock();
    const kept: Kept = {
      ...fields,
      ...{ id: ++this.#last, name, watermark: now, generation: 0, paused: null, lastRun: null, held: null },
      ...{ createdAt: new Date(now), definitions: [], ticks: new Map() },
    };
    this.#kept.set(name, kept);
    return kept;
  }

  #told(kind: `schedule.${'created' | 'updated' | 'paused' | 'resumed' | 'deleted'}`, name: string, act: Act): boolean {
    this.state.tell(kind, { actor: act.actor, detail: { schedule: name, reason: act.reason } });
    return true;
  }

  #lives({ processes }: Definition): boolean {
    return [...processes].some((id) => (this.state.processes.get(id)?.leaseUntil ?? 0) > this.state.clock());
  }

  #find(id: number): Kept | undefined {
    return [...this.#kept.values()].find((kept) => kept.id === id);
  }

  #require(id: number): Kept {
    const kept = this.#find(id);
    if (!kept) throw new Error(`There is no schedule ${id}.`);
    return kept;
  }

  #record(kept: Kept): ScheduleRecord {
    const { id, name, declared, definition, hash, watermark, generation, paused, lastRun, createdAt } = kept;
    const run = lastRun === null ? undefined : this.state.runs.get(lastRun);
    const queued = [...kept.ticks.values()]
      .filter(({ status }) => status === 'queued')
      .map(({ tick }) => tick.getTime());
    return {
      ...{ id, name, declared, definition, hash, generation, paused, createdAt },
      live: !declared || kept.definitions.some((each) => each.hash === hash && this.#lives(each)),
      watermark: new Date(watermark),
      lastRun: lastRun === null ? null : { id: lastRun, open: run?.completedAt === null, status: run?.status ?? null },
      queued: queued.length > 0 ? new Date(Math.min(...queued)) : null,
    };
  }
}
