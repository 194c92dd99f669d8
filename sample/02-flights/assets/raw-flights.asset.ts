// The flights of a day as the file has them.
import { Asset, Requires, type AssetContext } from 'nestjs-flowstone';
import { DataFiles } from '../source/data-files.js';
import type { RawFlight } from '../source/flight.js';
import { DAILY } from './partitions.js';

const resources = { files: DataFiles };

/** Rows are streamed from the file to the store, a Parquet file for each day: it is never in memory as a whole. */
@Asset({
  description: 'Flights of the day, as recorded',
  group: 'flights',
  partitions: DAILY,
  codeVersion: '1',
  io: 'parquet',
  schema: { date: 'string', delay: 'int32', distance: 'int32', origin: 'string', destination: 'string' },
})
@Requires(resources)
export class RawFlights {
  async execute(context: AssetContext<typeof resources>): Promise<AsyncIterable<RawFlight>> {
    const flights = await context.resources.files.flights();
    return flights.day(context.partition.key);
  }
}
