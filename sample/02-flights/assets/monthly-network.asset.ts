// What was flown in a month.
import { Asset, columns, DependsOn, within, type AssetContext, type InputsOf } from 'nestjs-flowstone';
import { networkOf, type Network } from '../figures/monthly-network.js';
import { CleanedFlights } from './cleaned-flights.asset.js';
import { MONTHLY } from './partitions.js';

const inputs = { days: columns(within(CleanedFlights), ['origin', 'destination', 'distance']) };

/** Reads the flights of all days of its month, one day after the other. */
@Asset({ description: 'Routes and distances of the month', group: 'figures', partitions: MONTHLY, codeVersion: '1' })
@DependsOn(inputs)
export class MonthlyNetwork {
  execute(_context: AssetContext, { days }: InputsOf<typeof inputs>): Promise<Network> {
    return networkOf(days);
  }
}
