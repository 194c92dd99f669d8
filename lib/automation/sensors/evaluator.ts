// Sensors at work: each worker looks at those that it has the code of, one of them evaluates one at a time. What it answers is
// recorded in one transaction with the cursor: whoever looks too early, too late or twice does no harm.
import type { ContextLogger } from '../../assets/asset.context.js';
import type { EventBus } from '../../events/event.bus.js';
import { FlowStoneError } from '../../flowstone.errors.js';
import type { EventLogLedger } from '../../ledger/event-log.port.js';
import type { EvaluationRecord } from '../../ledger/sensor.records.js';
import type { CommittedEvaluation, EvaluationCause, SensorLedger, TakenSensor } from '../../ledger/sensors.port.js';
import { Alarm } from '../../runs/alarm.js';
import { crashPoint } from '../../runs/crash-points.js';
import { messageOf } from '../../runs/failure.js';
import { isOutage, withPatience } from '../../runs/patience.js';
import type { RunRequester } from '../../runs/requester.js';
import type { OwnSensor } from './declared.sensors.js';
import type { Sensing, SensorResult } from './sensor.js';
import { prepareResult, readResult, type PreparedResult, type ResultReader } from './sensor.result.js';
import { WebhookSensor } from './webhook.sensor.js';

/** Without news all sensors are looked at so often, ms: those of others may have changed. */
const LOOK = 10_000;
/** While another process evaluates one, or the ledger could not be asked, ms. */
const SOON = 1000;
/** A lease is longer than an evaluation may take, ms: what it answered is still to be recorded. */
const TO_RECORD = 15_000;
/** Why trying again cannot help. */
const HOPELESS: ReadonlySet<string> = new Set(['FLOWSTONE_EVENT_CURSOR_LOST']);

export interface EvaluatorParts extends ResultReader {
  /** Usable once the ledger is open. */
  readonly ledger: () => SensorLedger;
  readonly log: () => EventLogLedger;
  readonly sensors: readonly OwnSensor[];
  readonly process: () => string;
  readonly requester: Pick<RunRequester, 'prepare' | 'recorded'>;
  readonly bus: Pick<EventBus, 'add'>;
  readonly loggerOf: (name: string) => ContextLogger;
  /** Something was recorded, perhaps with new partitions. */
  readonly told: () => void;
  /** A look could not be done; the next one tries again. */
  readonly failed: (error: unknown) => void;
  readonly random: () => number;
}

/** What a sensor answered, or how it failed. */
type Said = { readonly result: SensorResult | undefined } | { readonly error: unknown };

export class Evaluator {
  readonly #alarm = new Alarm(() => void this.#looking());
  readonly #own: ReadonlyMap<string, OwnSensor>;
  readonly #closing = new AbortController();
  /** The process as which it has declared. */
  #declaredAs: string | undefined;
  #declaredAt = -Infinity;
  #busy: Promise<void> | undefined;
  #attends = false;
  #stopListening: () => void = () => undefined;
  /** What is being evaluated here. */
  readonly #active = new Map<string, Promise<void>>();
  /** There is news for these. */
  readonly #news = new Set<string>();

  constructor(private readonly parts: EvaluatorParts) {
    this.#own = new Map(parts.sensors.map((sensor) => [sensor.name, sensor]));
  }

