// @Sensor: declares that a class observes something and requests runs by what it sees.
import 'reflect-metadata';
import { Injectable } from '@nestjs/common';
import type { AssetClass } from '../../assets/asset.definition.js';
import type { Duration } from '../../assets/duration.js';

const SENSOR = Symbol.for('flowstone:sensor');

/** What `@Sensor` takes. */
export interface SensorOptions {
  /** From the end of one evaluation to the next. Default, of sensors that are told of news: `15s`, in case news were lost. */
  readonly every?: Duration;
  /** Unique among sensors; cursor and run keys are kept under it. Default: the name of the class in snake case. */
  readonly name?: string;
  readonly description?: string;
  /** An evaluation that takes longer has failed. Default `60s`. */
  readonly timeout?: Duration;
  /** After a failure it waits `initial` (default `10s`), after each further one twice as long, at most `max` (`10m`). */
  readonly backoff?: { readonly initial?: Duration; readonly max?: Duration };
  /** Whether it waits, once it is new, until somebody resumes it. */
  readonly startPaused?: boolean;
  /** Change it with what the code means, so that during a deploy only processes that have the newest evaluate it. */
  readonly codeVersion?: string;
}

/**
 * Has `evaluate()` of the class called every so often, by one process at a time over all, and requests what it answers. The
 * cursor moves in one transaction with that. Makes the class injectable. Mistakes are reported at boot, all at once.
 */
export function Sensor(options: SensorOptions = {}): (target: AssetClass) => void {
  return (target) => {
    Injectable()(target);
    Reflect.defineMetadata(SENSOR, options, target);
  };
}

/** The options of `@Sensor` on this very class. */
export function sensorOptionsOf(target: AssetClass): SensorOptions | undefined {
  return Reflect.getOwnMetadata(SENSOR, target) as SensorOptions | undefined;
}
