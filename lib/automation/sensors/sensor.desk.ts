// flowstone.sensors: what observes something, what came of its evaluations, and its cursor.
import { isJson, text, wholeFrom, type Expectation } from '../../assets/expectations.js';
import { parseDuration } from '../../assets/duration.js';
import { FlowStoneError } from '../../flowstone.errors.js';
import { didYouMean } from '../../graph/did-you-mean.js';
import type { JsonValue } from '../../ledger/json.js';
import type { Ledger, Page, PageRequest } from '../../ledger/ledger.port.js';
import type { Act, RunRequest } from '../../ledger/records.js';
import type { EvaluationRecord, SensorRecord } from '../../ledger/sensor.records.js';
import { requireOptions, requireStorable } from '../../request.options.js';
import type { ContextLogger } from '../../assets/asset.context.js';
import type { Evaluator } from './evaluator.js';
import { readResult } from './sensor.result.js';
import { contentOf, WebhookSensor, type SensorDelivery } from './webhook.sensor.js';

/** Who acts, and why. */
export interface SensorAct {
  readonly by?: string;
  readonly reason?: string;
}

/** A sensor as it is now. */
export interface SensorView {
  readonly name: string;
  readonly description: string | null;
  /** ms; null: it is called, not evaluated by time. */
  readonly every: number | null;
  /** Whether a live process has the code that counts; without one it is not evaluated. */
  readonly live: boolean;
  readonly paused: { readonly by: string | null; readonly reason: string | null; readonly at: Date } | null;
  /** Null: none yet. */
  readonly cursor: JsonValue | null;
  /** When an evaluation succeeded last. */
  readonly evaluatedAt: Date | null;
  /** Null: it is paused, or called. */
  readonly nextAt: Date | null;
  /** How many evaluations in a row have failed by now, and how the last one did. */
  readonly failures: number;
  readonly lastError: string | null;
  readonly createdAt: Date;
}

/** What an evaluation would have recorded. */
export interface SensorDryRun {
  readonly runs: readonly { readonly request: RunRequest; readonly runKey: string | null }[];
  readonly partitions: readonly { readonly scheme: string; readonly add: readonly string[] }[];
  /** Undefined: as it was. */
  readonly cursor: JsonValue | null | undefined;
  readonly skip: string | null;
  readonly again: boolean;
}

/** What a sender is answered, as HTTP. */
export interface DeliveryAnswer {
  readonly status: 200 | 401 | 413 | 500 | 503;
  readonly body: {
    readonly evaluation?: number;
    readonly runs?: readonly number[];
    /** Whether it came before: then nothing was requested, and this is what was answered. */
    readonly repeated?: boolean;
    readonly error?: string;
  };
}

export interface SensorDeskParts {
  readonly ledger: Pick<Ledger, 'sensors' | 'now'>;
  readonly evaluator: Evaluator;
  readonly loggerOf: (name: string) => ContextLogger;
  readonly beforeUse: () => void;
}

const ACT: Readonly<Record<keyof SensorAct, Expectation>> = { by: text, reason: text };

export class Sensors {
  /** @param parts found when they are used: the application may not have started yet */
  constructor(private readonly parts: () => SensorDeskParts) {}

