// A month written up for people.
import { Asset, DependsOn, within, type AssetContext, type InputsOf } from 'nestjs-flowstone';
import { writeReport } from '../figures/monthly-report.js';
import { Airports } from './airports.asset.js';
import { DailyDelays } from './daily-delays.asset.js';
import { MonthlyNetwork } from './monthly-network.asset.js';
import { MONTHLY } from './partitions.js';
import { QualityReview } from './quality-review.asset.js';

const inputs = { network: MonthlyNetwork, quality: QualityReview, days: within(DailyDelays), airports: Airports };

/** Markdown, stored as the text it is. */
@Asset({
  description: 'The month in words and tables',
  group: 'reports',
  partitions: MONTHLY,
  codeVersion: '1',
  io: 'filesystem',
  format: 'text',
})
@DependsOn(inputs)
export class MonthlyReport {
  execute({ partition }: AssetContext, { network, quality, days, airports }: InputsOf<typeof inputs>): Promise<string> {
    return writeReport({ month: partition.key, network, quality, days, airports });
  }
}
