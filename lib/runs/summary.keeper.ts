// Keeps the summaries of large assets up to date amid the work, so that whoever asks for a status finds them so. What is
// in a summary, and how it is renewed, is in planning/summary-upkeep.ts.
import type { PlanningFacts } from '../planning/planning.port.js';
import type { PlanningModel } from '../planning/planning-model.js';
import { renewSummary, SUMMARIZED_FROM, type SummarizedFacts } from '../planning/summary-upkeep.js';

/** Time between two looks, ms. */
const LOOK = 15_000;

export interface SummaryKeeperParts {
  readonly facts: PlanningFacts;
  readonly model: () => Promise<PlanningModel>;
  /** A look could not be done; the next one tries again. */
  readonly failed: (error: unknown) => void;
}

export class SummaryKeeper {
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #busy: Promise<unknown> = Promise.resolve();
  /** What was found at the last look, by asset. */
  #found = new Map<string, string>();

  constructor(private readonly parts: SummaryKeeperParts) {}

  /** Looks every now and then. Nothing to do for a ledger without summaries. */
  start(): void {
    if (this.#closed || this.parts.facts.summaries === undefined) return;
    this.#timer = setTimeout(() => {
      this.#busy = this.look()
        .catch((error: unknown) => this.parts.failed(error))
        .then(() => this.start());
    }, LOOK).unref();
  }

  /** Begins nothing more; resolves once what is being renewed has stopped. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#busy;
  }

  /**
   * Renews the summaries of large assets in which nothing has changed since the last look: amid a run it would have to be
   * done again, and the run needs the machine itself. Those that are missing are made at once; those of assets that are
   * not large any more go, since nobody would take in what is noted of them.
   */
  async look(): Promise<void> {
    const summaries = this.parts.facts.summaries!;
    const model = await this.parts.model();
    const large = new Map<string, number>();
    for (const [index, { key }] of model.assets.entries()) {
      if (model.setOf(index).size >= SUMMARIZED_FROM) large.set(key, index);
    }
    for (const key of await summaries.watched()) if (!large.has(key)) await summaries.forget(key);
    if (large.size === 0) return;
    const kept = await summaries.kept([...large.keys()].map((asset) => ({ asset, versions: false, inputs: false })));
    const before = this.#found;
    this.#found = new Map();
    let at = 0;
    for (const [key, index] of large) {
      if (this.#closed) return;
      const { layout = '', version = 0, changed = 0 } = kept[at++] ?? {};
      const found = `${version} ${changed}`;
      this.#found.set(key, found);
      if (layout !== '' && (changed === 0 || before.get(key) !== found)) continue;
      await renewSummary(model, this.parts.facts as SummarizedFacts, index, () => this.#closed);
    }
  }
}
