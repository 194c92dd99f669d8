// Reads the table of airports (CSV with the columns iata, name, city, state, country, latitude, longitude).
import { readFile } from 'node:fs/promises';
import { csvParse } from 'd3-dsv';

/** An airport of the table; what the table does not know is null. */
export interface Airport {
  /** IATA code. */
  code: string;
  name: string;
  city: string | null;
  state: string | null;
  country: string;
  /** Degrees north. */
  latitude: number;
  /** Degrees east. */
  longitude: number;
}

/** Every airport of the file, in its order. Throws when the file or one of the columns is missing. */
export async function readAirports(path: string): Promise<Airport[]> {
  const table = csvParse(await readFile(path, 'utf8'));
  const cell = (row: (typeof table)[number], column: string): string => {
    const value = row[column];
    if (value === undefined) throw new Error(`${path} has no column ${column}; it has ${table.columns.join(', ')}`);
    return value;
  };
  const known = (value: string): string | null => (value === '' || value === 'NA' ? null : value);
  return table.map((row) => ({
    code: cell(row, 'iata'),
    name: cell(row, 'name'),
    city: known(cell(row, 'city')),
    state: known(cell(row, 'state')),
    country: cell(row, 'country'),
    latitude: Number(cell(row, 'latitude')),
    longitude: Number(cell(row, 'longitude')),
  }));
}
