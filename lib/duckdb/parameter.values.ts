// Parameters of a query as DuckDB takes them.
import { types } from 'node:util';
import type { DuckDBType, DuckDBValue } from '@duckdb/node-api';
import { queryRefused } from './query-failures.js';
import type { QueryParameter, QueryScalar } from './query.options.js';
import type { DuckdbApi } from './result.values.js';

interface Bindable {
  readonly value: DuckDBValue;
  readonly type: DuckDBType;
}

const INT64_LIMIT = 2n ** 63n;

/** A parameter with its type in SQL. Throws `FLOWSTONE_QUERY_FAILED`. */
export function bindable(api: DuckdbApi, parameter: QueryParameter): Bindable {
  switch (typeof parameter) {
    case 'boolean':
      return { value: parameter, type: api.BOOLEAN };
    case 'string':
      return { value: parameter, type: api.VARCHAR };
    case 'number':
      if (Number.isSafeInteger(parameter)) return { value: BigInt(parameter), type: api.BIGINT };
      return { value: parameter, type: api.DOUBLE };
    case 'bigint':
      return {
        value: parameter,
        type: parameter >= -INT64_LIMIT && parameter < INT64_LIMIT ? api.BIGINT : api.HUGEINT,
      };
    default:
      return bindableObject(api, parameter);
  }
}

function bindableObject(
  api: DuckdbApi,
  parameter: Exclude<QueryParameter, boolean | string | number | bigint>,
): Bindable {
  if (parameter === null) return { value: null, type: api.SQLNULL };
  if (types.isDate(parameter)) {
    if (Number.isNaN(parameter.getTime())) throw queryRefused('has an invalid Date as a parameter.');
    return { value: new api.DuckDBTimestampTZValue(BigInt(parameter.getTime()) * 1000n), type: api.TIMESTAMPTZ };
  }
  if (types.isUint8Array(parameter)) return { value: new api.DuckDBBlobValue(parameter), type: api.BLOB };
  if (Array.isArray(parameter)) return bindableList(api, parameter as readonly QueryScalar[]);
  throw queryRefused(
    'has a parameter that is neither null, boolean, number, bigint, string, Date, bytes nor a list of them.',
  );
}

/** Of the one type of its elements; numbers are all DOUBLE where any is. */
function bindableList(api: DuckdbApi, parameters: readonly QueryScalar[]): Bindable {
  const elements = parameters.map((parameter) => bindable(api, parameter));
  const found = new Set(elements.map(({ type }) => type));
  found.delete(api.SQLNULL);
  if (found.has(api.DOUBLE)) found.delete(api.BIGINT);
  const [type = api.SQLNULL, another] = found;
  if (another)
    throw queryRefused(`has a list of ${String(type)} and ${String(another)} as a parameter: make them alike.`);
  const values = elements.map(({ value }) =>
    type === api.DOUBLE && typeof value === 'bigint' ? Number(value) : value,
  );
  return { value: new api.DuckDBListValue(values), type: api.LIST(type) };
}
