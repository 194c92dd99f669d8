// Facts in memory for tests of planning: what would be recorded if entries ran, and what people do to records.

import { inputsFingerprint } from '../../../lib/planning/inputs-fingerprint.js';
import { declaredUpstreams } from '../../../lib/planning/must-run.js';
import { SummaryStore } from '../../properties/summary-store.js';
import type {
  HeadFact,
  HeadQuery,
  InputVersion,
  PlanningAsset,
  PlanningFacts,
} from '../../../lib/planning/planning.port.js';

export class RecordedFacts implements PlanningFacts {
  /** Used where a test wants it; it is told of every change. */
  readonly store = new SummaryStore((asset, partition) => this.head(asset, partition));
  readonly #heads = new Map<string, Map<string, HeadFact>>();
  readonly #consumed = new Map<number, readonly InputVersion[]>();
  /** How many heads were read. */
  headsRead = 0;
  /** How often heads were asked for. */
  reads = 0;
  /** How often others were given the thread. */
  breaths = 0;

  async heads(queries: readonly HeadQuery[]): Promise<readonly ReadonlyMap<string, HeadFact>[]> {
    this.reads++;
    return queries.map((query) => this.#find(query));
  }

  async headsFrom(
    asset: string,
    partition: string,
    limit: number,
  ): Promise<{ heads: ReadonlyMap<string, HeadFact>; next: string | null }> {
    this.reads++;
    const keys = [...(this.#heads.get(asset)?.keys() ?? [])].filter((key) => key >= partition).sort();
    const heads = this.#find({ asset, partitions: keys.slice(0, limit) });
    return { heads, next: keys[limit] ?? null };
  }

  #find({ asset, partitions }: HeadQuery): ReadonlyMap<string, HeadFact> {
    const heads = this.#heads.get(asset) ?? new Map<string, HeadFact>();
    const named = (key: string): [string, HeadFact][] => (heads.has(key) ? [[key, heads.get(key)!]] : []);
    const found = partitions === 'all' ? heads : new Map(partitions.flatMap(named));
    this.headsRead += found.size;
    return found;
  }

  async consumed(materializations: readonly number[]): Promise<ReadonlyMap<number, readonly InputVersion[]>> {
    return new Map(materializations.map((id) => [id, this.#consumed.get(id) ?? []]));
  }

  async breath(): Promise<void> {
    this.breaths++;
  }

  async waits(): Promise<[]> {
    return [];
  }

  /** The head of a partition, undefined without record. */
  head(asset: string, partition: string): HeadFact | undefined {
    return this.#heads.get(asset)?.get(partition);
  }

  /** Every version there is, as something that consumes it would see it. */
  version(asset: string, partition: string): InputVersion | undefined {
    const head = this.head(asset, partition);
    if (head === undefined || head.materialization === null || head.lost !== null) return undefined;
    return { asset, partition, dataVersion: head.dataVersion ?? '' };
  }

  /** What the newest materialization of a partition consumed. */
  inputsOf(asset: string, partition: string): readonly InputVersion[] {
    return this.#consumed.get(this.head(asset, partition)?.materialization ?? -1) ?? [];
  }

  materialize(
    asset: PlanningAsset,
    partition: string,
    dataVersion: string,
    inputs: readonly InputVersion[] = [],
  ): void {
    const materialization = this.#consumed.size + 1;
    this.#consumed.set(materialization, inputs);
    this.change(asset.key, partition, {
      materialization,
      dataVersion,
      codeVersion: asset.codeVersion ?? null,
      inputs: inputsFingerprint(inputs),
      upstreams: declaredUpstreams(asset),
      invalidated: false,
      failed: false,
      lost: null,
      volatile: false,
    });
  }

  change(asset: string, partition: string, changes: Partial<HeadFact>): void {
    const heads = this.#heads.get(asset) ?? new Map<string, HeadFact>();
    this.#heads.set(asset, heads);
    const none = { materialization: null, dataVersion: null, codeVersion: null, inputs: null, upstreams: null };
    const before = heads.get(partition) ?? { ...none, partition, invalidated: false, failed: false, lost: null };
    heads.set(partition, { ...before, ...changes });
    this.store.note(asset, partition);
  }

  delete(asset: string, partition: string): void {
    this.change(asset, partition, { materialization: null, dataVersion: null, inputs: null, upstreams: null });
  }
}
