// Automation at work: one process of a namespace looks, after each commit that may matter and every now and then, what should be
// computed, and requests it. What is decided follows from what is recorded at that moment, never from news: a crash, a
// failed run or a change during a run loses nothing, since the next look sees it.
import type { DeclaredAsset } from '../../assets/asset.definition.js';
import type { AutomationLedger, AutomationStep } from '../../ledger/automation.port.js';
import type { CheckLedger } from '../../ledger/checks.port.js';
import type { RunRecord, RunRequest } from '../../ledger/records.js';
import type { PlanningFacts } from '../../planning/planning.port.js';
import type { PlanningModel } from '../../planning/planning-model.js';
import type { EventBus } from '../../events/event.bus.js';
import type { FlowStoneEvent } from '../../events/event.js';
import type { EventKind } from '../../ledger/event.catalogue.js';
import { Alarm } from '../../runs/alarm.js';
import { isOutage } from '../../runs/patience.js';
import type { Extent } from '../../planning/scope-extent.js';
import { crashPoint } from '../../runs/crash-points.js';
import type { PreparedRun } from '../../runs/requester.js';
import { AutomatedAssets } from './assets.js';
import type { Requested } from './decide.js';
import { DecisionLog } from './decision.log.js';
import { evaluate, extentOfAll, extentOfChanges, placeOf, type Changes, type Evaluated } from './evaluation.js';
import { flowKey } from './decision.js';
import { Quiet } from './flow.js';
import { Windows } from './windows.js';

/** All is looked at so often at least, ms; longer where a look takes long: at most a twentieth of the time is spent on it. */
const LOOK_AT_ALL = 30_000;
const SHARE = 20;
/** Who does not decide asks so often whether nobody else does, ms. */
const ASK_AGAIN = 2000;
/** Who decides makes sure of that so often, ms. */
const MAKE_SURE = 1000;
/** Between two looks at all, where a condition asks for the time of day, ms. */
const MINUTE = 60_000;
/** Of an asset, beyond so many changed partitions all are looked at. */
const MOST_CHANGES = 5000;

/** After these something may be computed that was not before, or is explained otherwise. */
const NEWS: readonly EventKind[] = [
  'materialization.success',
  'materialization.failed',
  'materialization.upstream_failed',
  'materialization.skipped',
  'materialization.cancelled',
  'asset.invalidated',
  'asset.deleted',
  'asset.version_reported',
  'partitions.added',
  'partitions.removed',
  'automation.resumed',
  'check.passed',
  'check.failed',
  'check.errored',
];

const REQUESTED_BY = 'automation';

export interface ReconcilerParts {
  /** Usable once the ledger is open. */
  readonly ledger: () => AutomationLedger;
  readonly checks: () => Pick<CheckLedger, 'latest'>;
  readonly facts: PlanningFacts;
  readonly model: () => Promise<PlanningModel>;
  /** All that is declared, by the definitions that count. The same list as long as nothing has changed. */
  readonly definitions: () => readonly DeclaredAsset[];
  /** Id of this process as the ledger knows it. */
  readonly process: () => string;
  readonly prepare: (
    request: RunRequest,
    options: { readonly requestedBy: string; readonly priority: number },
    model: PlanningModel,
  ) => Promise<PreparedRun>;
  readonly recorded: (prepared: PreparedRun, run: RunRecord) => Promise<void>;
  /** News of all processes. */
  readonly bus: Pick<EventBus, 'add' | 'listening'>;
  /** A look could not be done; the next one tries again. */
  readonly failed: (error: unknown) => void;
}

export class Reconciler {
  readonly #alarm = new Alarm(() => void this.#looking());
  readonly quiet = new Quiet();
  readonly #log = new DecisionLog();
  #changes = new Map<string, 'all' | Set<string>>();
  #all = true;
  #lookedAtAll = -Infinity;
  /** How long the passes of the look at all under way have taken, ms. */
  #allTook = 0;
  /** What was declared at the last look. */
  #lookedAt: string | undefined;
  readonly #windows = new Windows();
  /** By asset, when it is to be looked at though nothing has changed. */
  readonly #looks = new Map<string, number>();
  /** Assets of which something waits until others of the same key have ended. */
  readonly #crowded = new Set<string>();
  /** When the time of day is to be looked at next. */
  #minute = 0;
  #definitions: Declared | undefined;
  #stopListening: (() => void) | undefined;
  #lead: { readonly process: string; readonly epoch: number; readonly asked: number } | undefined;
  #busy: Promise<void> | undefined;
  #started = false;
  #closed = false;

