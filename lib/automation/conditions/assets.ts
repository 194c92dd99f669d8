// The assets that automation computes, with what is noted of each: ticks, and who paused it.
import type { DeclaredAsset } from '../../assets/asset.definition.js';
import { leavesOf, type Leaf } from '../../assets/condition.js';
import type { AutomationState } from '../../ledger/automation.records.js';
import { ticksAround } from '../cron-ticks.js';
import type { Automated } from './decision.js';

/** A cron expression of an asset, as it is now. */
export interface Tick {
  readonly asset: string;
  /** By which it is noted what was attended to. */
  readonly name: string;
  readonly last: number | undefined;
  readonly next: number | undefined;
  /** Undefined: the asset has not been looked at yet. */
  readonly attendedTo: number | undefined;
}

/** All assets with automation at a moment. */
export class AutomatedAssets {
  readonly byKey = new Map<string, Automated>();
  readonly ticks: readonly Tick[];

  constructor(definitions: readonly DeclaredAsset[], states: readonly AutomationState[], now: Date) {
    const known = new Map(states.map((state) => [state.asset, state]));
    const around = new Map<string, ReturnType<typeof ticksAround>>();
    const ticks: Tick[] = [];
    for (const declared of definitions) {
      const { automation, key } = declared;
      if (automation === undefined || declared.external) continue;
      const state = known.get(key);
      const byName = new Map<string, Tick>();
      for (const { cron, timeZone } of tickLeaves(declared)) {
        const name = tickName(cron, timeZone);
        if (!around.has(name)) around.set(name, ticksAround(cron, timeZone, now.getTime()));
        byName.set(name, { asset: key, name, ...around.get(name)!, attendedTo: state?.ticks.get(name)?.getTime() });
      }
      ticks.push(...byName.values());
      this.byKey.set(key, {
        declared,
        automation,
        paused: state?.paused != null,
        lastTick: (cron, timeZone) => byName.get(tickName(cron, timeZone))?.last,
        attendedTo: (cron, timeZone) => byName.get(tickName(cron, timeZone))?.attendedTo,
      });
    }
    this.ticks = ticks;
  }

  /** The newest tick of an asset, ms. */
  tickOf(asset: string): number | undefined {
    const last = this.ticks.flatMap((tick) => (tick.asset === asset && tick.last !== undefined ? [tick.last] : []));
    return last.length > 0 ? Math.max(...last) : undefined;
  }

  /** Those that have such a condition in theirs. */
  mentioning(kind: Leaf['kind']): readonly string[] {
    const mentions = ({ automation }: Automated): boolean =>
      leavesOf(automation.when).some((leaf) => leaf.kind === kind);
    return [...this.byKey].filter(([, automated]) => mentions(automated)).map(([asset]) => asset);
  }

  /** Assets of which a tick is due that has not been attended to. */
  due(): ReadonlySet<string> {
    const due = this.ticks.filter(
      ({ last, attendedTo }) => last !== undefined && attendedTo !== undefined && last > attendedTo,
    );
    return new Set(due.map(({ asset }) => asset));
  }
}

function tickLeaves({ automation }: DeclaredAsset): readonly (Leaf & { readonly kind: 'tick' })[] {
  return leavesOf(automation!.when).filter((leaf) => leaf.kind === 'tick');
}

function tickName(cron: string, timeZone: string): string {
  return `${cron} ${timeZone}`;
}
