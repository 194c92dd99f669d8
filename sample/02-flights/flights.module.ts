// The sample as a Nest module: its assets and what they are lent. Where it runs is no business of theirs.
import { Module, type DynamicModule } from '@nestjs/common';
import { FlowStoneModule, type FlowStoneOptions } from 'nestjs-flowstone';
import { AirportRanking } from './assets/airport-ranking.asset.js';
import { Airports } from './assets/airports.asset.js';
import { CleanedFlights } from './assets/cleaned-flights.asset.js';
import { DailyDelays } from './assets/daily-delays.asset.js';
import { MonthlyNetwork } from './assets/monthly-network.asset.js';
import { MonthlyPunctuality } from './assets/monthly-punctuality.asset.js';
import { MonthlyReport } from './assets/monthly-report.asset.js';
import { QualityReview } from './assets/quality-review.asset.js';
import { RawFlights } from './assets/raw-flights.asset.js';
import { DataFiles } from './source/data-files.js';

/** The sample's assets from the files to the report, upstream first. */
const ASSETS = [
  ...[RawFlights, CleanedFlights, Airports, DailyDelays, MonthlyNetwork, MonthlyPunctuality],
  ...[QualityReview, AirportRanking, MonthlyReport],
];

@Module({ providers: [DataFiles, ...ASSETS] })
export class FlightsModule {
  /** The module with FlowStone so configured: in one process without a server (main.ts), or as in sample 04. */
  static forRoot(options: FlowStoneOptions): DynamicModule {
    return { module: FlightsModule, imports: [FlowStoneModule.forRoot(options)] };
  }
}
