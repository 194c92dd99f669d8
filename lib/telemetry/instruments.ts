// What is counted and measured: names and units by the conventions of OpenTelemetry. Never by partition or run, of which
// there may be millions. docs/telemetry.md has the table, which a test compares with this. How
// many there were, histograms say as well: each measurement costs what ends in milliseconds a part of its time.
import type { Attributes } from '@opentelemetry/api';
import type { RunRecord } from '../ledger/records.js';
import { meterOf, type Api } from './api.js';

/** Seconds, from what only writes a row to what takes an hour. */
const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800, 3600];

/** Every instrument, by its name. */
export const INSTRUMENTS = {
  'flowstone.attempt.duration': {
    unit: 's',
    description: 'From the beginning of an attempt until its outcome was committed.',
  },
  'flowstone.attempts.active': {
    unit: '{attempt}',
    description: 'Attempts of this process whose outcome is not committed yet.',
  },
  'flowstone.run.duration': { unit: 's', description: 'From the request for a run to its end.' },
} as const;

export class Instruments {
  readonly #attemptDuration;
  readonly #runDuration;
  readonly #close: () => void;

  /** @param active attempts that go on */
  constructor(api: Api, wanted: boolean, active: () => number) {
    const meter = meterOf(api, wanted);
    const advice = { explicitBucketBoundaries: SECONDS };
    this.#attemptDuration = meter.createHistogram('flowstone.attempt.duration', {
      ...INSTRUMENTS['flowstone.attempt.duration'],
      advice,
    });
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
    const attributes: Attributes = { 'flowstone.asset': asset, 'flowstone.outcome': outcome };
    if (error !== undefined) attributes['error.type'] = error;
    this.#attemptDuration.record(seconds, attributes);
  }

  runEnded({ status, createdAt, completedAt }: RunRecord): void {
    if (!completedAt) return;
    const attributes = { 'flowstone.status': status };
    this.#runDuration.record((completedAt.getTime() - createdAt.getTime()) / 1000, attributes);
  }

  close(): void {
    this.#close();
  }
}