  /** All sensors, by name. */
  async list(): Promise<readonly SensorView[]> {
    return (await this.#used().ledger.sensors.all()).sensors.map(viewOf);
  }

  /** @throws FlowStoneError FLOWSTONE_SENSOR_UNKNOWN */
  async get(name: string): Promise<SensorView> {
    return viewOf((await this.#require(name)).record);
  }

  /**
   * What came of its evaluations, newest first: 50, or as the page says; `next` is the id to come before. Of those that did
   * something 1,000 are kept, of others 50.
   */
  async evaluations(name: string, page: Partial<PageRequest> = {}): Promise<Page<EvaluationRecord>> {
    requireOptions('sensors.evaluations()', page, { limit: wholeFrom(1, 1000), before: wholeFrom(0, 2 ** 53 - 1) });
    const { record } = await this.#require(name);
    return this.#used().ledger.sensors.evaluations(record.id, { limit: page.limit ?? 50, before: page.before });
  }

  /** Not evaluated until it is resumed; what it is being asked now counts no more. Whether that changed anything. */
  async pause(name: string, act: SensorAct = {}): Promise<boolean> {
    return this.#pause(name, true, act);
  }

  /** Evaluated at once, from its cursor on: what came meanwhile is not lost. Whether that changed anything. */
  async resume(name: string, act: SensorAct = {}): Promise<boolean> {
    return this.#pause(name, false, act);
  }

  /**
   * Evaluates it now, in this process, also while it is paused or waits after failures; answers with what came of it.
   * @throws FlowStoneError FLOWSTONE_SENSOR_BUSY: it is being evaluated; FLOWSTONE_ASSET_CODE_ELSEWHERE
   */
  async evaluateNow(name: string, act: Pick<SensorAct, 'by'> = {}): Promise<EvaluationRecord> {
    const { actor } = actIn('evaluateNow', act);
    const { record } = await this.#require(name);
    const { evaluator } = this.#used();
    const own = evaluator.require(name, record.hash);
    requirePolled(own.every, name);
    return evaluator.evaluateNow(own, actor);
  }

  /**
   * Evaluates it in this process and records nothing: what it would ask for. Throws what it throws; also
   * FLOWSTONE_ASSET_CODE_ELSEWHERE.
   */
  async dryRun(name: string): Promise<SensorDryRun> {
    const { record, now } = await this.#require(name);
    const { evaluator } = this.#used();
    const own = evaluator.require(name, record.hash);
    requirePolled(own.every, name);
    const { id, cursor, evaluatedAt, failures } = record;
    const dry = await evaluator.dryRun(own, { id, cursor, evaluatedAt, failures, now, generation: -1 });
    const { partitions = [], skip = null, again = false } = dry.result;
    return {
      runs: dry.requests.map((request, index) => ({ request, runKey: dry.evaluation.runs[index]!.runKey })),
      ...{ partitions, cursor: dry.result.cursor, skip, again },
    };
  }

  /** What it goes on from; JSON. What it is being asked now counts no more. It is evaluated at once, unless it is paused. */
  async setCursor(name: string, cursor: JsonValue, act: SensorAct = {}): Promise<void> {
    if (cursor === null || !isJson(cursor)) {
      throw new FlowStoneError(
        'FLOWSTONE_REQUEST_INVALID',
        'A cursor must be JSON, and not null: resetCursor() forgets it.',
      );
    }
    readResult(name, { cursor });
    await this.#setCursor(name, cursor, actIn('setCursor', act));
  }

  /** Goes on as if it were new: what exists by then counts as seen, unless the sensor says otherwise. */
  async resetCursor(name: string, act: SensorAct = {}): Promise<void> {
    await this.#setCursor(name, null, actIn('resetCursor', act));
  }

  /**
   * Removes one whose code is gone, with its cursor and evaluations; runs stay.
   * @throws FlowStoneError FLOWSTONE_SENSOR_DECLARED while a live process declares it
   */
  async delete(name: string, act: SensorAct = {}): Promise<void> {
    const acted = actIn('delete', act);
    await this.#require(name);
    if (await this.#used().ledger.sensors.remove(name, acted)) return;
    throw new FlowStoneError(
      'FLOWSTONE_SENSOR_DECLARED',
      `Sensor '${name}' is declared by code: remove it there first, or pause it.`,
      { context: { sensor: name } },
    );
  }

  /**
   * Takes what was delivered to a sensor that extends WebhookSensor, and answers what its sender is to be answered: 200 once
   * what it asks for is recorded, the same for one that comes again; 401 where it is not genuine, 413 where it is too large,
   * 503 while the sensor is paused or its newest code is in other processes, 500 where the sensor failed (nothing is recorded then, and the sender tries again).
   */
  async receive(name: string, request: SensorDelivery): Promise<DeliveryAnswer> {
    const { record, now } = await this.#require(name);
    const { evaluator, ledger, loggerOf } = this.#used();
    const own = evaluator.find(name, record.hash);
    // Another process has the code; the sender tries again.
    if (!own) return { status: 503, body: { error: 'elsewhere' } };
    const { instance } = own;
    if (!(instance instanceof WebhookSensor)) {
      throw new FlowStoneError(
        'FLOWSTONE_REQUEST_INVALID',
        `Sensor ${name} is no WebhookSensor: nothing can be delivered to it.`,
      );
    }
    if (typeof request?.body !== 'string' && !(request?.body instanceof Uint8Array)) {
      throw new FlowStoneError(
        'FLOWSTONE_REQUEST_INVALID',
        `What is delivered to sensor ${name} must be the raw body, which is signed. With Nest: NestFactory.create(App, { rawBody: true }), then request.rawBody.`,
      );
    }
    if (Buffer.byteLength(request.body) > instance.maxBytes) return { status: 413, body: { error: 'too large' } };
    const verdict = await instance.verify(request, now);
    // Why is for us alone: it would help who guesses.
    const logger = loggerOf(`FlowStone sensor ${name}`);
    if (!verdict.genuine) {
      logger.warn(`A delivery was refused: ${verdict.reason}`);
      return { status: 401, body: { error: 'not genuine' } };
    }
    const { delivery } = verdict;
    requireStorable('ids of deliveries', [delivery]);
    const before = await ledger.sensors.delivered(record.id, delivery);
    if (before) return answerOf(before, true);
    if (record.paused) return { status: 503, body: { error: 'paused' } };
    try {
      const answer = await instance.onDelivery(contentOf(request.body), { name, delivery, logger });
      const { cursor: _none, ...result } = readResult(name, answer);
      const keep = parseDuration(instance.remember);
      const committed = await evaluator.deliver(own, record.id, delivery, result, keep);
      if (!committed) return { status: 503, body: { error: 'paused' } };
      return answerOf(committed.evaluation, committed.repeated);
    } catch (error) {
      logger.error('A delivery could not be taken', error);
      return { status: 500, body: { error: 'failed' } };
    }
  }

  async #pause(name: string, paused: boolean, act: SensorAct): Promise<boolean> {
    const acted = actIn(paused ? 'pause' : 'resume', act);
    await this.#require(name);
    const { ledger, evaluator } = this.#used();
    const changed = await ledger.sensors.pause(name, paused, acted);
    evaluator.wake();
    return changed;
  }

  async #setCursor(name: string, cursor: JsonValue | null, act: Act): Promise<void> {
    await this.#require(name);
    const { ledger, evaluator } = this.#used();
    await ledger.sensors.setCursor(name, cursor, act);
    evaluator.wake();
  }

  async #require(name: string): Promise<{ readonly record: SensorRecord; readonly now: Date }> {
    const { sensors, now } = await this.#used().ledger.sensors.all();
    const record = sensors.find((sensor) => sensor.name === name);
    if (record) return { record, now };
    const hint = didYouMean(
      name,
      sensors.map((sensor) => sensor.name),
    );
    throw new FlowStoneError(
      'FLOWSTONE_SENSOR_UNKNOWN',
      `There is no sensor '${name}'${hint}. sensors.list() names all; one that is declared is there once a process with it has started.`,
      { context: { sensor: name } },
    );
  }

  #used(): SensorDeskParts {
    const parts = this.parts();
    parts.beforeUse();
    return parts;
  }
}

function answerOf({ id, runs }: EvaluationRecord, repeated: boolean): DeliveryAnswer {
  const body = { evaluation: id, runs: runs.flatMap(({ run }) => run ?? []) };
  return { status: 200, body: repeated ? { ...body, repeated } : body };
}

function viewOf(record: SensorRecord): SensorView {
  const { name, live, cursor, evaluatedAt, failures, lastError, createdAt, definition, paused } = record;
  const every = definition['every'] as number | null;
  return {
    ...{ name, every, live, cursor, evaluatedAt, failures, lastError, createdAt },
    description: definition['description'] as string | null,
    paused: paused && { by: paused.actor, reason: paused.reason, at: paused.at },
    nextAt: paused || every === null ? null : record.nextAt,
  };
}

function requirePolled(every: number | undefined, name: string): void {
  if (every !== undefined) return;
  throw new FlowStoneError('FLOWSTONE_REQUEST_INVALID', `Sensor ${name} is called by receive(), and not evaluated.`);
}

function actIn(method: string, act: SensorAct): Act {
  requireOptions(`sensors.${method}()`, act, ACT);
  requireStorable('by and reason', [act.by, act.reason]);
  return { actor: act.by ?? null, reason: act.reason ?? null };
}
