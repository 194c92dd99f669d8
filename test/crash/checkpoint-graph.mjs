// The graph of the crash tests of checkpoints: one that people decide upon, one that time decides upon, what depends on the
// first.
import { Asset, Checkpoint, DependsOn } from 'nestjs-flowstone';
import { IsInt } from 'class-validator';

/** @typedef {import('nestjs-flowstone').AssetContext} AssetContext */
/** @typedef {import('nestjs-flowstone').Decision} Decision */

/** What drafts are given now. */
export const world = { score: 10 };

export class Draft {
  execute() {
    return { score: world.score };
  }
}
Asset()(Draft);

class ReportDto {
  score = 0;
}
IsInt()(ReportDto.prototype, 'score');

const draftOnly = { draft: Draft };
export class Reviewed {
  /**
   * @param {AssetContext} _context
   * @param {import('nestjs-flowstone').InputsOf<typeof draftOnly>} inputs
   * @param {Decision} decision
   */
  onApprove(_context, { draft }, { by }) {
    return { score: draft.score, by };
  }
  /**
   * @param {AssetContext} _context
   * @param {import('nestjs-flowstone').InputsOf<typeof draftOnly>} inputs
   * @param {import('nestjs-flowstone').Decision<ReportDto>} decision
   */
  onModify(_context, { draft }, { by, value }) {
    return { score: draft.score + value.score, by };
  }
}
Checkpoint({ modification: ReportDto })(Reviewed);
DependsOn(draftOnly)(Reviewed);

const reviewedOnly = { reviewed: Reviewed };
export class Printed {
  /**
   * @param {AssetContext} _context
   * @param {import('nestjs-flowstone').InputsOf<typeof reviewedOnly>} inputs
   */
  execute(_context, { reviewed }) {
    return reviewed.score;
  }
}
Asset()(Printed);
DependsOn(reviewedOnly)(Printed);

/** Is given one more second, then agreed to. */
export class Timely {
  /**
   * @param {AssetContext} _context
   * @param {import('nestjs-flowstone').InputsOf<typeof draftOnly>} inputs
   * @param {Decision} decision
   */
  onApprove(_context, { draft }, { by }) {
    return { score: draft.score, by };
  }
}
Checkpoint({
  timeout: '1s',
  timeoutAction: 'approve',
  escalation: [{ after: '300ms', to: { users: ['dora'] }, notify: ['#ops'] }],
})(Timely);
DependsOn(draftOnly)(Timely);

export const assets = [Draft, Reviewed, Printed, Timely];
