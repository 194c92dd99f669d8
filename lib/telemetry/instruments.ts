// What is counted and measured: names and units by the conventions of OpenTelemetry. Never by partition or run, of which
// there may be millions. docs/telemetry.md has the table, which a test compares with this.
import type { RunRecord } from '../ledger/records.js';
import { meterOf, type Api } from './api.js';

/** Seconds, from what only writes a row to what takes an hour. */
const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800, 3600];

/** Every instrument, by its name. */
export const INSTRUMENTS = {
  'flowstone.attempts': {
    unit: '{attempt}',
    description: 'Attempts at materializations that ended, by asset and outcome.',
  },
  'flowstone.attempt.duration': {
    unit: 's',
    description: 'From the beginning of an attempt until its outcome was committed.',
  },
  'flowstone.attempts.active': {
    unit: '{attempt}',
    description: 'Attempts of this process whose outcome is not committed yet.',
  },
  'flowstone.runs': { unit: '{run}', description: 'Runs whose end this process recorded, by status.' },
  'flowstone.run.duration': { unit: 's', description: 'From the request for a run to its end.' },
} as const;

export class Instruments {
  readonly #attempts;
  readonly #attemptDuration;
  readonly #runs;
  readonly #runDuration;
  readonly #close: () => void;

  /** @param active attempts that go on */
  constructor(api: Api, wanted: boolean, active: () => number) {
    const meter = meterOf(api, wanted);
    const advice = { explicitBucketBoundaries: SECONDS };
    this.#attempts = meter.createCounter('flowstone.attempts', INSTRUMENTS['flowstone.attempts']);
    this.#attemptDuration = meter.createHistogram('flowstone.attempt.duration', {
      ...INSTRUMENTS['flowstone.attempt.duration'],
      advice,
    });
    this.#runs = meter.createCounter('flowstone.runs', INSTRUMENTS['flowstone.runs']);
    this.#runDuration = meter.createHistogram('flowstone.run.duration', {
      ...INSTRUMENTS['flowstone.run.duration'],
      advice,
    });
    const gauge = meter.createObservableUpDownCounter(
      'flowstone.attempts.active',
      INSTRUMENTS['flowstone.attempts.active'],
    );
    const observe: Parameters<typeof gauge.addCallback>[0] = (result) => result.observe(active());
    gauge.addCallback(observe);
    this.#close = () => gauge.removeCallback(observe);
  }

  /** @param seconds since it began */
  attemptEnded(asset: string, outcome: string, error: string | undefined, seconds: number): void {
    const attributes = {
      'flowstone.asset': asset,
      'flowstone.outcome': outcome,
      ...(error !== undefined && { 'error.type': error }),
    };
    this.#attempts.add(1, attributes);
    this.#attemptDuration.record(seconds, attributes);
  }

  runEnded({ status, createdAt, completedAt }: RunRecord): void {
    if (!completedAt) return;
    const attributes = { 'flowstone.status': status };
    this.#runs.add(1, attributes);
    this.#runDuration.record((completedAt.getTime() - createdAt.getTime()) / 1000, attributes);
  }

  close(): void {
    this.#close();
  }
}
