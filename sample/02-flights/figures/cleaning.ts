// Makes a flight of a raw row, or nothing of an impossible one. Pure.
import type { Flight, RawFlight } from '../source/flight.js';

/** Minutes after the scheduled time from which a flight counts as late; at exactly this it does not. */
const LATE_AFTER_MINUTES = 15;

const IATA_CODE = /^[A-Z0-9]{3}$/;

/**
 * The typed flight of a row, or undefined where it cannot have happened: a column is missing or no whole number, the
 * distance is not positive, an airport is no IATA code, it lands where it started, or it left on another day.
 * Two identical rows are two flights: times have minutes only.
 */
export function cleanFlight(raw: RawFlight, day: string): Flight | undefined {
  const { date, delay, distance, origin, destination } = raw;
  if (!date.startsWith(day)) return undefined;
  if (!isWhole(delay) || !isWhole(distance) || distance <= 0) return undefined;
  if (!isAirport(origin) || !isAirport(destination) || origin === destination) return undefined;
  const minute = Number(date.slice(11, 13)) * 60 + Number(date.slice(14, 16));
  return { date, minute, delay, late: delay > LATE_AFTER_MINUTES, distance, origin, destination };
}

function isWhole(value: number | null): value is number {
  return Number.isSafeInteger(value);
}

function isAirport(code: string | null): code is string {
  return code !== null && IATA_CODE.test(code);
}
