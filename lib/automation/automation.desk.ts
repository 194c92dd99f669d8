// flowstone.automation: what automation decided, why, and its brakes.
import type { AssetClass, DeclaredAsset } from '../assets/asset.definition.js';
import { text, type Expectation } from '../assets/expectations.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { AutomationDecision } from '../ledger/automation.port.js';
import type { Ledger, Page, PageRequest } from '../ledger/ledger.port.js';
import { OrdinalRanges } from '../planning/ordinal-ranges.js';
import type { PartitionKeyInput } from '../partitions/partition-key.js';
import type { AssetState } from '../planning/node-states.js';
import type { PlanningFacts } from '../planning/planning.port.js';
import type { PlanningModel } from '../planning/planning-model.js';
import { requireOptions, requireStorable } from '../request.options.js';
import { AutomatedAssets } from './conditions/assets.js';
import { explainDecision } from './conditions/decide.js';
import type { DecisionKind } from './conditions/decision.js';
import { evaluate } from './conditions/evaluation.js';
import type { Reconciler } from './conditions/reconciler.js';
import { describeCondition, type Truth } from './conditions/truth.js';

export type { AutomationDecision } from '../ledger/automation.port.js';

/** Who acts, and why. */
export interface AutomationAct {
  readonly by?: string;
  readonly reason?: string;
}

/** An asset that automation computes. */
export interface AutomatedAsset {
  readonly asset: string;
  /** When, in words. */
  readonly when: string;
  /** Who paused it, when and why; null: it is not paused. */
  readonly paused: { readonly by: string | null; readonly reason: string | null; readonly at: Date } | null;
  /** The next tick of its cron expressions, if it has any. */
  readonly nextTick: Date | null;
}

/** Why automation computes a partition now, or does not. */
export interface AutomationExplanation {
  readonly asset: string;
  /** '' where the asset has no partitions. */
  readonly partition: string;
  readonly state: AssetState;
  /** `fresh`: there is nothing to do; else see DecisionKind. */
  readonly decision: DecisionKind | 'fresh';
  readonly message: string;
  /** When it may be otherwise though nothing else happens, where that is known. */
  readonly until: Date | null;
  /** The run that has it in hand, or in which it failed. */
  readonly run: number | null;
  /** The condition and its parts, and which of them hold. */
  readonly condition: Truth;
}

export interface AutomationDeskParts {
  readonly ledger: Ledger;
  readonly facts: PlanningFacts;
  readonly model: () => Promise<PlanningModel>;
  readonly definitions: () => readonly DeclaredAsset[];
  readonly resolve: (asset: AssetClass | string) => DeclaredAsset;
  readonly partitionIn: (model: PlanningModel, asset: string, input: PartitionKeyInput | undefined) => string;
  readonly reconciler: Reconciler;
  readonly beforeUse: () => void;
}

const ACT: Readonly<Record<keyof AutomationAct, Expectation>> = { by: text, reason: text };

export class Automation {
  /** @param parts found when they are used: the application may not have started yet */
  constructor(private readonly parts: () => AutomationDeskParts) {}

  /** All assets that automation computes. */
  async list(): Promise<readonly AutomatedAsset[]> {
    const { ledger, definitions } = this.#used();
    const [states, now] = await Promise.all([ledger.automation.states(), ledger.now()]);
    const { byKey, ticks } = new AutomatedAssets(definitions(), states, now);
    return Array.from(byKey, ([asset, { automation }]) => {
      const paused = states.find((state) => state.asset === asset)?.paused;
      const next = ticks.flatMap((tick) => (tick.asset === asset && tick.next !== undefined ? [tick.next] : []));
      return {
        asset,
        when: describeCondition(automation.when),
        paused: paused ? { by: paused.actor, reason: paused.reason, at: paused.at } : null,
        nextTick: next.length > 0 ? new Date(Math.min(...next)) : null,
      };
    });
  }

  /** What automation would do about one partition now, and why; from what is recorded at this moment. */
  async explain(
    asset: AssetClass | string,
    options: { readonly partition?: PartitionKeyInput } = {},
  ): Promise<AutomationExplanation> {
    requireOptions('automation.explain()', options, { partition: () => undefined });
    const { ledger, facts, model: fresh, definitions, partitionIn, reconciler } = this.#used();
    const { key } = this.#automated(asset);
    const model = await fresh();
    const partition = partitionIn(model, key, options.partition);
    const assets = new AutomatedAssets(definitions(), await ledger.automation.states(), model.now);
    const index = model.requireIndex(key);
    const ordinal = model.setOf(index).ordinalOf(partition);
    const extent = new Map([[index, OrdinalRanges.of([ordinal, ordinal + 1])]]);
    const read = {
      ...{ facts, definitions, quiet: reconciler.quiet },
      ledger: () => ledger.automation,
      checks: () => ledger.checks,
    };
    const { question, decisions } = await evaluate(model, assets, extent, read);
    const node = question.scope.nodeOf(index, ordinal);
    const decision = decisions.byNode.get(node);
    return {
      ...{ asset: key, partition, state: question.states.stateOf(node) },
      decision: decision?.kind ?? 'fresh',
      message: decision?.message ?? 'it is fresh',
      until: decision?.until ?? null,
      run: decision?.run ?? null,
      condition: explainDecision(question, node),
    };
  }

  /** What was decided, newest first: each time that something was requested, or that the reasons changed. */
  async decisions(
    filter: { readonly asset?: AssetClass | string } = {},
    page: PageRequest = { limit: 50 },
  ): Promise<Page<AutomationDecision>> {
    requireOptions('automation.decisions()', filter, { asset: () => undefined });
    const { ledger } = this.#used();
    const asset = filter.asset === undefined ? {} : { asset: this.#automated(filter.asset).key };
    return ledger.automation.decisions(asset, page);
  }

  /** Requests nothing of an asset until it is resumed; what is requested already goes on. Whether that changed anything. */
  async pause(asset: AssetClass | string, act: AutomationAct = {}): Promise<boolean> {
    return this.#pause('automation.pause()', asset, true, act);
  }

  /** Whether that changed anything. What became due meanwhile is requested now. */
  async resume(asset: AssetClass | string, act: AutomationAct = {}): Promise<boolean> {
    return this.#pause('automation.resume()', asset, false, act);
  }

  /**
   * Looks at everything now, if this is the process that decides, and resolves once what is due is requested. Whether it is; else
   * the one that decides looks soon by itself.
   */
  async look(): Promise<boolean> {
    return this.#used().reconciler.look();
  }

  async #pause(method: string, asset: AssetClass | string, paused: boolean, act: AutomationAct): Promise<boolean> {
    requireOptions(method, act, ACT);
    requireStorable('by and reason', [act.by, act.reason]);
    const { ledger } = this.#used();
    const { key } = this.#automated(asset);
    return ledger.automation.pause(key, paused, { actor: act.by ?? null, reason: act.reason ?? null });
  }

  #automated(asset: AssetClass | string): DeclaredAsset {
    const declared = this.#used().resolve(asset);
    if (declared.automation) return declared;
    throw new FlowStoneError(
      'FLOWSTONE_REQUEST_INVALID',
      `${declared.key} has no automation: it is computed on request. Declare it: @Asset({ automation: eager() }).`,
      { context: { asset: declared.key } },
    );
  }

  #used(): AutomationDeskParts {
    const parts = this.parts();
    parts.beforeUse();
    return parts;
  }
}
