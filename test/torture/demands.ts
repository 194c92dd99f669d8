// What callers ask for while the torture goes on: random requests to random workers, about so much open work at a time;
// and what they were promised, to be held against the ledger at the end.
import { setTimeout as pause } from 'node:timers/promises';
import type { AssetKey } from './assets.js';
import type { Command, MaterializeRequest } from './command.js';
import type { Crew, Reply, Worker } from './crew.js';
import type { Random } from './random.js';

/** Orders one worker may have to answer at a time. */
const ORDERS_AT_ONCE = 6;
/** Between two looks for someone to ask, ms. */
const BREATH = 10;
/** The newest so many runs are cancelled and retried. */
const REMEMBERED = 40;

const TWELVE = Array.from({ length: 12 }, (_, index) => `p${index}`);
const DAYS = Array.from({ length: 21 }, (_, index) => `2024-01-${String(index + 1).padStart(2, '0')}`);
const SITES = Array.from({ length: 15 }, (_, index) => `site ${index}`);

/** Who decides upon what waits; the last two only because of their role, and what it is escalated to. */
const PEOPLE = ['person 0', 'person 1', 'person 2', 'person 3', 'person 4'];
const ROLES = [[], [], ['reviewer'], ['boss']];
/** How often somebody decides, of the times there is somebody to ask. */
const DECIDING = 0.4;

/** Who asks for what is then rolled back, or forgotten. */
export const ROLLED_BACK = 'rolled back';

/** Which single partitions may be asked for; none: it has no partitions, or only all of them are asked for. */
const PARTITIONS: Readonly<Record<AssetKey, readonly string[]>> = {
  ore: TWELVE,
  ingot: TWELVE,
  plate: TWELVE,
  alloy: [],
  engine: [],
  shipped: [],
  reading: DAYS,
  running_total: DAYS,
  week_report: [],
  site: SITES,
  site_map: [],
  fragile: ['a', 'b', 'c', 'd', 'e', 'f'],
  doomed: ['a', 'b', 'c', 'd', 'e', 'f'],
  sluggish: ['x', 'y', 'z'],
  assay: TWELVE,
  audited: DAYS,
  sealed: [],
};
const WHOLE: ReadonlySet<AssetKey> = new Set(['alloy', 'engine', 'shipped', 'site_map', 'sealed']);
const ASSETS = Object.keys(PARTITIONS) as AssetKey[];

export class Demands {
  /** Runs whose request was acknowledged. */
  readonly acknowledged = new Set<number>();
  /** The run of each run key, and the request it was for. */
  readonly #keys = new Map<string, { readonly request: string; run?: number }>();
  /** What no caller should have met. */
  readonly complaints: string[] = [];
  /** Orders by what came of them, to be shown. */
  readonly tally = new Map<string, number>();
  #keyed = 0;

  constructor(
    private readonly crew: Crew,
    private readonly random: Random,
    /** Whether there is little enough open work. */
    private readonly mayAsk: () => boolean,
  ) {}

