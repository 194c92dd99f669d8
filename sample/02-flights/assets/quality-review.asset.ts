// Before a month is written up: a person looks at it where the share of late flights is out of the usual.
import { Checkpoint, DependsOn, window, type AssetContext, type Decision, type InputsOf } from 'nestjs-flowstone';
import { percent } from '../figures/percent.js';
import type { Punctuality } from '../figures/monthly-punctuality.js';
import { isUsual, usualRange, type UsualRange } from '../figures/usual-range.js';
import { MonthlyPunctuality } from './monthly-punctuality.asset.js';
import { MONTHLY } from './partitions.js';

const consumed = {
  month: MonthlyPunctuality,
  earlier: window(MonthlyPunctuality, { start: -12, end: -1, allowMissing: true }),
};
type Inputs = InputsOf<typeof consumed>;

/** A month that may be written up. */
export interface ReviewedMonth extends Punctuality {
  /** Null: there are too few months before it. */
  usual: UsualRange | null;
  /** Who let it pass although it is unusual; null: nobody had to. */
  review: { by: string; reason: string | null } | null;
}

/** A month that is rejected has no report; the others have theirs. */
@Checkpoint({
  description: 'Months that are as usual, or that a person let pass',
  group: 'figures',
  partitions: MONTHLY,
  codeVersion: '1',
})
@DependsOn(consumed)
export class QualityReview {
  async condition(_context: AssetContext, inputs: Inputs): Promise<boolean> {
    const { lateShare, usual } = await seen(inputs);
    return !isUsual(lateShare, usual ?? undefined);
  }

  async message({ partition }: AssetContext, inputs: Inputs): Promise<string> {
    const { flights, late, lateShare, usual } = await seen(inputs);
    const range = usual ? `, usually ${percent(usual.from)} to ${percent(usual.to)}` : '';
    return `In ${partition.key}, ${late} of ${flights} flights were late: ${percent(lateShare)}${range}. May it be reported?`;
  }

  async onSkip(_context: AssetContext, inputs: Inputs): Promise<ReviewedMonth> {
    return { ...(await seen(inputs)), review: null };
  }

  async onApprove(_context: AssetContext, inputs: Inputs, { by, reason }: Decision): Promise<ReviewedMonth> {
    return { ...(await seen(inputs)), review: { by: by ?? 'nobody', reason } };
  }
}

async function seen({ month, earlier }: Inputs): Promise<Omit<ReviewedMonth, 'review'>> {
  const shares: number[] = [];
  for await (const [, { lateShare }] of earlier) shares.push(lateShare);
  return { ...month, usual: usualRange(month.flights, shares) ?? null };
}
