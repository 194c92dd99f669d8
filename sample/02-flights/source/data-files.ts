// Where the sample's data lies: in the npm package vega-datasets (BSD-3-Clause).
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { readAirports, type Airport } from './airports.file.js';
import { FlightsFile } from './flights.file.js';

// The package exports its entry only, so its data is found beside that.
const DATA = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data');

/** The two files the sample starts from, lent to the assets that read them. */
@Injectable()
export class DataFiles {
  private file: Promise<FlightsFile> | undefined;

  /** The flights, by day. Opened at the first call; every call gets the same file, and shares what it decoded. */
  flights(): Promise<FlightsFile> {
    this.file ??= FlightsFile.open(join(DATA, 'flights-3m.parquet'));
    return this.file;
  }

  /** All airports. */
  airports(): Promise<Airport[]> {
    return readAirports(join(DATA, 'airports.csv'));
  }
}
