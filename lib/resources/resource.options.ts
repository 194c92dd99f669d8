// What is declared of a resource: its options, what is wrong with them, and the times that follow.
import type { ContextLogger } from '../assets/asset.context.js';
import { isAssetKey } from '../assets/asset.key.js';
import { parseDuration, readDuration, type Duration } from '../assets/duration.js';
import { duration, isRecord, shown, text, type Expectation } from '../assets/expectations.js';
import { unknownName } from '../graph/did-you-mean.js';

/** What `setup`, `checkHealth` and `teardown` are given. */
export interface ResourceContext {
  /** Aborted when the application shuts down, or the call takes longer than it may. */
  readonly signal: AbortSignal;
  readonly logger: ContextLogger;
}

/** What a resource may have. */
export interface ManagedResource {
  /** Makes it ready; it failed if this throws, and is then called again. Never twice at a time. */
  setup?(context: ResourceContext): unknown;
  /** Whether it is well: `false`, or whatever this throws, says that it is not. */
  checkHealth?(context: ResourceContext): unknown;
  /** Gives back what setup() has taken, once nothing uses it any more. Only called after a setup that has succeeded. */
  teardown?(context: ResourceContext): unknown;
}

/** Options of `@Resource`. All are optional. */
export interface ResourceOptions {
  /** What it is called wherever it is shown: segments of `a-z0-9_`, joined by `.`. Default: the class name in snake case. */
  readonly name?: string;
  readonly description?: string;
  /** How often `checkHealth` is called. Default `'30s'`; sooner while it is not healthy. */
  readonly healthEvery?: Duration;
  /** How long it may take; then the resource is not healthy. Default `'10s'`. */
  readonly healthTimeout?: Duration;
  /** How long `setup` may take; then the resource is not healthy. Default `'1m'`. */
  readonly setupTimeout?: Duration;
  /** How long `teardown` may take; then the application shuts down without it. Default `'10s'`. */
  readonly teardownTimeout?: Duration;
  /** Before a setup that failed is repeated: `delay` (`'1s'`), twice as long each time up to `max` (`'1m'`), 20 % at random. */
  readonly retry?: { readonly delay?: Duration; readonly max?: Duration };
}

/** A resource with its calls as functions of its own: for a provider that has no decorator. */
export interface ProvidedResource extends ResourceOptions {
  /** The class by which it is provided, and required. */
  readonly provide: abstract new (...args: any[]) => unknown;
  readonly setup?: (instance: never, context: ResourceContext) => unknown;
  readonly checkHealth?: (instance: never, context: ResourceContext) => unknown;
  readonly teardown?: (instance: never, context: ResourceContext) => unknown;
}

/** Times of a resource, ms. */
export interface ResourceTimes {
  readonly healthEvery: number;
  readonly healthTimeout: number;
  readonly setupTimeout: number;
  readonly teardownTimeout: number;
  readonly retryDelay: number;
  readonly retryMax: number;
}

const positive: Expectation = (value) => (readDuration(value) === 0 ? 'a duration of more than 0' : duration(value));

const EXPECTATIONS: Readonly<Record<keyof ResourceOptions, Expectation>> = {
  name: (value) =>
    typeof value === 'string' && isAssetKey(value) ? undefined : 'segments of a-z, 0-9 and _ joined by dots',
  description: text,
  healthEvery: positive,
  healthTimeout: positive,
  setupTimeout: positive,
  teardownTimeout: positive,
  retry: (value) => {
    const expected = '{ delay, max }, both durations of more than 0';
    if (!isRecord(value)) return expected;
    const { delay, max, ...others } = value;
    const wrong = [delay, max].some((each) => each !== undefined && positive(each) !== undefined);
    return wrong || Object.keys(others).length > 0 ? expected : undefined;
  },
};

const CALLS: readonly (keyof ManagedResource)[] = ['setup', 'checkHealth', 'teardown'];

/** What is wrong with the options of `@Resource`; each says what is expected. */
export function resourceProblems(given: unknown): readonly string[] {
  if (!isRecord(given)) return [`it takes its options as an object, not ${shown(given)}`];
  const names = Object.keys(EXPECTATIONS);
  const unknown = unknownName(given, names);
  if (unknown !== undefined) return [`it has no option ${unknown}: it has ${names.join(', ')}`];
  return Object.entries(EXPECTATIONS).flatMap(([name, expectation]) => {
    const value = given[name];
    const problem = value === undefined ? undefined : expectation(value);
    return problem === undefined ? [] : [`${name} must be ${problem}, not ${shown(value)}`];
  });
}

/** What forRoot({ resources }) is given; an Error says what is expected. */
export function readProvidedResources(given: unknown): readonly ProvidedResource[] {
  if (!Array.isArray(given)) throw new TypeError('a list of resources, as asResource(TheClass, { ... }) makes them');
  for (const resource of given as unknown[]) {
    const [problem] = providedProblems(resource);
    if (problem !== undefined) throw new TypeError(`such that of each resource ${problem}`);
  }
  return given as readonly ProvidedResource[];
}

function providedProblems(given: unknown): readonly string[] {
  if (!isRecord(given)) return [`it is { provide: TheClass, ... }, not ${shown(given)}`];
  const { provide, setup, checkHealth, teardown, ...options } = given;
  if (typeof provide !== 'function') return ['provide is the class by which it is provided'];
  const calls = { setup, checkHealth, teardown };
  const wrong = CALLS.filter((name) => calls[name] !== undefined && typeof calls[name] !== 'function');
  return [...wrong.map((name) => `${name} is a function`), ...resourceProblems(options)];
}

export function resourceTimes({
  healthEvery = '30s',
  healthTimeout = '10s',
  setupTimeout = '1m',
  teardownTimeout = '10s',
  retry: { delay = '1s', max = '1m' } = {},
}: ResourceOptions): ResourceTimes {
  return {
    healthEvery: parseDuration(healthEvery),
    healthTimeout: parseDuration(healthTimeout),
    setupTimeout: parseDuration(setupTimeout),
    teardownTimeout: parseDuration(teardownTimeout),
    retryDelay: parseDuration(delay),
    retryMax: parseDuration(max),
  };
}
