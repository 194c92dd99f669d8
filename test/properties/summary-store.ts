// Summaries as a ledger keeps them, beside recorded facts of a test: the notes are those of what was changed.
import type { HeadFact, SummaryFacts } from '../../lib/planning/planning.port.js';
import type { KeptSummary, WholeChunk } from '../../lib/ledger/summary.records.js';

interface Kept {
  layout: string;
  version: number;
  notes: Map<number, string>;
  chunks: Map<number, WholeChunk>;
}

export class SummaryStore implements SummaryFacts {
  readonly #assets = new Map<string, Kept>();
  #notes = 0;

  constructor(private readonly headOf: (asset: string, partition: string) => HeadFact | undefined) {}

  /** A head has changed. */
  note(asset: string, partition: string): void {
    this.#assets.get(asset)?.notes.set(++this.#notes, partition);
  }

  async watch(asset: string): Promise<boolean> {
    if (!this.#assets.has(asset))
      this.#assets.set(asset, { layout: '', version: 0, notes: new Map(), chunks: new Map() });
    return true;
  }

  async watched(): Promise<readonly string[]> {
    return [...this.#assets.keys()];
  }

  async forget(asset: string): Promise<void> {
    this.#assets.delete(asset);
  }

  async kept(queries: Parameters<SummaryFacts['kept']>[0]): Promise<readonly (KeptSummary | undefined)[]> {
    return queries.map(({ asset, versions, inputs }) => {
      const kept = this.#assets.get(asset);
      if (kept === undefined) return undefined;
      const chunks = Array.from(kept.chunks.values(), (chunk) => ({
        chunk: chunk.chunk,
        classes: JSON.parse(JSON.stringify(chunk.classes)) as unknown[],
        runs: chunk.runs.slice(),
        versionSums: versions ? chunk.versionSums.slice() : new Uint8Array(0),
        inputSums: inputs ? chunk.inputSums.slice() : new Uint8Array(0),
      }));
      return { layout: kept.layout, version: kept.version, changed: kept.notes.size, chunks };
    });
  }

  async lanes(ranges: Parameters<SummaryFacts['lanes']>[0]): ReturnType<SummaryFacts['lanes']> {
    if (ranges.some(({ asset, version }) => this.#assets.get(asset)!.version !== version)) return undefined;
    return ranges.map(({ asset, chunk, lane, from, length }) =>
      this.#assets
        .get(asset)!
        .chunks.get(chunk)!
        .lanes[lane].slice(from, from + length),
    );
  }

  async changes(asset: string, version: number, after: number, limit: number): ReturnType<SummaryFacts['changes']> {
    const kept = this.#assets.get(asset)!;
    if (kept.version !== version) return undefined;
    const notes = [...kept.notes].filter(([id]) => id > after).slice(0, limit);
    const partitions = new Set(notes.map(([, partition]) => partition));
    return {
      notes: notes.map(([id]) => id),
      heads: [...partitions].map((partition) => this.headOf(asset, partition)!),
    };
  }

  async keep(asset: string, written: Parameters<SummaryFacts['keep']>[1]): Promise<boolean> {
    const kept = this.#assets.get(asset)!;
    if (kept.version !== written.version) return false;
    kept.version++;
    kept.layout = written.layout;
    if (written.anew) kept.chunks.clear();
    for (const chunk of written.chunks) kept.chunks.set(chunk.chunk, structuredClone(chunk));
    for (const id of written.notes) kept.notes.delete(id);
    return true;
  }
}
