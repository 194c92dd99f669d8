// Other processes of the same ledger: they are told when something was recorded here, while any of them listens, and this
// process hears of what they record while somebody listens here.
import type { EventNews } from '../ledger/event-log.port.js';
import { Alarm } from '../runs/alarm.js';

/** Between two pieces of news to others, ms: those of many commits become one. */
const LEAST_PAUSE = 20;

export interface NeighbourParts {
  /** Undefined: there are none, or they cannot be told. */
  readonly news: () => EventNews | undefined;
  /** Whether somebody listens here. */
  readonly isWanted: () => boolean;
  /** Others have recorded something. */
  readonly heard: () => void;
  /** News cannot be had, or given; it is tried again, and a poll finds what there is. */
  readonly failed: (error: unknown) => void;
}

export class Neighbours {
  readonly #telling = new Alarm(() => void this.#tell());
  #toldAt = -Infinity;
  /** Others listen. */
  #listened = false;
  #listening: { close(): Promise<void> } | undefined;
  /** The name under which it is recorded that this process listens. */
  #marked: string | undefined;
  #marking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(private readonly parts: NeighbourParts) {}

  /** Something was recorded here. Cheap; nothing where nobody listens. */
  tell(): void {
    if (this.#listened) this.#telling.set(Math.max(0, this.#toldAt + LEAST_PAUSE - performance.now()));
  }

  /**
   * Somebody may listen here from now on, or no longer; or the lease was renewed.
   * @param process what this process is called in the ledger now
   * @param listened whether others listen, where that was said
   */
  look(process: string, listened = this.#listened): void {
    this.#listened = listened;
    const { heard, failed } = this.parts;
    const news = this.parts.news();
    if (!news?.listen || this.#closed) return;
    const wanted = this.parts.isWanted();
    if (wanted) this.#listening ??= news.listen(heard, failed);
    else void this.#listening?.close();
    if (!wanted) this.#listening = undefined;
    const marked = wanted ? process : undefined;
    if (marked === this.#marked) return;
    const name = marked ?? this.#marked!;
    this.#marked = marked;
    this.#marking = this.#marking
      .then(() => news.mark(name, wanted))
      .catch((error: unknown) => {
        // With the next renewal.
        if (this.#marked === marked) this.#marked = wanted ? undefined : name;
        failed(error);
      });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#telling.close();
    await this.#marking;
    await this.#listening?.close();
    // What was recorded last.
    if (this.#listened) await this.#tell();
  }

  async #tell(): Promise<void> {
    this.#toldAt = performance.now();
    await this.parts
      .news()
      ?.tell()
      .catch((error: unknown) => this.parts.failed(error));
  }
}