  /**
   * @param works whether this process works: one that does not declares only sensors that are called
   * @param enabled whether it evaluates by itself
   */
  async start(works: boolean, enabled: boolean): Promise<void> {
    const declared = this.parts.sensors.filter(({ every }) => works || every === undefined);
    if (declared.length === 0) return;
    await this.#declare(declared).catch((error: unknown) => this.parts.failed(error));
    if (!works || !enabled) return;
    this.#attends = true;
    const kinds = [...new Set(this.parts.sensors.flatMap((sensor) => sensor.kinds))];
    if (kinds.length > 0) {
      this.#stopListening = this.parts.bus.add({
        kinds,
        next: ({ kind }) => {
          for (const sensor of this.parts.sensors) if (sensor.kinds.includes(kind)) this.#hear(sensor);
        },
        complete: () => undefined,
      });
    }
    this.#alarm.set(0);
  }

  /** Something was changed, or time has passed in another way than by itself: looks at once. */
  wake(): void {
    if (this.#attends) this.#alarm.set(0);
  }

  /** Evaluates no more; what is being evaluated is given up, and evaluated again elsewhere. */
  async close(): Promise<void> {
    this.#stopListening();
    this.#alarm.close();
    this.#closing.abort(new Error('The application closes.'));
    await this.#busy;
    await Promise.all(this.#active.values());
  }

  /** The sensor of this process; undefined: it does not have the code that counts. */
  find(name: string, hash: string): OwnSensor | undefined {
    const own = this.#own.get(name);
    return own?.hash === hash ? own : undefined;
  }

  /** The same; @throws FlowStoneError FLOWSTONE_ASSET_CODE_ELSEWHERE */
  require(name: string, hash: string): OwnSensor {
    const own = this.find(name, hash);
    if (own) return own;
    throw new FlowStoneError(
      'FLOWSTONE_ASSET_CODE_ELSEWHERE',
      `This process does not have the code of sensor ${name} that counts now. Ask a process that runs that version.`,
      { context: { sensor: name } },
    );
  }

  /**
   * Evaluates it now, whether or not it is due or paused.
   * @throws FlowStoneError FLOWSTONE_SENSOR_BUSY: it is being evaluated, or was changed meanwhile
   */
  async evaluateNow(own: OwnSensor, by: string | null): Promise<EvaluationRecord> {
    const taken = await this.#take(own, 'asked');
    const committed = taken && (await this.#evaluate(own, taken, 'asked', by));
    if (committed) return committed.evaluation;
    throw new FlowStoneError(
      'FLOWSTONE_SENSOR_BUSY',
      `Sensor ${own.name} is being evaluated already, or was changed amid this evaluation. Ask again.`,
      { context: { sensor: own.name } },
    );
  }

  /** What it would answer and ask for now; nothing is recorded. */
  async dryRun(own: OwnSensor, taken: TakenSensor): Promise<PreparedResult & { readonly result: SensorResult }> {
    const said = await this.#ask(own, taken, 'asked');
    if ('error' in said) throw said.error;
    const result = said.result ?? {};
    return { result, ...(await prepareResult(this.parts, { id: taken.id, name: own.name }, result, null)) };
  }

  /** What a delivery to it asks for, recorded. Undefined: the sensor is paused. */
  async deliver(
    own: OwnSensor,
    id: number,
    delivery: string,
    result: SensorResult,
    keep: number,
  ): Promise<{ readonly evaluation: EvaluationRecord; readonly repeated: boolean } | undefined> {
    const ready = await prepareResult(this.parts, { id, name: own.name }, result, null);
    crashPoint('before-sensor-commit');
    const committed = await this.parts.ledger().deliver(id, delivery, ready.evaluation, keep);
    crashPoint('after-sensor-commit');
    if (committed) await this.#tell(ready, committed);
    return committed;
  }

  async #declare(sensors: readonly OwnSensor[]): Promise<void> {
    const process = this.parts.process();
    const declared = sensors.map(({ name, hash, definition, startPaused: paused }) => {
      return { name, hash, definition, paused };
    });
    await this.parts.ledger().declare(process, declared);
    this.#declaredAs = process;
    this.#declaredAt = performance.now();
  }

  async #looking(): Promise<void> {
    while (this.#busy) await this.#busy;
    if (this.#closing.signal.aborted) return;
    let next = SOON;
    this.#busy = this.#look().then(
      (answer) => void (next = answer),
      (error: unknown) => this.parts.failed(error),
    );
    await this.#busy;
    this.#busy = undefined;
    this.#alarm.set(next);
  }

  /** Begins what is due; answers with the ms until the next look. */
  async #look(): Promise<number> {
    const isOld = performance.now() - this.#declaredAt > LOOK;
    if (this.#declaredAs !== this.parts.process() || isOld) await this.#declare(this.parts.sensors);
    const { sensors, now } = await this.parts.ledger().all();
    let next = LOOK;
    for (const { name, hash, paused, nextAt } of sensors) {
      const own = this.#own.get(name);
      if (own?.hash !== hash || own.every === undefined || paused || this.#active.has(name)) continue;
      const left = nextAt.getTime() - now.getTime();
      if (left <= 0) this.#begin(own, 'due');
      // It is evaluated elsewhere if it is still due then.
      next = Math.min(next, left <= 0 ? SOON : left);
    }
    return next;
  }

  #hear(sensor: OwnSensor): void {
    if (this.#active.has(sensor.name)) this.#news.add(sensor.name);
    else this.#begin(sensor, 'news');
  }

  #begin(own: OwnSensor, cause: EvaluationCause): void {
    if (this.#closing.signal.aborted) return;
    const { name } = own;
    this.#news.delete(name);
    this.#active.set(name, this.#attend(own, cause));
  }

  async #attend(own: OwnSensor, cause: EvaluationCause): Promise<void> {
    let next = SOON;
    try {
      const taken = await this.#take(own, cause);
      if (taken) await this.#evaluate(own, taken, cause, null);
      // When it is due next is known to the ledger.
      if (taken) next = 0;
    } catch (error) {
      this.parts.failed(error);
    }
    this.#active.delete(own.name);
    if (this.#news.has(own.name)) this.#begin(own, 'news');
    else this.#alarm.set(next);
  }

  #take({ name, hash, timeout }: OwnSensor, cause: EvaluationCause): Promise<TakenSensor | undefined> {
    return this.parts.ledger().take(name, hash, this.parts.process(), timeout + TO_RECORD, cause);
  }

  async #evaluate(
    own: OwnSensor,
    taken: TakenSensor,
    cause: EvaluationCause,
    by: string | null,
  ): Promise<CommittedEvaluation | undefined> {
    const said = await this.#ask(own, taken, cause);
    const { every = 0 } = own;
    try {
      if ('error' in said) throw said.error;
      const { result } = said;
      if (!result && cause === 'news') {
        await this.parts.ledger().leave(taken);
        return undefined;
      }
      const ready = await prepareResult(this.parts, { id: taken.id, name: own.name }, result ?? {}, by);
      return await this.#commit(taken, ready, result?.again ? 0 : every);
    } catch (error) {
      // Nothing is wrong with the sensor, and nothing can be recorded either.
      if (isOutage(error) || this.#closing.signal.aborted) {
        // Else it would be held for as long as this process lives and the lease lasts, once the ledger is back.
        const leave = (): Promise<void> => this.parts.ledger().leave(taken);
        await withPatience(leave, this.#closing.signal, this.parts.failed);
        if (isOutage(error)) throw error;
        return undefined;
      }
      return this.#commitFailure(own, taken, error, by);
    }
  }

  async #commit(taken: TakenSensor, ready: PreparedResult, next: number): Promise<CommittedEvaluation | undefined> {
    crashPoint('before-sensor-commit');
    const committed = await this.parts.ledger().commit(taken, ready.evaluation, next);
    crashPoint('after-sensor-commit');
    if (committed) await this.#tell(ready, committed);
    return committed;
  }

  async #commitFailure(
    own: OwnSensor,
    taken: TakenSensor,
    error: unknown,
    by: string | null,
  ): Promise<CommittedEvaluation | undefined> {
    const { initial, max } = own.backoff;
    const stop = error instanceof FlowStoneError && HOPELESS.has(error.code);
    const evaluation = { status: 'failed', reason: messageOf(error), by, runs: [], partitions: [], stop } as const;
    const pause = Math.min(max, initial * 2 ** Math.min(taken.failures, 30));
    // Not all at once, where many look at the same thing that is away.
    const next = pause * (1 - this.parts.random() / 4);
    const committed = await this.parts.ledger().commit(taken, evaluation, next);
    this.parts.loggerOf(`FlowStone sensor ${own.name}`).error(evaluation.reason);
    this.parts.told();
    return committed;
  }

  async #tell({ prepared }: PreparedResult, { evaluation, created }: CommittedEvaluation): Promise<void> {
    for (const [index, run] of created.entries()) if (run) await this.parts.requester.recorded(prepared[index]!, run);
    if (evaluation.status === 'requested') this.parts.told();
  }

  /** Asks the user's code, outside of any transaction and only for so long. */
  async #ask({ name, instance, timeout }: OwnSensor, taken: TakenSensor, cause: EvaluationCause): Promise<Said> {
    if (instance instanceof WebhookSensor) return { result: undefined };
    const ending = new AbortController();
    const signal = AbortSignal.any([ending.signal, this.#closing.signal]);
    const timer = setTimeout(() => ending.abort(tooLate(name, timeout)), timeout).unref();
    const ended = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    ended.catch(() => undefined);
    try {
      signal.throwIfAborted();
      const answer = await Promise.race([this.#answer(instance, name, taken, cause, signal), ended]);
      return { result: answer === undefined ? undefined : readResult(name, answer) };
    } catch (error) {
      return { error };
    } finally {
      clearTimeout(timer);
    }
  }

  async #answer(
    instance: Sensing,
    name: string,
    { cursor, evaluatedAt, now }: TakenSensor,
    cause: EvaluationCause,
    signal: AbortSignal,
  ): Promise<unknown> {
    return instance.evaluate({
      ...{ name, now, cause, signal },
      cursor: cursor ?? undefined,
      firstTime: evaluatedAt === null,
      lastEvaluatedAt: evaluatedAt ?? undefined,
      logger: this.parts.loggerOf(`FlowStone sensor ${name}`),
      log: this.parts.log(),
    });
  }
}

function tooLate(sensor: string, timeout: number): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_SENSOR_TIMEOUT',
    `Sensor ${sensor} did not answer within ${timeout / 1000} s. Let it look at less at once and answer again: true, or give it a longer timeout.`,
    { context: { sensor } },
  );
}
