// What a checkpoint is to a worker: code that computes its value, or says that people are to be asked first.
import type { AssetContext } from '../assets/asset.context.js';
import type { AssetDefinition } from '../assets/asset.definition.js';
import type { CheckpointCode, Decision } from '../assets/checkpoint.code.js';
import type { ApprovalRecord } from '../ledger/approval.records.js';
import { rejected, timedOut } from './checkpoint.failures.js';
import { instanceOfModification, plainModification } from './modification.js';

type Inputs = Readonly<Record<string, unknown>>;

/** In place of a value: people are asked, and it goes on when they have decided. */
export class Pause {
  /** @param signal hash of the token of a signal that is waited for; undefined: people are asked */
  constructor(
    readonly message: string,
    readonly signal?: string,
  ) {}
}

/** A checkpoint as far as its worker knows it. */
type Known = Pick<AssetDefinition, 'key' | 'description' | 'checkpoint' | 'dependencies' | 'modification'>;

/** A checkpoint of which nothing is decided. */
export class AskingCheckpoint {
  constructor(
    private readonly code: CheckpointCode,
    private readonly definition: Known,
  ) {}

  async execute(context: AssetContext, inputs: Inputs): Promise<unknown> {
    const { code, definition } = this;
    const wanted: unknown = code.condition ? await code.condition(context, inputs) : true;
    if (typeof wanted !== 'boolean') {
      throw new Error(`condition() of ${definition.key} returned ${String(wanted)}. Return true to ask, false not to.`);
    }
    if (!wanted) return code.onSkip ? code.onSkip(context, inputs) : passedThrough(definition, inputs);
    const said = await code.message?.(context, inputs);
    return new Pause(
      said ?? definition.checkpoint?.message ?? definition.description ?? `May ${nameOf(context)} go on?`,
    );
  }
}

/** A checkpoint that was decided. */
export class DecidedCheckpoint {
  constructor(
    private readonly code: CheckpointCode,
    private readonly definition: Known,
    private readonly approval: ApprovalRecord,
  ) {}

  async execute(context: AssetContext, inputs: Inputs): Promise<unknown> {
    const { code, definition, approval } = this;
    const decision = await this.#told();
    const { action, by } = decision;
    context.report({ metadata: { approval: approval.id, decision: action, decidedBy: by } });
    switch (action) {
      case 'approve':
        return code.onApprove ? code.onApprove(context, inputs, decision) : passedThrough(definition, inputs);
      case 'modify':
        return code.onModify ? code.onModify(context, inputs, decision) : plainModification(decision.value);
      case 'reject':
        if (code.onReject) return code.onReject(context, inputs, decision);
        throw rejected(approval);
      case 'timeout':
        if (code.onTimeout) return code.onTimeout(context, inputs, decision);
        throw timedOut(approval);
    }
  }

  async #told(): Promise<Decision> {
    const { id, decision, votes, proposal } = this.approval;
    const { action, by, at, reason } = decision!;
    // A signal has a class of its own.
    if (action === 'receive') throw new Error(`Approval ${id} is of a signal.`);
    const { modification } = this.definition;
    const isGiven = action === 'modify' && proposal !== null;
    const value = isGiven && modification ? await instanceOfModification(modification, proposal.value) : undefined;
    return { approval: id, action, by, at, reason, votes, value };
  }
}

/** The value of its only input; that there is one is checked at boot. */
function passedThrough({ dependencies }: Known, inputs: Inputs): unknown {
  const { alias } = dependencies.find(({ ordering }) => !ordering)!;
  return inputs[alias];
}

function nameOf({ asset, partition }: AssetContext): string {
  return partition.key === '' ? asset : `${asset}[${partition.key}]`;
}
