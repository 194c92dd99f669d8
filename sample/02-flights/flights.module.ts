// The sample as a Nest module: its assets, what they are lent, and where FlowStone keeps its records and values.
import { Module, type DynamicModule } from '@nestjs/common';
import { FlowStoneModule } from 'nestjs-flowstone';
import { AirportRanking } from './assets/airport-ranking.asset.js';
import { Airports } from './assets/airports.asset.js';
import { CleanedFlights } from './assets/cleaned-flights.asset.js';
import { DailyDelays } from './assets/daily-delays.asset.js';
import { MonthlyNetwork } from './assets/monthly-network.asset.js';
import { MonthlyReport } from './assets/monthly-report.asset.js';
import { RawFlights } from './assets/raw-flights.asset.js';
import { DataFiles } from './source/data-files.js';

/** The sample's assets from the files to the report, upstream first. */
const ASSETS = [RawFlights, CleanedFlights, Airports, DailyDelays, MonthlyNetwork, AirportRanking, MonthlyReport];

@Module({ providers: [DataFiles, ...ASSETS] })
export class FlightsModule {
  /** The module with its ledger and values in the given directory; nothing is kept anywhere else. */
  static keptIn(directory: string): DynamicModule {
    return { module: FlightsModule, imports: [FlowStoneModule.forRoot({ directory })] };
  }
}
