// What a signal is to a worker: code that tells the outside where to answer and waits, or makes a value of the answer.
import type { AssetContext } from '../assets/asset.context.js';
import type { AssetDefinition } from '../assets/asset.definition.js';
import type { SignalCode } from '../assets/signal.code.js';
import type { ApprovalRecord } from '../ledger/approval.records.js';
import { Pause } from './checkpoint.executable.js';
import { timedOut } from './checkpoint.failures.js';
import { instanceOfModification, plainModification } from './modification.js';
import type { SignalTokens } from './signal.tokens.js';

type Inputs = Readonly<Record<string, unknown>>;

/** A signal that has not come. */
export class AskingSignal {
  /** @param round how often its materialization has asked before */
  constructor(
    private readonly code: SignalCode,
    private readonly definition: Pick<AssetDefinition, 'key' | 'checkpoint'>,
    private readonly tokens: SignalTokens,
    private readonly place: { readonly materialization: number; readonly round: number },
  ) {}

  async execute(context: AssetContext, inputs: Inputs): Promise<unknown> {
    const { code, definition, tokens, place } = this;
    const token = tokens.tokenOf(place);
    const expiresAt = new Date(Date.now() + definition.checkpoint!.rule.timeout!);
    await code.request?.(context, inputs, { token, expiresAt });
    return new Pause(`${definition.key} waits for a signal`, tokens.hashOf(token));
  }
}

/** A signal that has come, or did not in time. */
export class ReceivedSignal {
  constructor(
    private readonly code: SignalCode,
    private readonly definition: Pick<AssetDefinition, 'modification'>,
    private readonly approval: ApprovalRecord,
  ) {}

  async execute(context: AssetContext, inputs: Inputs): Promise<unknown> {
    const { code, approval, definition } = this;
    context.report({ metadata: { approval: approval.id, decision: approval.decision!.action } });
    if (approval.decision!.action === 'timeout') {
      if (code.onTimeout) return code.onTimeout(context, inputs);
      throw timedOut(approval);
    }
    const payload = await instanceOfModification(definition.modification!, approval.proposal!.value);
    return code.onSignal ? code.onSignal(context, inputs, payload) : plainModification(payload);
  }
}
