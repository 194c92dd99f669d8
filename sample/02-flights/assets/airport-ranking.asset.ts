// The airports in order, over all days.
import { all, Asset, DependsOn, type AssetContext, type InputsOf } from 'nestjs-flowstone';
import { rankAirports, type RankedAirport } from '../figures/airport-ranking.js';
import { Airports } from './airports.asset.js';
import { DailyDelays } from './daily-delays.asset.js';

const inputs = { days: all(DailyDelays), airports: Airports };

/** One value made of every day there is. */
@Asset({ description: 'Airports by flights over all days', group: 'figures', codeVersion: '1' })
@DependsOn(inputs)
export class AirportRanking {
  execute(_context: AssetContext, { days, airports }: InputsOf<typeof inputs>): Promise<RankedAirport[]> {
    return rankAirports(days, airports);
  }
}
