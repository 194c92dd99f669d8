// The door `nestjs-flowstone/duckdb`, for applications that have @duckdb/node-api. Who opens it without that is told at once,
// which is when the application starts.
import { requirePackages } from '../optional-packages.js';

export { query } from './query.js';
export type { QueryInput, QueryOptions, QueryParameter, QueryScalar } from './query.options.js';

requirePackages('SQL over stored rows', ['@duckdb/node-api', 'hyparquet', 'hyparquet-writer']);
