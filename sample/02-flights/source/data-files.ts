// Where the sample's data lies: in the npm package vega-datasets (BSD-3-Clause).
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { readAirports, type Airport } from './airports.file.js';
import { FlightsFile } from './flights.file.js';
import type { RawFlight } from './flight.js';

// The package exports its entry only, so its data is found beside that.
const DATA = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data');

/** The two files the sample starts from, lent to the assets that read them. Opened when first needed. */
@Injectable()
export class DataFiles {
  private file: Promise<FlightsFile> | undefined;

  /** The flights of one UTC day (`2001-03-04`), as the file has them. */
  async *flights(day: string): AsyncGenerator<RawFlight> {
    this.file ??= FlightsFile.open(join(DATA, 'flights-3m.parquet'));
    yield* (await this.file).day(day);
  }

  /** All airports. */
  airports(): Promise<Airport[]> {
    return readAirports(join(DATA, 'airports.csv'));
  }
}