  constructor(private readonly parts: ReconcilerParts) {}

  /** From now on it looks by itself. */
  start(): void {
    this.#started = true;
    this.#alarm.set(0);
  }

  /** Time has passed in another way than by itself. */
  clockChanged(): void {
    if (this.#started) this.#alarm.set(0);
  }

  /**
   * Looks at all now, where this process decides or nobody does; resolves once that is done. Whether it was. One that does not
   * look by itself decides no longer than that.
   */
  async look(): Promise<boolean> {
    await this.#busy;
    this.#all = true;
    await this.#looking();
    const process = this.#lead?.process;
    if (process !== undefined && !this.#started) {
      this.#deaf();
      await this.parts.ledger().resign(process);
    }
    return process !== undefined;
  }

  /** Something happened: looks soon. */
  #heard({ kind, asset, partition }: FlowStoneEvent): void {
    if (asset === null) this.#all = true;
    else if (!this.#declared().relevant.has(asset)) return;
    else this.#changed(asset, kind === 'automation.resumed' || this.#crowded.has(asset) ? null : partition);
    if (this.#started) this.#alarm.set(0);
  }

  /** @param partition null: any of them */
  #changed(asset: string, partition: string | null): void {
    const known = this.#changes.get(asset);
    if (known === 'all') return;
    if (partition === null || (known?.size ?? 0) > MOST_CHANGES) this.#changes.set(asset, 'all');
    else if (known) known.add(partition);
    else this.#changes.set(asset, new Set([partition]));
  }

  /** Looks no more, and leaves it to others. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#alarm.close();
    await this.#busy;
    const process = this.#lead?.process;
    this.#deaf();
    if (process !== undefined) await this.parts.ledger().resign(process);
  }

  /** One look at a time; what comes meanwhile is looked at after it. */
  async #looking(): Promise<void> {
    while (this.#busy) await this.#busy;
    if (this.#closed) return;
    this.#busy = this.#lookAgainAfter(
      this.#look().catch((error: unknown) => {
        // What was to be looked at is not known any more: all of it.
        this.#all = true;
        this.parts.failed(error);
        return ASK_AGAIN;
      }),
    );
    await this.#busy;
  }

  async #lookAgainAfter(looked: Promise<number>): Promise<void> {
    const next = await looked;
    this.#busy = undefined;
    if (this.#started) this.#alarm.set(next);
  }

  /** Answers with the ms until the next look. */
  async #look(): Promise<number> {
    const { definitions, relevant, text } = this.#declared();
    if (relevant.size === 0) {
      this.#changes.clear();
      return LOOK_AT_ALL;
    }
    if (!(await this.#leads())) {
      // Whoever decides looks at all by itself.
      this.#changes.clear();
      return ASK_AGAIN;
    }
    const { epoch } = this.#lead!;
    const began = performance.now();
    const all = this.#all || this.#lookedAt !== text;
    this.#lookedAt = text;
    const changes: Changes = this.#changes;
    this.#all = false;
    this.#changes = new Map();
    const model = await this.parts.model();
    const assets = new AutomatedAssets(definitions, await this.parts.ledger().states(), model.now);
    const due = assets.due();
    const timely = this.#timely(assets, model.now.getTime());
    const asked = new Map([...changes, ...[...due, ...timely].map((asset) => [asset, 'all'] as const)]);
    const parts = { ...this.parts, windows: this.#windows, quiet: this.quiet };
    const extent = all ? await extentOfAll(model, assets, parts) : await extentOfChanges(model, assets, asked, parts);
    let more = false;
    for (const part of await this.#evaluable(model, assets, extent)) {
      if (!(await this.#take(part, assets, { all, due, epoch }))) {
        this.#deaf();
        this.#all = true;
        return 0;
      }
      this.#remember(part, all ? undefined : asked);
      more ||=
        part.decisions.byNode.size > 0 && [...part.decisions.byNode.values()].some(({ kind }) => kind === 'turn');
    }
    more ||= this.#windows.areOpen;
    if (all) this.#allTook += performance.now() - began;
    if (more) this.#all = true;
    else if (all) {
      this.#lookedAtAll = performance.now() + this.#allTook * SHARE;
      this.#allTook = 0;
    }
    return more ? 0 : this.#next(assets, model.now.getTime());
  }

  /**
   * All at once, so that a chain is one run; where something of it cannot be evaluated, as mappings of users may fail, each
   * asset by itself, and those that cannot be are told.
   */
  async #evaluable(model: PlanningModel, assets: AutomatedAssets, extent: Extent): Promise<readonly Evaluated[]> {
    const parts = { ...this.parts, quiet: this.quiet };
    try {
      return [await evaluate(model, assets, extent, parts)];
    } catch (error) {
      if (isOutage(error) || extent.size < 2) throw error;
    }
    const evaluated: Evaluated[] = [];
    for (const [asset, ranges] of extent) {
      try {
        evaluated.push(await evaluate(model, assets, new Map([[asset, ranges]]), parts));
      } catch (error) {
        if (isOutage(error)) throw error;
        this.parts.failed(error);
      }
    }
    return evaluated;
  }

  /** What counts now; worked out anew where the list is another. */
  #declared(): Declared {
    const definitions = this.parts.definitions();
    if (this.#definitions?.definitions === definitions) return this.#definitions;
    return (this.#definitions = declaredOf(definitions));
  }

  async #leads(): Promise<boolean> {
    const process = this.parts.process();
    const now = performance.now();
    if (this.#lead?.process === process && now - this.#lead.asked < MAKE_SURE) return true;
    const epoch = await this.parts.ledger().lead(process);
    // Somebody else may have decided meanwhile, and whatever came then was not for this process.
    if (epoch !== this.#lead?.epoch) this.#all = true;
    if (epoch === undefined) {
      this.#deaf();
      return false;
    }
    this.#lead = { process, epoch, asked: now };
    if (this.#stopListening) return true;
    this.#stopListening = this.parts.bus.add({
      kinds: NEWS,
      next: (event) => this.#heard(event),
      complete: () => undefined,
    });
    // From here on nothing is missed that the first look does not see.
    await this.parts.bus.listening();
    return true;
  }

  #deaf(): void {
    this.#lead = undefined;
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  /** False: another process decides. */
  async #take(
    { question, decisions, looked }: Evaluated,
    assets: AutomatedAssets,
    { all, due, epoch }: { readonly all: boolean; readonly due: ReadonlySet<string>; readonly epoch: number },
  ): Promise<boolean> {
    const { scope } = question;
    const prepared: PreparedRun[] = [];
    const requested: AutomationStep['requested'][number][] = [];
    const flows = new Map<string, { asset: string; key: string }>();
    const runOf = new Map<string, number>();
    const note = (nodes: readonly Requested[], run: number | null): void => {
      for (const { node, combination, tick } of nodes) {
        const place = placeOf(scope, node);
        requested.push({ ...place, run, combination, tick });
        const asset = assets.byKey.get(place.asset);
        if (run === null || !asset) continue;
        runOf.set(place.asset, run);
        const key = flowKey(asset, place.partition);
        const { debounce, throttle } = asset.automation;
        if (throttle !== undefined) flows.set(`${place.asset} ${key}`, { asset: place.asset, key });
        if (debounce) this.quiet.over(`${place.asset} ${key}`);
      }
    };
    for (const [force, nodes] of [
      [false, decisions.requested],
      [true, decisions.forced],
    ] as const) {
      if (nodes.length === 0) continue;
      const places = nodes.map(({ node }) => placeOf(scope, node));
      const priority = Math.max(0, ...places.map(({ asset }) => assets.byKey.get(asset)?.automation.priority ?? 0));
      const options = { requestedBy: REQUESTED_BY, priority };
      prepared.push(await this.parts.prepare(requestOf(places, force), options, scope.model));
      note(nodes, prepared.length - 1);
    }
    note(decisions.due, null);
    const turns = [...decisions.byNode].filter(([, { kind }]) => kind === 'turn');
    for (const asset of new Set(turns.map(([node]) => scope.assetKeyOf(node)))) this.#windows.again(asset);
    // A tick is attended to once all that it made due is requested, or noted as due.
    const complete = ({ asset }: { readonly asset: string }): boolean =>
      looked.has(asset) && !this.#windows.hasMore(asset) && !turns.some(([node]) => scope.assetKeyOf(node) === asset);
    const ticks = assets.ticks.flatMap((tick) => {
      const { asset, name, last, attendedTo } = tick;
      if (last === undefined || last === attendedTo) return [];
      // What was declared just now is not due by what was before.
      const attended = attendedTo === undefined || ((all || due.has(asset)) && complete(tick));
      return attended ? [{ asset, name, tick: new Date(last) }] : [];
    });
    const settled = decisions.settled.map((node) => placeOf(scope, node));
    const news = this.#log.news(question, decisions, assets, runOf);
    if (requested.length + ticks.length + settled.length + news.length === 0) return true;
    crashPoint('before-automation');
    const runs = await this.parts.ledger().take({
      ...{ process: this.#lead!.process, epoch, requested, settled, ticks },
      runs: prepared.map(({ run, rows }) => ({ run, ...(rows && { plan: rows }) })),
      flows: [...flows.values()],
      decisions: news,
    });
    if (!runs) return false;
    crashPoint('after-automation');
    for (const [place, run] of runs.entries()) await this.parts.recorded(prepared[place]!, run);
    return true;
  }

  /** Assets of which something may be decided otherwise by now, though nothing has changed. */
  #timely(assets: AutomatedAssets, now: number): readonly string[] {
    const timely = [...this.#looks].filter(([, at]) => at <= now).map(([asset]) => asset);
    if (now < this.#minute) return timely;
    this.#minute = (Math.floor(now / MINUTE) + 1) * MINUTE;
    return [...timely, ...assets.mentioning('during')];
  }

  /** @param asked what was looked at; undefined: all */
  #remember({ looks, crowded }: Evaluated, asked: Changes | undefined): void {
    if (asked === undefined) {
      this.#looks.clear();
      this.#crowded.clear();
    }
    for (const [asset, partitions] of asked ?? []) {
      if (partitions !== 'all') continue;
      this.#looks.delete(asset);
      this.#crowded.delete(asset);
    }
    for (const [asset, at] of looks) this.#looks.set(asset, Math.min(at, this.#looks.get(asset) ?? Infinity));
    for (const asset of crowded) this.#crowded.add(asset);
  }

  /** When to look again, ms from now. */
  #next(assets: AutomatedAssets, now: number): number {
    const all = this.#lookedAtAll + LOOK_AT_ALL - performance.now();
    if (all <= 0) this.#all = true;
    const times = assets.ticks.map((tick) => tick.next ?? Infinity);
    times.push(...this.#looks.values());
    if (assets.mentioning('during').length > 0) times.push(this.#minute);
    // Timers may ring a little early.
    return Math.max(0, Math.min(all, Math.min(...times) - now + 1));
  }
}

interface Declared {
  readonly definitions: readonly DeclaredAsset[];
  /** Assets with automation, and all above them. */
  readonly relevant: ReadonlySet<string>;
  /** The same for lists that declare the same. */
  readonly text: string;
}

function declaredOf(definitions: readonly DeclaredAsset[]): Declared {
  const byKey = new Map(definitions.map((declared) => [declared.key, declared]));
  const automated = definitions.filter(({ automation, external }) => automation !== undefined && !external);
  const relevant = new Set(automated.map(({ key }) => key));
  for (const key of relevant) for (const { upstream } of byKey.get(key)?.dependencies ?? []) relevant.add(upstream);
  return { definitions, relevant, text: definitions.map(({ key, hash }) => `${key} ${hash}`).join() };
}

/** A request for exactly these partitions. */
function requestOf(
  places: readonly { readonly asset: string; readonly partition: string }[],
  force: boolean,
): RunRequest {
  const keys = new Map<string, string[]>();
  for (const { asset, partition } of places) {
    const known = keys.get(asset);
    if (known) known.push(partition);
    else keys.set(asset, [partition]);
  }
  const targets = [...keys].map(([asset, partitions]) => ({ asset, partitions: { keys: partitions } }));
  targets.sort((a, b) => (a.asset < b.asset ? -1 : 1));
  return { targets, upstream: 'none', downstream: false, force, forceMaxAge: null };
}
