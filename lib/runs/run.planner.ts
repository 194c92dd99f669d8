// From a request to a plan, and from a plan to the rows the ledger inserts.
import { setImmediate as breath } from 'node:timers/promises';
import { FlowStoneError } from '../flowstone.errors.js';
import type { Ledger } from '../ledger/ledger.port.js';
import type { Claimant, PlanRows, PlanningClaim } from '../ledger/work.js';
import type { RunRequest } from '../ledger/records.js';
import { makePlan, type Plan } from '../planning/plan.js';
import type { PlanningModel } from '../planning/planning-model.js';
import type { PlanningFacts } from '../planning/planning.port.js';
import type { Catalogue } from './catalogue.js';
import { crashPoint } from './crash-points.js';
import { errorRecord, messageOf, type Failure } from './failure.js';
import { isOutage } from './patience.js';
import { readyPools } from './ready.pools.js';
import type { PartitionMoments } from './partition.moments.js';

/** A run that was planned, or could not be. */
export interface PlannedRun {
  readonly run: number;
  /** The pools in which there is something to do now. */
  readonly readyIn: ReadonlySet<string>;
}

/** Entries of which it is told in one turn of the event loop, if they cannot run: their errors are made for it. */
const TOLD_AT_ONCE = 500;

const NOWHERE: ReadonlySet<string> = new Set();

export class RunPlanner {
  constructor(
    private readonly ledger: Ledger,
    private readonly catalogue: Catalogue,
    private readonly moments: PartitionMoments,
    private readonly facts: PlanningFacts,
    private readonly maxPlanSize: number,
    private readonly failed: (failure: Failure) => void,
  ) {}

  /** The plan of a request. Changes nothing. @param model of this moment */
  async plan(request: RunRequest, model: PlanningModel): Promise<Plan> {
    return makePlan(model, this.facts, { ...request, maxEntries: this.maxPlanSize });
  }

  /** What the ledger inserts of a plan, for a run of this priority. */
  rows(plan: Plan, runPriority: number): PlanRows {
    return {
      size: plan.size,
      edges: plan.edges,
      hasBlocked: plan.hasBlocked,
      assetAt: (index) => plan.assetAt(index),
      partitionAt: (index) => plan.partitionAt(index),
      headAt: (index) => plan.headAt(index),
      forcedAt: (index) => plan.forcedAt(index),
      isBlockedAt: (index) => plan.isBlockedAt(index),
      blockedAt: (index) => {
        const blocked = plan.blockedAt(index);
        return blocked && errorRecord(blocked);
      },
      priorityAt: (index) => runPriority + (this.catalogue.find(plan.assetAt(index))?.priority ?? 0),
    };
  }

  /** Whether this process has the code that planning the request takes. */
  canPlan({ targets }: RunRequest): boolean {
    return targets.every(({ asset }) => this.catalogue.canPlan(asset));
  }

  /** The pools of what a request names. */
  targetPools({ targets }: RunRequest): readonly string[] {
    return targets.flatMap(({ asset }) => this.catalogue.find(asset)?.pool ?? []);
  }

  /** The pools in which there is something to do once these rows are recorded. */
  readyPools(rows: PlanRows): Promise<ReadonlySet<string>> {
    return readyPools(rows, this.catalogue);
  }

  /** Tells of each entry of a recorded plan that failed with its recording, since it cannot run. */
  async tellBlocked(run: number, plan: Plan): Promise<void> {
    if (!plan.hasBlocked) return;
    for (let index = 0; index < plan.size; index++) {
      if (index % TOLD_AT_ONCE === TOLD_AT_ONCE - 1) await breath();
      const error = plan.blockedAt(index);
      if (!error) continue;
      const asset = plan.assetAt(index);
      const partition = this.catalogue.resolve(asset).scheme ? plan.partitionAt(index) : undefined;
      this.failed({ run, asset, partition, attempt: 1, error, retrying: false });
    }
  }

  /** Plans one run that waits for it and whose targets the process may run. Undefined: none waits. */
  async planNext(claimant: Claimant): Promise<PlannedRun | undefined> {
    // Others may count by the time the plan is made: those that are known to be here.
    const { definitions } = this.catalogue;
    const assets = claimant.assets.filter((asset) => this.catalogue.canPlan(asset));
    const claim = await this.ledger.claimPlanning({ ...claimant, assets });
    if (!claim) return undefined;
    const run = claim.run.id;
    try {
      const plan = await this.plan(claim.run.request, await this.moments.fresh({ definitions }));
      const rows = this.rows(plan, claim.run.priority);
      const readyIn = await this.readyPools(rows);
      crashPoint('before-plan-commit');
      const committed = await this.ledger.commitPlan(claim, this.#mortal(rows));
      crashPoint('after-plan-commit');
      if (!committed) return { run, readyIn: NOWHERE };
      await this.tellBlocked(run, plan);
      return { run, readyIn };
    } catch (error) {
      if (isOutage(error)) throw error;
      await this.ledger.failPlanning(claim, errorRecord(planningError(claim, error)));
      return { run, readyIn: NOWHERE };
    }
  }

  /** Rows amid whose insertion a test can let the process die. */
  #mortal(rows: PlanRows): PlanRows {
    return {
      ...rows,
      priorityAt: (index) => {
        crashPoint('amid-plan-commit');
        return rows.priorityAt(index);
      },
    };
  }
}

function planningError({ run }: PlanningClaim, thrown: unknown): FlowStoneError {
  if (thrown instanceof FlowStoneError) return thrown;
  return new FlowStoneError('FLOWSTONE_PLANNING_FAILED', `Run ${run.id} could not be planned: ${messageOf(thrown)}`, {
    cause: thrown,
    context: { run: run.id },
  });
}
