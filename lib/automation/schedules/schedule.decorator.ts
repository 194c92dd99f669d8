// @Schedule: declares that something is run by the clock.
import 'reflect-metadata';
import { Injectable } from '@nestjs/common';
import type { AssetClass } from '../../assets/asset.definition.js';
import type { ScheduleOptions } from './schedule.options.js';

const SCHEDULES = Symbol.for('flowstone:schedules');

/**
 * Has an asset computed at each tick of a cron expression, whatever its state; on a class that is no asset, its `targets`.
 * Makes the class injectable. A class may have several, each with a `name`. Every tick fires once, over any number of
 * processes. Mistakes are reported at boot, all at once.
 */
export function Schedule(options: ScheduleOptions): (target: AssetClass) => void {
  return (target) => {
    Injectable()(target);
    Reflect.defineMetadata(SCHEDULES, [options, ...schedulesOf(target)], target);
  };
}

/** The options of each `@Schedule` on this very class, in the order in which they stand there. */
export function schedulesOf(target: AssetClass): readonly ScheduleOptions[] {
  return (Reflect.getOwnMetadata(SCHEDULES, target) as readonly ScheduleOptions[] | undefined) ?? [];
}
