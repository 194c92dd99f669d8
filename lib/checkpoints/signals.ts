// `flowstone.signals`: what waits for the outside world, and answers from there.
import { FlowStoneError } from '../flowstone.errors.js';
import type { ApprovalRecord } from '../ledger/approval.records.js';
import type { Ledger, Page } from '../ledger/ledger.port.js';
import type { JsonValue } from '../ledger/records.js';
import { requireOptions } from '../request.options.js';
import { APPROVALS_PAGE, SIGNALS, type ApprovalsPage, type SignalsFilter } from './approval.requests.js';
import { definitionIn, jsonOf, listOf, type DeskParts } from './desk.parts.js';
import { modificationProblems } from './modification.js';
import type { SignalTokens } from './signal.tokens.js';

export interface SignalDeskParts extends DeskParts {
  readonly ledger: Pick<Ledger, 'approvals' | 'materialization'>;
  readonly tokens: SignalTokens;
}

/** Signals: nodes of the graph that wait for an answer from outside, each with a token that only that has. */
export class Signals {
  constructor(private readonly parts: () => SignalDeskParts) {}

  /**
   * An answer has come, with the token that `request` was given. The same answer may come again. Call it from a route of
   * your own that the outside can reach; the token is all it has to know, so keep it out of logs.
   * @param payload plain JSON, as the signal's `payload` declares it
   * @throws FlowStoneError FLOWSTONE_SIGNAL_UNKNOWN: no token of ours, or nobody waits for it any more;
   * FLOWSTONE_SIGNAL_INVALID with each problem, after which it may come again; FLOWSTONE_APPROVAL_CONFLICT: another answer
   * came before
   */
  async deliver(token: string, payload: JsonValue): Promise<void> {
    const parts = this.#parts();
    const { ledger, tokens } = parts;
    const place = tokens.read(token);
    const record = place && (await ledger.materialization(place.materialization));
    if (!place || !record) throw unknown();
    const value = jsonOf(payload);
    if (value === undefined)
      throw new FlowStoneError('FLOWSTONE_SIGNAL_INVALID', 'A payload is a value of plain JSON.');
    await this.#requireValid(record.asset, value);
    const received = await ledger.approvals.receive({ ...place, token: tokens.hashOf(token), value });
    if (!received) throw unknown();
    parts.changed(received.run, received.rings);
  }

  /** What waits for a signal, by deadline, or what the filter says. Tokens are not told. */
  async list(filter: SignalsFilter = {}, page: ApprovalsPage = {}): Promise<Page<ApprovalRecord>> {
    requireOptions('signals.list()', filter, SIGNALS);
    requireOptions('A page of signals', page, APPROVALS_PAGE);
    return listOf(this.#parts(), 'signal', filter, page);
  }

  async #requireValid(asset: string, value: JsonValue): Promise<void> {
    const { modification } = definitionIn(this.#parts(), asset, 'payload');
    // One that is no signal any more gets no further than the ledger.
    const problems = modification ? await modificationProblems(modification, value) : [];
    if (problems.length === 0) return;
    throw new FlowStoneError(
      'FLOWSTONE_SIGNAL_INVALID',
      `The payload is none of ${asset}: ${problems.join('; ')}. Correct it and deliver again.`,
      { context: { asset, problems } },
    );
  }

  #parts(): SignalDeskParts {
    const parts = this.parts();
    parts.beforeUse();
    return parts;
  }
}

/** The same whatever is wrong with it: whoever guesses learns nothing. */
function unknown(): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_SIGNAL_UNKNOWN',
    'Nothing waits for a signal with this token: it is none, or its time is over, or its run was ended.',
  );
}
