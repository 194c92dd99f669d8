// What planning asks about heads, answered from the ledger.
import { setImmediate as breath } from 'node:timers/promises';
import type { Ledger } from '../ledger/ledger.port.js';
import type { HeadRecord, ValueRecord } from '../ledger/records.js';
import type { HeadFact, HeadQuery, InputVersion, PlanningFacts, SummaryFacts } from '../planning/planning.port.js';

/** Why a recorded value is not there any more, undefined while it is (values in memory of an earlier process). */
export type LostValue = (value: ValueRecord) => string | undefined;

/** A head as planning sees it. */
export function headFact(head: HeadRecord, lostValue: LostValue): HeadFact {
  return { ...head, lost: (head.value && lostValue(head.value)) ?? null };
}

export class LedgerFacts implements PlanningFacts {
  constructor(
    private readonly ledger: Pick<Ledger, 'heads' | 'headsFrom' | 'consumed' | 'summaries'>,
    private readonly lostValue: LostValue,
    /** Whether a recorded value may come to be lost without a word in the ledger. */
    private readonly mayBeLost: (value: ValueRecord) => boolean,
    readonly waits: PlanningFacts['waits'],
  ) {}

  get summaries(): SummaryFacts | undefined {
    const { summaries } = this.ledger;
    if (summaries === undefined) return undefined;
    return {
      watch: (asset) => summaries.watch(asset),
      watched: () => summaries.watched(),
      forget: (asset) => summaries.forget(asset),
      kept: (queries) => summaries.kept(queries),
      lanes: (ranges) => summaries.lanes(ranges),
      keep: (...written) => summaries.keep(...written),
      changes: async (...of) => {
        const found = await summaries.changes(...of);
        return found && { notes: found.notes, heads: found.heads.map((head) => this.#fact(head)) };
      },
    };
  }

  breath(): Promise<void> {
    return breath();
  }

  async heads(queries: readonly HeadQuery[]): Promise<readonly ReadonlyMap<string, HeadFact>[]> {
    const found = await this.ledger.heads(queries);
    return found.map((heads) => this.#facts(heads));
  }

  async headsFrom(asset: string, partition: string, limit: number): ReturnType<PlanningFacts['headsFrom']> {
    const { heads, next } = await this.ledger.headsFrom(asset, partition, limit);
    return { heads: this.#facts(heads), next };
  }

  #facts(heads: ReadonlyMap<string, HeadRecord>): ReadonlyMap<string, HeadFact> {
    return new Map(Array.from(heads, ([partition, head]) => [partition, this.#fact(head)]));
  }

  #fact(head: HeadRecord): HeadFact {
    const fact = headFact(head, this.lostValue);
    return head.value && this.mayBeLost(head.value) ? { ...fact, volatile: true } : fact;
  }

  async consumed(materializations: readonly number[]): Promise<ReadonlyMap<number, readonly InputVersion[]>> {
    const consumed = await this.ledger.consumed(materializations);
    // Of heads, which is what planning asks about, retention keeps all records they consumed.
    return new Map([...consumed].map(([id, inputs]) => [id, inputs.filter((input) => 'asset' in input)]));
  }
}
