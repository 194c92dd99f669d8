// Other processes of the same ledger: they are told when something was recorded here, while any of them listens, and this
// process hears of what they record while somebody listens here.
import type { EventNews } from '../ledger/event-log.port.js';
import { isRecord } from '../assets/expectations.js';
import type { ExecutionProgress } from '../runs/run.signals.js';
import { Alarm } from '../runs/alarm.js';

/** Between two pieces of news to others, ms: those of many commits become one. */
const LEAST_PAUSE = 20;
/** The same of how far executions are. */
const PROGRESS_PAUSE = 250;
/** Of that, so much is told at once, characters: a piece of news has a limit in bytes. */
const MOST_TOLD = 2000;

/** How far a materialization of a run is. */
export interface RunExecution extends ExecutionProgress {
  readonly run: number;
  readonly epoch: number;
}

export interface NeighbourParts {
  /** Undefined: there are none, or they cannot be told. */
  readonly news: () => EventNews | undefined;
  /** Whether somebody listens here. */
  readonly isWanted: () => boolean;
  /** Others have recorded something. */
  readonly heard: () => void;
  /** Executions of others are so far. */
  readonly progressed: (executions: readonly RunExecution[]) => void;
  /** Whether it still is one of this process. */
  readonly isExecuting: (run: number, materialization: number) => boolean;
  /** What this process is called among them. */
  readonly name: string;
  /** News cannot be had, or given; it is tried again, and a poll finds what there is. */
  readonly failed: (error: unknown) => void;
}

export class Neighbours {
  readonly #telling = new Alarm(() => void this.#tell());
  #toldAt = -Infinity;
  readonly #tellingProgress = new Alarm(() => void this.#tellProgress());
  /** Executions that told how far they are, and which of them others are to be told of. */
  readonly #latest = new Map<number, RunExecution>();
  readonly #untold = new Set<number>();
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

  /** An execution of this process is so far. Cheap; told only where somebody listens. */
  tellProgress(execution: RunExecution): void {
    this.#latest.set(execution.id, execution);
    if (!this.#listened) return;
    this.#untold.add(execution.id);
    this.#tellingProgress.set(PROGRESS_PAUSE);
  }

  /**
   * Somebody may listen here from now on, or no longer; or the lease was renewed.
   * @param process what this process is called in the ledger now
   * @param listened whether others listen, where that was said
   */
  look(process: string, listened = this.#listened): void {
    this.#listened = listened;
    this.#tellAll();
    const { failed } = this.parts;
    const news = this.parts.news();
    if (!news?.listen || this.#closed) return;
    const wanted = this.parts.isWanted();
    if (wanted) this.#listening ??= news.listen((what) => this.#heard(what), failed);
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
    this.#tellingProgress.close();
    await this.#marking;
    await this.#listening?.close();
    // What was recorded last.
    if (this.#listened) await this.#tell();
  }

  #heard(what: string): void {
    if (what === '') return this.parts.heard();
    const { by, executions } = toldIn(what);
    if (by !== this.parts.name && executions.length > 0) this.parts.progressed(executions);
  }

  async #tell(what?: string): Promise<void> {
    this.#toldAt = performance.now();
    await this.parts
      .news()
      ?.tell(what)
      .catch((error: unknown) => this.parts.failed(error));
  }

  /** Who listens since lately has not heard how far executions are that went on before. */
  #tellAll(): void {
    for (const [id, { run }] of this.#latest) if (!this.parts.isExecuting(run, id)) this.#latest.delete(id);
    if (!this.#listened || this.#latest.size === 0) return;
    for (const id of this.#latest.keys()) this.#untold.add(id);
    this.#tellingProgress.set(0);
  }

  /** As many at once as fit. */
  async #tellProgress(): Promise<void> {
    const executions: RunExecution[] = [];
    let length = 0;
    for (const id of this.#untold) {
      const execution = this.#latest.get(id);
      const size = JSON.stringify(execution ?? '').length;
      if (executions.length > 0 && length + size > MOST_TOLD) break;
      this.#untold.delete(id);
      // One that is so long by itself is of a key that is no help to anybody.
      if (!execution || size > MOST_TOLD || !this.parts.isExecuting(execution.run, id)) continue;
      executions.push(execution);
      length += size;
    }
    if (this.#untold.size > 0) this.#tellingProgress.set(LEAST_PAUSE);
    if (executions.length > 0) await this.#tell(JSON.stringify({ by: this.parts.name, executions }));
  }
}

/** What another process told; of what is no such thing, nothing: anybody who may connect can tell something. */
function toldIn(what: string): { readonly by: unknown; readonly executions: readonly RunExecution[] } {
  try {
    const told: unknown = JSON.parse(what);
    if (!isRecord(told) || !Array.isArray(told['executions'])) return { by: undefined, executions: [] };
    return { by: told['by'], executions: told['executions'].filter(isExecution) };
  } catch {
    return { by: undefined, executions: [] };
  }
}

function isExecution(value: unknown): value is RunExecution {
  if (!isRecord(value)) return false;
  const { run, epoch, id, asset, partition, done, total } = value;
  return (
    [run, epoch, id, done].every((number) => typeof number === 'number') &&
    [asset, partition].every((text) => typeof text === 'string') &&
    (total === undefined || typeof total === 'number')
  );
}
