// Lineage of the in-memory ledger: as the statements of the SQL ledger answer, by looking at all there is.
import { walked } from '../lineage-walk.js';
import {
  DURATION_APART,
  DURATION_FACTOR,
  type ComparedMaterialization,
  type HeadConsumer,
  type LineageLedger,
  type RunComparison,
  type RunDifference,
  type Trace,
  type TracedRemoval,
  type TracedVersion,
  type Walk,
} from '../lineage.port.js';
import type { EventRecord } from '../records.js';
import type { Row } from './memory-rows.js';
import type { MemoryState } from './memory-state.js';

export class MemoryLineage implements LineageLedger {
  readonly #state: MemoryState;

  constructor(state: MemoryState) {
    this.#state = state;
  }

  async versionAt(asset: string, partition: string, at: Date): Promise<number | undefined> {
    const versions = this.#successes().filter(
      (row) => row.asset === asset && row.partition === partition && row.completedAt! <= at,
    );
    return versions.sort((a, b) => +b.completedAt! - +a.completedAt! || b.id - a.id)[0]?.id;
  }

  async trace(from: number, walk: Walk): Promise<Trace> {
    const next = walk.direction === 'upstream' ? this.#consumed() : this.#consumers(walk.at);
    const { depths, ...rest } = walked(from, walk, next);
    return { versions: Array.from(depths, ([id, depth]) => this.#told(id, depth)), ...rest };
  }

  #consumed(): (id: number) => readonly number[] {
    return (id) => [...new Set(this.#state.rows.get(id)?.edges)].sort((a, b) => a - b);
  }

  #consumers(at: Date | null): (id: number) => readonly number[] {
    const consumers = new Map<number, number[]>();
    for (const row of this.#successes()) {
      if (at !== null && row.completedAt! > at) continue;
      for (const upstream of new Set(row.edges)) consumers.set(upstream, [...(consumers.get(upstream) ?? []), row.id]);
    }
    return (id) => (consumers.get(id) ?? []).sort((a, b) => a - b);
  }

  #told(materialization: number, depth: number): TracedVersion | TracedRemoval {
    const row = this.#state.rows.get(materialization);
    if (!row) return { materialization, depth, removed: 'by retention' };
    const { asset, partition, dataVersion, codeVersion, value, completedAt, run } = row;
    const version = { materialization, depth, asset, partition, dataVersion: dataVersion!, codeVersion };
    return { ...version, hash: value?.hash ?? null, completedAt: completedAt!, run };
  }

  async headConsumers(materializations: readonly number[]): Promise<readonly HeadConsumer[]> {
    const consumersOf = this.#consumers(null);
    return [...materializations]
      .sort((a, b) => a - b)
      .flatMap((consumed) =>
        consumersOf(consumed).flatMap((materialization) => {
          const { asset, partition } = this.#state.rows.get(materialization)!;
          const isHead = this.#state.heads.get(asset)?.get(partition)?.materialization === materialization;
          return isHead ? [{ consumed, materialization, asset, partition }] : [];
        }),
      );
  }

  async durations(assets: readonly string[], most: number): Promise<ReadonlyMap<string, readonly number[]>> {
    const taken = assets.map((asset) => [asset, this.#durations(asset, most)] as const);
    return new Map(taken.filter(([, durations]) => durations.length > 0));
  }

  #durations(asset: string, most: number): number[] {
    const keys = [...(this.#state.heads.get(asset)?.keys() ?? [])].sort().toReversed();
    const heads = keys.flatMap((key) => this.#state.heads.get(asset)!.get(key)!.materialization ?? []);
    const former = [...this.#state.superseded]
      .filter(([id, { collection, gone }]) => collection === null && !gone && this.#state.rows.get(id)?.asset === asset)
      .map(([id]) => id)
      .toReversed();
    return [...heads, ...former]
      .map((id) => this.#state.rows.get(id)!)
      .filter((row) => row.run !== null && row.startedAt !== null)
      .slice(0, most)
      .map((row) => duration(row)!);
  }

  async compareRuns(a: number, b: number, most: number): Promise<RunComparison> {
    const place = ({ asset, partition }: Row): string => JSON.stringify([asset, partition]);
    const [ofA, ofB] = [a, b].map((run) => new Map(this.#rowsOf(run).map((row) => [place(row), row])));
    const pairs = [...new Set([...ofA!.keys(), ...ofB!.keys()])].map((key): RunDifference => {
      const [left, right] = [ofA!.get(key), ofB!.get(key)];
      const { asset, partition } = (left ?? right)!;
      return { asset, partition, a: left ? compared(left) : null, b: right ? compared(right) : null };
    });
    const differing = pairs.filter((pair) => pair.a && pair.b && differs(pair.a, pair.b));
    const onlyA = pairs.filter((pair) => !pair.b);
    const onlyB = pairs.filter((pair) => !pair.a);
    const differences = pairs.filter((pair) => !pair.a || !pair.b || differs(pair.a, pair.b)).slice(0, most);
    const counts = { differing: differing.length, onlyA: onlyA.length, onlyB: onlyB.length };
    const same = pairs.length - counts.differing - counts.onlyA - counts.onlyB;
    return { same, ...counts, differences };
  }

  async eventsOf(materialization: number, most: number): Promise<readonly EventRecord[]> {
    const row = this.#state.rows.get(materialization);
    if (!row) return [];
    return this.#state.events
      .filter((event) => {
        if (event.run !== null) return event.materialization === materialization;
        return event.asset === row.asset && event.partition === row.partition && event.at >= row.createdAt;
      })
      .slice(0, most)
      .map((event) => ({ ...event, asset: row.asset, partition: row.partition }));
  }

  #successes(): Row[] {
    return [...this.#state.rows.values()].filter(({ status }) => status === 'success');
  }

  #rowsOf(run: number): Row[] {
    return [...(this.#state.runs.get(run)?.rows ?? [])].map((id) => this.#state.rows.get(id)!);
  }
}

function duration({ startedAt, completedAt }: Row): number | null {
  return startedAt && completedAt && +completedAt - +startedAt;
}

function compared(row: Row): ComparedMaterialization {
  const { id, status, dataVersion, codeVersion, inputs } = row;
  return { id, status, dataVersion, codeVersion, inputs, duration: duration(row) };
}

function differs(a: ComparedMaterialization, b: ComparedMaterialization): boolean {
  const facts = ({ status, dataVersion, codeVersion, inputs }: ComparedMaterialization): string =>
    JSON.stringify([status, dataVersion, codeVersion, inputs]);
  if (facts(a) !== facts(b)) return true;
  if (a.duration === null || b.duration === null) return false;
  const [short, long] = [Math.min(a.duration, b.duration), Math.max(a.duration, b.duration)];
  return long - short >= DURATION_APART && long >= DURATION_FACTOR * short;
}
