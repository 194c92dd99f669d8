// The table of airports.
import { Asset, Requires, type AssetContext } from 'nestjs-flowstone';
import type { Airport } from '../source/airports.file.js';
import { DataFiles } from '../source/data-files.js';

const resources = { files: DataFiles };

/** One value for all days: it has no partitions. */
@Asset({ description: 'Names and places of airports', group: 'reference', codeVersion: '1' })
@Requires(resources)
export class Airports {
  execute(context: AssetContext<typeof resources>): Promise<Airport[]> {
    return context.resources.files.airports();
  }
}
