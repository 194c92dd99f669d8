// Flow control of automation: how long changes have to be over, how often and how much may be requested, for each key.
import type { Combination } from '../../ledger/automation.records.js';
import type { Automated, Decision } from './decision.js';

/** What is recorded of one key of an asset. */
export interface FlowFacts {
  /** Partitions that automation requested and that are open. */
  readonly open: number;
  /** When automation requested something last. */
  readonly requestedAt: Date | null;
}

/** Since when a key has been changing, by what was seen of it. Lives in the process that decides. */
interface Change {
  readonly combinations: Map<string, string>;
  first: number;
  last: number;
}

/** Remembers when combinations were seen to change, over many decisions. */
export class Quiet {
  readonly #changes = new Map<string, Change>();

  /** Since when the key has been changing, and when that was seen last. */
  seen(place: string, partition: string, combination: string, now: number): { first: number; last: number } {
    let change = this.#changes.get(place);
    if (!change) this.#changes.set(place, (change = { combinations: new Map(), first: now, last: now }));
    if (change.combinations.get(partition) !== combination) change.last = now;
    change.combinations.set(partition, combination);
    return change;
  }

  /** The key was requested: what changes from now on counts anew. */
  over(place: string): void {
    this.#changes.delete(place);
  }
}

/** Flow control during one decision: what is taken counts at once. */
export class FlowGate {
  readonly #taken = new Map<string, number>();

  constructor(
    private readonly facts: (asset: string, key: string) => FlowFacts,
    private readonly quiet: Quiet,
    private readonly now: Date,
  ) {}

  /** What keeps a partition of the key from being requested now. */
  obstacle(
    { declared, automation }: Automated,
    key: string,
    partition: string,
    combination: Combination,
  ): Decision | undefined {
    const { debounce, throttle, concurrency } = automation;
    if (!debounce && throttle === undefined && concurrency === undefined) return undefined;
    const now = this.now.getTime();
    const of = automation.key === undefined ? '' : ` of ${automation.key} ${JSON.stringify(key)}`;
    const place = `${declared.key} ${key}`;
    const keyed = automation.key !== undefined && { key };
    if (debounce) {
      const text = `${combination.inputs} ${combination.codeVersion} ${combination.definition}`;
      const { first, last } = this.quiet.seen(place, partition, text, now);
      const until = Math.min(last + debounce.quiet, debounce.atMost === null ? Infinity : first + debounce.atMost);
      if (until > now) {
        const message = `it waits until its inputs${of} have been unchanged, at ${new Date(until).toISOString()}`;
        return { kind: 'debounce', message, until: new Date(until), ...keyed };
      }
    }
    const { open, requestedAt } = this.facts(declared.key, key);
    if (throttle !== undefined && requestedAt !== null && requestedAt.getTime() + throttle > now) {
      const until = new Date(requestedAt.getTime() + throttle);
      const message = `it is throttled${of}: next at ${until.toISOString()}`;
      return { kind: 'throttle', message, until, ...keyed };
    }
    const busy = open + (this.#taken.get(place) ?? 0);
    if (concurrency !== undefined && busy >= concurrency) {
      const message = `${busy} of ${concurrency} partitions${of} are open`;
      return { kind: 'concurrency', message, ...keyed };
    }
    return undefined;
  }

  /** A partition of the key is requested. */
  take({ declared }: Automated, key: string): void {
    const place = `${declared.key} ${key}`;
    this.#taken.set(place, (this.#taken.get(place) ?? 0) + 1);
  }

  /** The keys, as `asset key`, of which something was requested. */
  get taken(): Iterable<string> {
    return this.#taken.keys();
  }
}
