// What an application says of telemetry, and what is wrong with it.
import { unknownName } from '../graph/did-you-mean.js';
import { missingPackages } from '../optional-packages.js';

/** What is told to OpenTelemetry (docs/telemetry.md). Both by default. */
export interface TelemetryOptions {
  readonly traces?: boolean;
  readonly metrics?: boolean;
}

/** The same, complete. */
export type Telemetry = Required<TelemetryOptions>;

const NAMES = ['traces', 'metrics'];

/** The option `telemetry` of forRoot(), undefined where it is off. Throws a TypeError that completes "telemetry must be". */
export function readTelemetry(given: unknown): Telemetry | undefined {
  if (given === false) return undefined;
  const options = given === true ? {} : given;
  if (typeof options !== 'object' || options === null) return wrong('true, false or { traces?, metrics? }');
  const unknown = unknownName(options, NAMES);
  if (unknown !== undefined) return wrong(`without ${unknown}: it has ${NAMES.join(' and ')}`);
  for (const [name, flag] of Object.entries(options)) {
    if (flag !== undefined && typeof flag !== 'boolean') return wrong(`such that ${name} is true or false`);
  }
  const { traces = true, metrics = true } = options as TelemetryOptions;
  if (!traces && !metrics) return undefined;
  const missing = missingPackages('it', ['@opentelemetry/api']);
  return missing === undefined ? { traces, metrics } : wrong(`false, since ${missing}`);
}

function wrong(expected: string): never {
  throw new TypeError(expected);
}
