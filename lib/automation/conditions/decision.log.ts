// Which decisions are worth keeping: those that requested something, and those that are others than before.
import type { AutomationStep } from '../../ledger/automation.port.js';
import type { AutomatedAssets } from './assets.js';
import type { Decisions, Question } from './decide.js';
import type { Decision, DecisionKind } from './decision.js';

/** Partitions that a decision names. */
const NAMED = 5;

export class DecisionLog {
  /** What was kept last, by asset. */
  readonly #kept = new Map<string, string>();

  /** @param runOf the place of the run that was requested, by asset */
  news(
    { scope }: Question,
    { byNode }: Decisions,
    assets: AutomatedAssets,
    runOf: ReadonlyMap<string, number>,
  ): AutomationStep['decisions'] {
    const byAsset = new Map<string, [partition: string, decision: Decision][]>();
    for (const [node, decision] of byNode) {
      const asset = scope.assetKeyOf(node);
      if (!assets.byKey.has(asset)) continue;
      const known = byAsset.get(asset);
      const entry: [string, Decision] = [scope.partitionKeyOf(node), decision];
      if (known) known.push(entry);
      else byAsset.set(asset, [entry]);
    }
    const news: AutomationStep['decisions'][number][] = [];
    for (const [asset, decided] of byAsset) {
      const counts: Partial<Record<DecisionKind, number>> = {};
      for (const [, { kind }] of decided) counts[kind] = (counts[kind] ?? 0) + 1;
      const partitions = decided.slice(0, NAMED).map(([partition, { kind, message, run, until }]) => ({
        ...{ partition, kind, message },
        ...(run !== undefined && { run }),
        ...(until && { until: until.toISOString() }),
      }));
      const detail = { counts, partitions };
      const text = JSON.stringify(detail);
      const run = runOf.get(asset) ?? null;
      if (run === null && this.#kept.get(asset) === text) continue;
      this.#kept.set(asset, text);
      news.push({ asset, run, detail });
    }
    return news;
  }
}
