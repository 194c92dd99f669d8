// Resources as they are in all processes.
import type { ProcessRecord, ResourceState } from '../ledger/process.records.js';
import type { ResourceView } from './resource.keeper.js';

/** A resource in one process. */
export interface ResourceInProcess {
  /** Id of the process, as materializations have it. */
  readonly process: string;
  readonly host: string;
  readonly pid: number;
  /** Whether it is this process. */
  readonly here: boolean;
  readonly state: ResourceState;
  /** Why it is not healthy. */
  readonly message: string | null;
  /** Since when it is in this state. */
  readonly since: Date;
}

/** A resource, and how it is in each process that lives and has it. */
export interface ResourceOverview {
  readonly name: string;
  /** As this process declares it. */
  readonly description: string | undefined;
  /** Keys of the assets that require it, in any process. */
  readonly assets: readonly string[];
  /** When this process looked at its health last; null: it has not, or it has no `checkHealth` here. */
  readonly checkedAt: Date | null;
  /** Those first that entered first. */
  readonly processes: readonly ResourceInProcess[];
}

/** By name. @param own those of this process, which may know more of them than it has told */
export function resourceOverview(
  processes: readonly ProcessRecord[],
  own: readonly ResourceView[],
  ownId: string,
): readonly ResourceOverview[] {
  const ownByName = new Map(own.map((view) => [view.name, view]));
  const names = new Set([
    ...ownByName.keys(),
    ...processes.flatMap(({ resources }) => resources.map(({ name }) => name)),
  ]);
  return [...names].sort().map((name) => {
    const here = ownByName.get(name);
    const assets = new Set(here?.assets);
    const all = processes.flatMap(({ id: process, host, pid, resources }): ResourceInProcess[] => {
      const told = resources.find((resource) => resource.name === name);
      for (const asset of told?.assets ?? []) assets.add(asset);
      const isHere = process === ownId;
      const state = isHere ? (here ?? told) : told;
      if (!state) return [];
      const since = isHere && told && told.state === state.state ? told.since : state.since;
      return [{ process, host, pid, here: isHere, state: state.state, message: state.message, since }];
    });
    return {
      name,
      description: here?.description,
      assets: [...assets].sort(),
      checkedAt: here?.checkedAt ?? null,
      processes: all,
    };
  });
}
