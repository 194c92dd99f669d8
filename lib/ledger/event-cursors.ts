// What is wrong with a cursor of the event log, in words, whatever ledger it is of.
import { FlowStoneError } from '../flowstone.errors.js';

/** Which of the reasons it is: its ledger is another, it was set back in time, or events after it were removed. */
export type LostCursor = 'another ledger' | 'set back' | 'removed';

const WHY: Readonly<Record<LostCursor, string>> = {
  'another ledger': 'it is of another ledger, or of this one before it was copied to another server',
  'set back': 'it is of a time that this ledger, which was restored, has not reached',
  removed: 'retention has removed events after it',
};

export function cursorLost(reason: LostCursor): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_EVENT_CURSOR_LOST',
    `Events cannot be read on from this cursor: ${WHY[reason]}. Read on from cursor(), the end of the log, and look at the records for what came between.`,
    { context: { reason } },
  );
}
