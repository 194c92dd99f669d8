// How punctual each airport was on a day.
import { Asset, columns, DependsOn, type AssetContext, type InputsOf } from 'nestjs-flowstone';
import { delaysByAirport, type AirportDelays } from '../figures/daily-delays.js';
import { CleanedFlights } from './cleaned-flights.asset.js';
import { DAILY } from './partitions.js';

// Of each Parquet file, only these columns are read.
const inputs = { flights: columns(CleanedFlights, ['origin', 'delay', 'late']) };

/**
 * Rows of a table in the database of the ledger, committed with the record of their day. Change codeVersion and start
 * again: the 182 days are made anew, what depends on them only where figures differ.
 */
@Asset({
  description: 'Delays per airport and day',
  group: 'figures',
  partitions: DAILY,
  codeVersion: '1',
  io: 'postgres',
  table: 'analytics.daily_delays',
  columns: {
    airport: { type: 'text', nullable: false },
    flights: { type: 'integer', nullable: false },
    meanDelay: 'double precision',
    p95Delay: 'integer',
    lateShare: 'double precision',
  },
  key: ['airport'],
  partitionColumn: 'day',
})
@DependsOn(inputs)
export class DailyDelays {
  execute(_context: AssetContext, { flights }: InputsOf<typeof inputs>): Promise<AirportDelays[]> {
    return delaysByAirport(flights);
  }
}
