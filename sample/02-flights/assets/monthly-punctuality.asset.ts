// How punctual a month was.
import { Asset, columns, DependsOn, within, type AssetContext, type InputsOf } from 'nestjs-flowstone';
import { punctualityOf, type Punctuality } from '../figures/monthly-punctuality.js';
import { DailyDelays } from './daily-delays.asset.js';
import { MONTHLY } from './partitions.js';

const inputs = { days: columns(within(DailyDelays), ['flights', 'lateShare']) };

@Asset({ description: 'Late flights of the month', group: 'figures', partitions: MONTHLY, codeVersion: '1' })
@DependsOn(inputs)
export class MonthlyPunctuality {
  execute(_context: AssetContext, { days }: InputsOf<typeof inputs>): Promise<Punctuality> {
    return punctualityOf(days);
  }
}
