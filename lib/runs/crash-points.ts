// Named places at which a test lets the process die, to prove that nothing is lost there. Free when not asked for.

/** Every point, in the order in which a materialization passes them. */
export const CRASH_POINTS = [
  'after-request',
  'before-plan-commit',
  'amid-plan-commit',
  'after-plan-commit',
  'after-claim',
  'before-execute',
  'after-execute',
  'after-value',
  'before-commit',
  // Of a value that is written in the transaction of its record: between the two.
  'amid-commit',
  'after-commit',
  // Of a checkpoint that asks.
  'before-ask',
  'after-ask',
  'before-timers',
  'before-rescue',
  'before-hand-back',
  // Of who cancels a large run.
  'amid-cancel',
  // Of the collector.
  'after-condemn',
  'after-delete',
  'before-run-removal',
  // Of automation: what it decided is recorded between the two.
  'before-automation',
  'after-automation',
  // Of who attends to a tick of a schedule: it is recorded between the two.
  'before-tick',
  'after-tick',
  // Of who evaluates a sensor: its cursor and what it requests are recorded between the two.
  'before-sensor-commit',
  'after-sensor-commit',
  // Of who sends what leaves the system.
  'before-send',
  'after-send',
  // Of who moves hooks on in the log of events.
  'before-relay',
  'after-relay',
] as const;

export type CrashPoint = (typeof CRASH_POINTS)[number];

// `name` or `name:n` for the n-th passage. Read once: an environment variable is not for changing behaviour at run time.
const [armed, passage = '1'] = (process.env['FLOWSTONE_CRASH_AT'] ?? '').split(':');
let passages = 0;

/** Kills the process here, as SIGKILL does, if FLOWSTONE_CRASH_AT names this point. */
export function crashPoint(point: CrashPoint): void {
  if (armed === point && ++passages === Number(passage)) process.kill(process.pid, 'SIGKILL');
}
