// What a sensor answered, checked before anything is done with it, and made ready to be recorded.
import { createHash } from 'node:crypto';
import { flag, isJson, isRecord, oneOf, shown, text, wholeFrom, type Expectation } from '../../assets/expectations.js';
import { FlowStoneError } from '../../flowstone.errors.js';
import { unknownName } from '../../graph/did-you-mean.js';
import type { NewEvaluation, SensorRequest } from '../../ledger/sensors.port.js';
import type { RunRequest } from '../../ledger/records.js';
import { elsewhere } from '../../request.options.js';
import type { PlanningModel } from '../../planning/planning-model.js';
import type { RequestReader } from '../../runs/request.reader.js';
import type { PreparedRun, RunRequester } from '../../runs/requester.js';
import type { SensorResult, SensorRunRequest } from './sensor.js';

const MOST_RUNS = 1000;
const MOST_CURSOR = 1_000_000;
const LONGEST_KEY = 1000;
/** As JSON writes what a database cannot keep in a text. */
const UNSTORABLE = /\\u(?:0000|d[89a-f][0-9a-f]{2})/i;

const RESULT: Readonly<Record<keyof SensorResult, Expectation>> = {
  runs: listOf('runs', MOST_RUNS),
  partitions: listOf('{ scheme, add }', MOST_RUNS),
  cursor: (value) => {
    if (!isJson(value)) return 'JSON';
    const written = JSON.stringify(value);
    if (UNSTORABLE.test(written)) return 'JSON without NUL and without half surrogate pairs';
    return written.length > MOST_CURSOR ? `JSON of at most ${MOST_CURSOR} characters` : undefined;
  },
  skip: (value) => (typeof value === 'string' ? undefined : 'a text'),
  again: flag,
};

const RUN: Readonly<Record<keyof SensorRunRequest, Expectation>> = {
  target: (value) => (value === undefined ? 'an asset, key or selection' : undefined),
  partition: elsewhere,
  partitions: elsewhere,
  runKey: (value) =>
    text(value) === undefined && (value as string).length <= LONGEST_KEY
      ? undefined
      : `a non-empty text of at most ${LONGEST_KEY} characters`,
  tags: (value) =>
    isRecord(value) && Object.values(value).every((tag) => typeof tag === 'string') ? undefined : 'an object of texts',
  priority: wholeFrom(-1_000_000),
  upstream: oneOf('stale', 'all', 'none'),
  downstream: flag,
  force: flag,
};

/** @throws FlowStoneError FLOWSTONE_SENSOR_RESULT_INVALID */
export function readResult(sensor: string, answer: unknown): SensorResult {
  if (answer === undefined || answer === null) return {};
  if (!isRecord(answer))
    throw invalid(sensor, `${shown(answer)}, which is no { runs, partitions, cursor, skip, again }`);
  requireEach(sensor, 'its answer', answer, RESULT);
  const result = answer as SensorResult;
  for (const run of result.runs ?? []) {
    if (!isRecord(run)) throw invalid(sensor, `a run that is ${shown(run)}`);
    requireEach(sensor, 'a run', run, RUN);
    if (run.target === undefined) throw invalid(sensor, 'a run without a target');
  }
  for (const partitions of result.partitions ?? []) {
    const { scheme, add } = isRecord(partitions) ? partitions : {};
    if (text(scheme) === undefined && Array.isArray(add) && add.every((key) => text(key) === undefined)) continue;
    throw invalid(sensor, "partitions that are not { scheme: 'name', add: ['key', ...] }");
  }
  return result;
}

/** What a result asks for, as it is recorded, and as it is told when it is. */
export interface PreparedResult {
  readonly requests: readonly RunRequest[];
  readonly prepared: readonly PreparedRun[];
  readonly evaluation: NewEvaluation;
}

export interface ResultReader {
  readonly reader: RequestReader;
  readonly requester: Pick<RunRequester, 'prepare'>;
  /** As if these keys of dynamic schemes were there already. */
  readonly model: (added: ReadonlyMap<string, readonly string[]>) => Promise<PlanningModel>;
}

/** @throws FlowStoneError where a target or partition is none */
export async function prepareResult(
  { reader, requester, model }: ResultReader,
  sensor: { readonly id: number; readonly name: string },
  result: SensorResult,
  by: string | null,
): Promise<PreparedResult> {
  const { runs = [], partitions = [], cursor, skip } = result;
  const added = new Map<string, string[]>();
  for (const { scheme, add } of partitions) {
    reader.requireDynamic(scheme, add);
    added.set(scheme, [...(added.get(scheme) ?? []), ...add]);
  }
  const current = runs.length > 0 ? await model(added) : undefined;
  const requests: RunRequest[] = [];
  const prepared: PreparedRun[] = [];
  for (const { target, runKey, tags, priority, force = true, ...places } of runs) {
    const request = await reader.read(current!, target, { ...places, force });
    const options = {
      requestedBy: `sensor ${sensor.name}`,
      ...(runKey !== undefined && { runKey: keyIn(sensor.id, runKey) }),
      ...(tags && { tags }),
      ...(priority !== undefined && { priority }),
    };
    requests.push(request);
    prepared.push(await requester.prepare(request, options, current!));
  }
  const did = runs.length > 0 || [...added.values()].some((keys) => keys.length > 0);
  const asked = prepared.map(({ run, rows }, index): SensorRequest => {
    return { run, plan: rows, runKey: runs[index]!.runKey ?? null };
  });
  return {
    requests,
    prepared,
    evaluation: {
      ...{ status: did ? 'requested' : 'skipped', reason: did ? null : (skip ?? null), by, runs: asked },
      partitions: Array.from(added, ([scheme, keys]) => ({ scheme, keys })),
      cursor,
    },
  };
}

/** Of this sensor alone: two sensors never mean the same run by the same key. Long ones by their hash. */
function keyIn(sensor: number, key: string): string {
  const short = key.length <= 200 ? `key ${key}` : `hash ${createHash('sha256').update(key).digest('hex')}`;
  return `sensor ${sensor} ${short}`;
}

function requireEach(
  sensor: string,
  what: string,
  given: object,
  expected: Readonly<Record<string, Expectation>>,
): void {
  const names = Object.keys(expected);
  const unknown = unknownName(given, names);
  if (unknown !== undefined) throw invalid(sensor, `${what} with ${unknown}: there is ${names.join(', ')}`);
  for (const [name, expectation] of Object.entries(expected)) {
    const value = (given as Record<string, unknown>)[name];
    // A cursor of null is none.
    const problem = value === undefined || value === null ? undefined : expectation(value);
    if (problem !== undefined) throw invalid(sensor, `${what} with ${name} ${shown(value)}: it must be ${problem}`);
  }
}

function listOf(what: string, most: number): Expectation {
  return (value) =>
    Array.isArray(value) && value.length <= most
      ? undefined
      : `a list of at most ${most} ${what}; answer the rest later, with again: true`;
}

function invalid(sensor: string, what: string): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_SENSOR_RESULT_INVALID',
    `Sensor ${sensor} answered ${what}. Nothing of it was recorded, and its cursor is as it was.`,
    { context: { sensor } },
  );
}
