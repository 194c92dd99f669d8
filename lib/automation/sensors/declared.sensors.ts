// The sensors that the classes of an application declare, and what is wrong with them.
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Discovery } from '../../assets/asset.explorer.js';
import { defaultAssetKey } from '../../assets/asset.key.js';
import type { DeclarationProblem } from '../../assets/declaration.problem.js';
import { isClass } from '../../assets/dependency.js';
import { parseDuration } from '../../assets/duration.js';
import { duration, flag, isRecord, shown, text, type Expectation } from '../../assets/expectations.js';
import { unknownName } from '../../graph/did-you-mean.js';
import type { EventKind } from '../../ledger/event.catalogue.js';
import type { JsonObject } from '../../ledger/json.js';
import { EventSensor } from './event.sensor.js';
import type { Sensing } from './sensor.js';
import { sensorOptionsOf, type SensorOptions } from './sensor.decorator.js';
import { WebhookSensor } from './webhook.sensor.js';

/** A sensor that code declares. Times in ms. */
export interface OwnSensor {
  readonly name: string;
  readonly hash: string;
  readonly definition: JsonObject;
  readonly instance: Sensing | WebhookSensor;
  /** Undefined: it is not evaluated by time, but called. */
  readonly every: number | undefined;
  readonly timeout: number;
  readonly backoff: { readonly initial: number; readonly max: number };
  readonly startPaused: boolean;
  /** What wakes it. */
  readonly kinds: readonly EventKind[];
}

const EVERY_OF_NEWS = '15s';
const TIMEOUT = '60s';
const BACKOFF = { initial: '10s', max: '10m' } as const;
/** Between two evaluations of a sensor that is not told of news, ms: what is asked more often is not built for that. */
const LEAST_EVERY = 100;

const OPTIONS: Readonly<Record<keyof SensorOptions, Expectation>> = {
  every: (value) => {
    const problem = duration(value);
    const milliseconds = problem === undefined ? parseDuration(value as number) : LEAST_EVERY;
    return problem ?? (milliseconds < LEAST_EVERY ? `at least ${LEAST_EVERY} ms` : undefined);
  },
  name: text,
  description: text,
  timeout: positive,
  backoff: (value) => {
    const names = ['initial', 'max'];
    const isRight = isRecord(value) && unknownName(value, names) === undefined;
    const fits = isRight && names.every((name) => value[name] === undefined || positive(value[name]) === undefined);
    return fits ? undefined : "{ initial, max }, durations such as '10s'";
  },
  startPaused: flag,
  codeVersion: text,
};

/** What is declared. Mistakes are added to `problems`; what is wrong is left out. */
export function readSensors(
  { providers }: Pick<Discovery, 'providers'>,
  problems: DeclarationProblem[],
): readonly OwnSensor[] {
  const sensors = new Map<string, OwnSensor>();
  for (const [target, { instance, scope }] of providers) {
    const options = isClass(target) ? sensorOptionsOf(target) : undefined;
    if (!isClass(target) || options === undefined) continue;
    const name = typeof options?.name === 'string' && options.name !== '' ? options.name : defaultAssetKey(target.name);
    const found: [string, string][] = optionProblems(options, instance);
    if (scope !== 'singleton') found.push(['is made for each request', 'let the provider be a singleton']);
    if (typeof (instance as Partial<Sensing> | null)?.evaluate !== 'function' && !(instance instanceof WebhookSensor))
      found.push(['has no evaluate()', 'give the class evaluate(context), or extend one of the built-in sensors']);
    if (sensors.has(name)) found.push(['has the name of another one', "name it: @Sensor({ name: '...' })"]);
    for (const [problem, fix] of found)
      problems.push({ asset: name, class: target.name, problem: `its sensor '${name}' ${problem}`, fix });
    if (found.length === 0) sensors.set(name, ownSensor(name, options, instance as Sensing));
  }
  return [...sensors.values()];
}

function optionProblems(options: unknown, instance: unknown): [string, string][] {
  if (!isRecord(options)) return [[`is given ${shown(options)}`, "give it { every: '30s' }"]];
  const names = Object.keys(OPTIONS);
  const unknown = unknownName(options, names);
  const found: [string, string][] =
    unknown === undefined ? [] : [[`has no option ${unknown}`, `it has ${names.join(', ')}`]];
  for (const [name, expectation] of Object.entries(OPTIONS)) {
    const problem = options[name] === undefined ? undefined : expectation(options[name]);
    if (problem !== undefined) found.push([`has ${name} ${shown(options[name])}`, `give it ${problem}`]);
  }
  const isTold = instance instanceof EventSensor || instance instanceof WebhookSensor;
  if (options['every'] === undefined && !isTold)
    found.push(['is not said to be evaluated', "give it { every: '30s' }"]);
  if (instance instanceof EventSensor) found.push(...instance.problems());
  if (instance instanceof WebhookSensor) {
    if (options['every'] !== undefined) found.push(['is called, not evaluated by time', 'leave `every` out']);
    found.push(...instance.problems());
  }
  return found;
}

function ownSensor(name: string, options: SensorOptions, instance: Sensing | WebhookSensor): OwnSensor {
  const every = instance instanceof WebhookSensor ? undefined : parseDuration(options.every ?? EVERY_OF_NEWS);
  const timeout = parseDuration(options.timeout ?? TIMEOUT);
  const initial = parseDuration(options.backoff?.initial ?? BACKOFF.initial);
  const backoff = { initial, max: Math.max(initial, parseDuration(options.backoff?.max ?? BACKOFF.max)) };
  const definition: JsonObject = {
    ...{ every: every ?? null, timeout, backoff, description: options.description ?? null },
    codeVersion: options.codeVersion ?? null,
  };
  return {
    ...{ name, definition, instance, every, timeout, backoff, startPaused: options.startPaused ?? false },
    hash: createHash('sha256').update(canonicalize(definition)!).digest('hex'),
    kinds: instance instanceof EventSensor ? instance.kinds : [],
  };
}

function positive(value: unknown): string | undefined {
  return duration(value) ?? (parseDuration(value as number) > 0 ? undefined : 'a duration longer than 0');
}
