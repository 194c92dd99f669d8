// Tells what becomes overdue, and on time again: any process may, each is told once. What is known follows from what is recorded,
// so that a crash loses nothing.
import type { DeclaredAsset } from '../../assets/asset.definition.js';
import type { EventBus } from '../../events/event.bus.js';
import type { FreshnessLedger, OverduePartition } from '../../ledger/freshness.port.js';
import type { PlanningModel } from '../../planning/planning-model.js';
import { Alarm } from '../../runs/alarm.js';
import type { FreshnessReader } from './freshness.reader.js';

/** All is looked at so often at least, ms. */
const LOOK = 30_000;
/** After news, what comes meanwhile is looked at together, ms. */
const GATHER = 100;
/** What may only be so old is looked at after each computation, ms: it would be overdue before the next look at all. */
const SHORT = 2 * LOOK;

export interface WatchParts {
  readonly ledger: () => FreshnessLedger;
  readonly reader: FreshnessReader;
  readonly model: () => Promise<PlanningModel>;
  readonly definitions: () => readonly DeclaredAsset[];
  readonly bus: Pick<EventBus, 'add' | 'listening'>;
  /** Something was recorded. */
  readonly recorded: () => void;
  readonly failed: (error: unknown) => void;
}

export class FreshnessWatch {
  readonly #alarm = new Alarm(() => void this.#look());
  #looking: Promise<void> | undefined;
  #again = false;
  #stopListening: (() => void) | undefined;
  /** Assets of which a new version is news. */
  #prompt: ReadonlySet<string> = new Set();
  #started = false;
  #closed = false;

  constructor(private readonly parts: WatchParts) {}

  start(): void {
    this.#started = true;
    this.wake();
  }

  /** Something may be due, or is not any more. Cheap. */
  wake(): void {
    if (this.#started) this.#alarm.set(0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#alarm.close();
    this.#stopListening?.();
    await this.#looking;
  }

  /** Who asks during a look is served by the next. */
  #look(): Promise<void> {
    this.#again = true;
    return (this.#looking ??= this.#keepLooking());
  }

  async #keepLooking(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      const next = await this.#lookOnce().catch((error: unknown) => {
        if (!this.#closed) this.parts.failed(error);
        return LOOK;
      });
      this.#alarm.set(next);
    }
    this.#looking = undefined;
  }

  /** Answers with the ms until the next look. */
  async #lookOnce(): Promise<number> {
    const { ledger, reader, model: fresh, definitions, recorded, failed } = this.parts;
    const watched = definitions().filter(({ freshness }) => freshness !== undefined);
    const known = await ledger().overdue();
    if (watched.length === 0 && known.length === 0) return LOOK;
    await this.#listen();
    const model = await fresh();
    const { all, unknown } = await reader.read(model, watched);
    for (const error of unknown.values()) failed(error);
    const now = model.now.getTime();
    const overdue = all
      .filter(({ due }) => due <= now)
      .map(({ asset, partition, due }): OverduePartition => ({ asset, partition, due: new Date(due) }));
    const short = watched.filter(({ freshness }) => freshness!.maxLag < SHORT);
    this.#prompt = new Set(
      [...overdue, ...known, ...short.map(({ key }) => ({ asset: key }))].map(({ asset }) => asset),
    );
    const before = new Set(known.map(nameOf));
    const after = new Set(overdue.map(nameOf));
    const news = overdue.filter((each) => !before.has(nameOf(each)));
    const over = known.filter((each) => !after.has(nameOf(each)) && !unknown.has(each.asset));
    if (news.length > 0 || over.length > 0) {
      await ledger().tell(news, over);
      recorded();
    }
    const next = all.reduce((first, { due }) => (due > now ? Math.min(first, due) : first), Infinity);
    return Math.min(LOOK, Math.max(1, next - now));
  }

  /** What is committed from here on is heard. */
  async #listen(): Promise<void> {
    if (this.#stopListening) return;
    this.#stopListening = this.parts.bus.add({
      kinds: ['materialization.success', 'asset.version_reported', 'asset.deleted'],
      next: ({ asset }) => {
        if (asset !== null && this.#prompt.has(asset)) this.#alarm.set(GATHER);
      },
      complete: () => undefined,
    });
    await this.parts.bus.listening();
  }
}

function nameOf({ asset, partition }: Pick<OverduePartition, 'asset' | 'partition'>): string {
  return JSON.stringify([asset, partition]);
}
