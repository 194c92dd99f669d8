// One checkpoint by itself: whether it asks, and what comes of a decision, with given inputs and resources.
import { runInContext, type AssetContext } from '../assets/asset.context.js';
import type { AssetClass } from '../assets/asset.definition.js';
import { decisionOptionsOf } from '../assets/asset.metadata.js';
import type { ValueOf } from '../assets/asset.value.js';
import type { CheckpointCode } from '../assets/checkpoint.code.js';
import { approvalRule } from '../assets/checkpoint.options.js';
import { AskingCheckpoint, DecidedCheckpoint, Pause } from '../checkpoints/checkpoint.executable.js';
import { modificationProblems } from '../checkpoints/modification.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { ApprovalRecord, ApprovalStatus } from '../ledger/approval.records.js';
import type { JsonValue } from '../ledger/records.js';
import { asConsumed, contextFor, type AttemptOptions, type Told } from './test-context.js';

/** How people decide. `value`: what the reviewer gives (`modify`), plain JSON. */
export interface GivenDecision {
  readonly action: 'approve' | 'modify' | 'reject' | 'timeout';
  /** Default: `anna`; nobody where it is the timeout. */
  readonly by?: string;
  readonly reason?: string;
  readonly value?: JsonValue;
}

export interface ExecuteCheckpointOptions extends AttemptOptions {
  readonly inputs?: object;
  readonly resources?: object;
  /** Left out: nobody has decided yet. */
  readonly decision?: GivenDecision;
}

/** What became of it: it asks, or it has a value. */
export interface ExecutedCheckpoint<C> extends Told {
  /** What people are asked; undefined: it does not ask, or is decided. */
  readonly asks: string | undefined;
  /** Undefined where it asks. */
  readonly value: ValueOf<C> | undefined;
}

const STATUS: Readonly<Record<GivenDecision['action'], ApprovalStatus>> = {
  approve: 'approved',
  modify: 'modified',
  reject: 'rejected',
  timeout: 'timed_out',
};

/**
 * Runs a checkpoint (constructed by the test) once: without `decision` up to whether it asks, with one what follows from it.
 * What its methods throw is thrown unchanged; a modification that its class refuses is FLOWSTONE_APPROVAL_INVALID.
 */
export async function executeCheckpoint<C extends AssetClass>(
  checkpoint: InstanceType<C>,
  options: ExecuteCheckpointOptions = {},
): Promise<ExecutedCheckpoint<C>> {
  const { context, ...told } = contextFor(checkpoint as object, options);
  const target = (checkpoint as object).constructor as AssetClass;
  const declared = decisionOptionsOf(target) ?? {};
  const { modification, message } = declared;
  const inputs = (options.inputs ?? {}) as Readonly<Record<string, unknown>>;
  const [alias = ''] = Object.keys(inputs);
  const definition = {
    ...{ key: target.name, description: undefined, modification },
    checkpoint: { kind: 'checkpoint' as const, rule: approvalRule(declared, []), message },
    dependencies: [
      {
        alias,
        upstream: alias,
        mapping: { kind: 'same' as const },
        optional: false,
        ordering: false,
        columns: undefined,
      },
    ],
  };
  const code = checkpoint as CheckpointCode;
  const { decision } = options;
  if (decision?.action === 'modify' && modification) await requireValid(modification, decision.value ?? null);
  const executable = decision
    ? new DecidedCheckpoint(code, definition, recordOf(context, decision, declared.message))
    : new AskingCheckpoint(code, definition);
  const value = await runInContext(context, () => executable.execute(context, inputs));
  if (value instanceof Pause) return { ...told, asks: value.message, value: undefined };
  return { ...told, asks: undefined, value: (await asConsumed(value)) as ValueOf<C> };
}

async function requireValid(...checked: Parameters<typeof modificationProblems>): Promise<void> {
  const problems = await modificationProblems(...checked);
  if (problems.length === 0) return;
  throw new FlowStoneError('FLOWSTONE_APPROVAL_INVALID', `The modification is refused: ${problems.join('; ')}.`, {
    context: { problems },
  });
}

function recordOf({ asset, partition }: AssetContext, given: GivenDecision, message = ''): ApprovalRecord {
  const { action, reason = null, value = null } = given;
  const by = action === 'timeout' ? null : (given.by ?? 'anna');
  const at = new Date();
  return {
    ...{ id: 1, kind: 'checkpoint', run: 1, materialization: 1, epoch: 1, asset, partition: partition.key },
    ...{ status: STATUS[action], message, requestedBy: null, rule: approvalRule({}, []), openedAt: at, deadline: null },
    ...{ audience: { users: [], roles: [] }, escalations: 0, extensions: 0, closedAt: at, previous: null },
    votes: by === null || action === 'reject' ? [] : [{ by, at, reason }],
    proposal: action === 'modify' ? { number: 1, by: by!, at, value } : null,
    decision: { action, by, at, reason },
  };
}
