// The flights of a day that can have happened, with typed columns.
import { Asset, DependsOn, type AssetContext, type InputsOf } from 'nestjs-flowstone';
import { cleanFlight } from '../figures/cleaning.js';
import type { Flight } from '../source/flight.js';
import { DAILY } from './partitions.js';
import { RawFlights } from './raw-flights.asset.js';

const inputs = { flights: RawFlights };

/** Streamed row by row like its input; how many rows were impossible is in the metadata. */
@Asset({
  description: 'Flights of the day, typed and possible',
  group: 'flights',
  partitions: DAILY,
  codeVersion: '1',
  io: 'parquet',
  schema: {
    date: 'string',
    minute: 'int32',
    delay: 'int32',
    late: 'boolean',
    distance: 'int32',
    origin: 'string',
    destination: 'string',
  },
})
@DependsOn(inputs)
export class CleanedFlights {
  async *execute(context: AssetContext, { flights }: InputsOf<typeof inputs>): AsyncGenerator<Flight> {
    let dropped = 0;
    for await (const raw of flights) {
      const flight = cleanFlight(raw, context.partition.key);
      if (flight) yield flight;
      else dropped += 1;
    }
    context.report({ metadata: { dropped } });
  }
}
