// The resources of one process: what of its assets may begin for them, and what others are told of them.
import { FlowStoneError } from '../flowstone.errors.js';
import type { ContextLogger } from '../assets/asset.context.js';
import type { ProcessLedger } from '../ledger/processes.port.js';
import type { ResourceState } from '../ledger/process.records.js';
import { withPatience } from '../runs/patience.js';
import type { OwnResource } from './declared.resources.js';
import { KeptResource } from './kept.resource.js';

/** A resource as this process knows it. */
export interface ResourceView {
  readonly name: string;
  readonly description: string | undefined;
  readonly state: ResourceState;
  /** Why it is not healthy. */
  readonly message: string | null;
  /** Since when it is in this state, by the clock of this process. */
  readonly since: Date;
  /** When its health was last looked at; null: not yet, or it has no `checkHealth`. */
  readonly checkedAt: Date | null;
  /** Keys of the assets that require it. */
  readonly assets: readonly string[];
}

export interface KeeperParts {
  readonly resources: readonly OwnResource[];
  readonly ledger: () => ProcessLedger;
  /** Id of this process as the ledger knows it. */
  readonly process: () => string;
  readonly loggerOf: (name: string) => ContextLogger;
  readonly random: () => number;
  readonly news: {
    /** Which assets may not begin here. */
    held(assets: ReadonlySet<string>): void;
    turned(view: ResourceView): void;
    /** The ledger knows how they are. */
    told(): void;
    notTornDown(name: string, why: string): void;
    outage(error: unknown): void;
    failed(error: unknown): void;
  };
}

export class ResourceKeeper {
  readonly #kept: readonly KeptResource[];
  readonly #untold = new Set<KeptResource>();
  #telling: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(private readonly parts: KeeperParts) {
    const { loggerOf, random } = parts;
    this.#kept = inOrder(parts.resources).map(
      (own) =>
        new KeptResource(own, { turned: (resource) => this.#turned(resource), logger: loggerOf(own.name), random }),
    );
  }

  /** As they are in this process. */
  get views(): readonly ResourceView[] {
    return this.#kept.map(viewOf).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** This process has entered the ledger: nothing may begin yet, and others know how its resources are. */
  async enter(): Promise<void> {
    if (this.#kept.length === 0) return;
    this.parts.news.held(this.#heldAssets());
    await this.parts.ledger().tellResources(this.parts.process(), this.#kept.map(reportOf));
  }

  /** It has entered anew, under another id. */
  enteredAnew(): void {
    for (const resource of this.#kept) this.#untold.add(resource);
    this.#tell();
  }

  start(): void {
    const byName = new Map(this.#kept.map((resource) => [resource.own.name, resource]));
    for (const resource of this.#kept) resource.begin(resource.own.after.map((name) => byName.get(name)!));
  }

  /**
   * Waits until it is known how these are.
   * @throws FlowStoneError FLOWSTONE_RESOURCE_UNHEALTHY
   */
  async require(instances: readonly unknown[], what: string): Promise<void> {
    const required = this.#kept.filter(({ own }) => instances.includes(own.instance));
    if (required.length > 0) this.start();
    for (const resource of required) {
      await resource.known;
      const { own, state, message } = resource;
      if (state === 'healthy') continue;
      throw new FlowStoneError(
        'FLOWSTONE_RESOURCE_UNHEALTHY',
        `${what} requires the resource '${own.name}', which is not healthy${message === null ? '' : `: ${message}`}. It is looked at again; what it needs may be down.`,
        { context: { resource: own.name, state } },
      );
    }
  }

  /** Tears them down, those first that were set up last; nothing uses them any more. Never throws. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#telling;
    for (const resource of this.#kept.toReversed()) {
      const problem = await resource.end();
      if (problem !== undefined) this.parts.news.notTornDown(resource.own.name, problem);
    }
  }

  #turned(resource: KeptResource): void {
    this.parts.news.turned(viewOf(resource));
    this.parts.news.held(this.#heldAssets());
    this.#untold.add(resource);
    this.#tell();
  }

  #heldAssets(): ReadonlySet<string> {
    return new Set(this.#kept.flatMap(({ own, state }) => (state === 'healthy' ? [] : own.assets)));
  }

  #tell(): void {
    this.#telling ??= this.#tellAll().finally(() => (this.#telling = undefined));
  }

  /** What changes meanwhile is told next. */
  async #tellAll(): Promise<void> {
    const { ledger, process, news } = this.parts;
    while (this.#untold.size > 0 && !this.#closing.signal.aborted) {
      const telling = [...this.#untold];
      this.#untold.clear();
      try {
        await withPatience(
          () => ledger().tellResources(process(), telling.map(reportOf)),
          this.#closing.signal,
          (error) => news.outage(error),
        );
        news.told();
      } catch (error) {
        // Told with the next change.
        for (const resource of telling) this.#untold.add(resource);
        return news.failed(error);
      }
    }
  }
}

/** Each after those that its constructor takes. */
function inOrder(resources: readonly OwnResource[]): readonly OwnResource[] {
  const byName = new Map(resources.map((resource) => [resource.name, resource]));
  const ordered = new Set<OwnResource>();
  const add = (resource: OwnResource, above: readonly OwnResource[]): void => {
    // Classes that take each other by forwardRef have no order.
    if (above.includes(resource)) return;
    for (const name of resource.after) add(byName.get(name)!, [...above, resource]);
    ordered.add(resource);
  };
  for (const resource of resources) add(resource, []);
  return [...ordered];
}

function viewOf({ own, state, message, since, checkedAt }: KeptResource): ResourceView {
  const { name, description, assets } = own;
  return { name, description, state, message, since, checkedAt, assets };
}

function reportOf({ own, state, message }: KeptResource) {
  return { name: own.name, state, message, assets: own.assets };
}