  /** Asks until `signal` is aborted. */
  async make(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const free = this.crew.ready.filter(({ open }) => open < ORDERS_AT_ONCE);
      if (free.length > 0 && this.random.chance(DECIDING)) void this.#order(this.random.pick(free), this.#decision());
      if (free.length > 0 && this.mayAsk()) void this.#order(this.random.pick(free), this.#command());
      await pause(BREATH);
    }
  }

  async #order(worker: Worker, command: Command): Promise<void> {
    const reply = await worker.ask(command);
    const came = reply.kind === 'refused' ? reply.error.split('\n')[0] : reply.kind;
    const entry = `${command.act === 'decide' ? command.what : command.act}: ${came}`;
    this.tally.set(entry, (this.tally.get(entry) ?? 0) + 1);
    this.#remember(command, reply);
  }

  #remember(command: Command, reply: Reply): void {
    if (reply.kind === 'refused' && !reply.expected) this.complaints.push(`${JSON.stringify(command)}: ${reply.error}`);
    if (reply.kind !== 'done' || reply.run === undefined) return;
    const { run } = reply;
    if (command.act === 'transact' && command.end !== 'commit') return;
    this.acknowledged.add(run);
    const key = command.act === 'materialize' ? command.options.runKey : undefined;
    const promise = key === undefined ? undefined : this.#keys.get(key);
    if (!promise) return;
    if (promise.run !== undefined && promise.run !== run) {
      this.complaints.push(`run key ${key} gave run ${promise.run}, and then run ${run}`);
    }
    promise.run = run;
  }

  #decision(): Command {
    const { random } = this;
    const what = random.pick([
      ...(['approve', 'approve', 'approve', 'modify', 'reject', 'escalate', 'extend', 'comment'] as const),
    ]);
    return { act: 'decide', what, which: random.next(), by: random.pick(PEOPLE), roles: random.pick(ROLES) };
  }

  #command(): Command {
    const { random } = this;
    const kind = random.next();
    const recent = [...this.acknowledged].slice(-REMEMBERED);
    if (kind < 0.06 && recent.length > 0) return { act: 'cancel', run: random.pick(recent) };
    if (kind < 0.12 && recent.length > 0) return { act: 'retry', run: random.pick(recent) };
    if (kind < 0.2) {
      const asset = random.pick(ASSETS);
      return { act: 'invalidate', asset, partition: this.#partition(asset) };
    }
    if (kind < 0.23) return { act: random.chance(0.7) ? 'add' : 'remove', keys: [random.pick(SITES)] };
    if (kind < 0.35) {
      const asset = random.pick(ASSETS.filter((key) => PARTITIONS[key].length > 0 || WHOLE.has(key)));
      const maxAge = random.chance(0.3) ? random.between(100, 3000) : undefined;
      return { act: 'ensure', asset, partition: this.#partition(asset), maxAge };
    }
    const keyed = random.chance(0.15) ? this.#keyedRequest() : undefined;
    const { asset, options } = keyed ?? this.#request();
    if (keyed || random.chance(0.9)) return { act: 'materialize', asset, options };
    if (random.chance(0.6)) return { act: 'transact', asset, options, end: 'commit' };
    const end = random.chance(0.7) ? 'rollback' : 'forget';
    return { act: 'transact', asset, options: { ...options, requestedBy: ROLLED_BACK }, end };
  }

  /** One that was asked for under the same key already, or will be. */
  #keyedRequest(): { asset: AssetKey; options: MaterializeRequest } {
    const key = `key ${this.#keyed + Math.floor(this.random.between(0, 4))}`;
    if (this.random.chance(0.3)) this.#keyed++;
    const known = this.#keys.get(key);
    if (known) return JSON.parse(known.request) as { asset: AssetKey; options: MaterializeRequest };
    const { asset, options } = this.#request();
    const request = { asset, options: { ...options, runKey: key } };
    this.#keys.set(key, { request: JSON.stringify(request) });
    return request;
  }

  #request(): { asset: AssetKey; options: MaterializeRequest } {
    const { random } = this;
    const asset = random.pick(ASSETS);
    const options: MaterializeRequest = {
      upstream: random.pick(['stale', 'stale', 'stale', 'all', 'none'] as const),
      force: random.chance(0.5),
      downstream: random.chance(0.2),
      priority: Math.floor(random.between(-2, 5)),
      failFast: random.chance(0.15),
      ...(random.chance(0.25) && { maxConcurrency: Math.floor(random.between(1, 4)) }),
    };
    if (WHOLE.has(asset)) return { asset, options };
    const partitions = random.pick(['all', 'all', 'missing', 'stale', 'failed', 'one', 'one', 'one', 'some'] as const);
    if (partitions !== 'one' && partitions !== 'some') return { asset, options: { ...options, partitions } };
    const partition = this.#partition(asset);
    if (partition === undefined) return { asset, options: { ...options, partitions: 'all' } };
    if (partitions === 'one') return { asset, options: { ...options, partition } };
    const some = [...new Set([partition, this.#partition(asset)!, this.#partition(asset)!])];
    return { asset, options: { ...options, partitions: some } };
  }

  #partition(asset: AssetKey): string | undefined {
    return PARTITIONS[asset].length === 0 ? undefined : this.random.pick(PARTITIONS[asset]);
  }
}
