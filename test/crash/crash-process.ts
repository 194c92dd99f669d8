// Starts a process of the crash tests (crash.process.mjs or another) and hears how far it came.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { FlowStoneOptions } from '../../lib/index.js';

/** What the process is told. */
export interface CrashSettings {
  readonly options: FlowStoneOptions;
  /** Request what is planned by the beat rather than with the request. */
  readonly later: boolean;
  /** Close the application while an asset executes that never ends. */
  readonly shutdown: boolean;
  /** Die amid a batch, once the first of it is committed. */
  readonly amid?: boolean;
  /** Cancel another run, a large one, once it is planned. */
  readonly cancel?: boolean;
  /** Compute everything once more, then collect what is superseded. */
  readonly collect?: boolean;
}

/** What the process of checkpoint.process.mjs is told. */
export interface CheckpointSettings {
  readonly options: FlowStoneOptions;
  readonly target: 'printed' | 'timely';
  /** What it decides itself, once it has asked. */
  readonly decides?: 'approve' | 'modify';
}

/** What the process of automation.process.mjs is told: which versions of the feed it reports, one after the other. */
export interface AutomationSettings {
  readonly options: FlowStoneOptions;
  readonly versions: readonly string[];
}

/** What the process of hook.process.mjs is told. */
export interface HookSettings {
  readonly options: FlowStoneOptions;
  /** Where its hook writes what it is told. */
  readonly file: string;
}

/** What the process of schedules.process.mjs is told. */
export interface ScheduleSettings {
  readonly options: FlowStoneOptions;
  /** By how much its clock is wrong, ms. */
  readonly skew: number;
  /** How long it stays, ms, unless the schedule is paused before. */
  readonly stay: number;
}

/** What the process of sensors.process.mjs is told. */
export interface SensorSettings {
  readonly options: FlowStoneOptions;
  readonly providers: 'ofTime' | 'ofSource' | 'ofDeliveries';
  /** What is delivered to it. */
  readonly deliveries: readonly number[];
}

/** What the process says after each step. */
export interface Step {
  /** Ids of the runs it found. */
  readonly known?: readonly number[];
  /** Id of the run it requested. */
  readonly acknowledged?: number;
}

/** What became of a process. */
export interface Life extends Step {
  /** What ended it: a signal, or its exit code. */
  readonly end: string | number;
  /** What it wrote to its logs. */
  readonly logged: string;
}

/** When a process is killed from outside: so many ms after its start, or after it began to work. */
export interface Kill {
  readonly after: number;
  readonly from: 'start' | 'work';
}

/**
 * Runs the process to its end.
 * @param crashAt for FLOWSTONE_CRASH_AT; '' lets it live
 * @param kill with SIGKILL, if it still lives then
 */
export async function live(settings: CrashSettings, crashAt: string, kill?: Kill): Promise<Life> {
  return liveAs('crash.process.mjs', settings, crashAt, kill);
}

/** The same of another program, which says the same steps. */
export async function liveAs(file: string, settings: object, crashAt: string, kill?: Kill): Promise<Life> {
  const program = join(import.meta.dirname, file);
  // For so short a life nothing is worth optimizing, least of all the WebAssembly of the embedded database: half the start.
  const child = spawn(process.execPath, ['--no-opt', '--liftoff-only', program, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, FLOWSTONE_CRASH_AT: crashAt, NODE_OPTIONS: '' },
  });
  let timer: NodeJS.Timeout | undefined;
  const killIf = (from: Kill['from']): void => {
    if (kill?.from === from) timer ??= setTimeout(() => child.kill('SIGKILL'), kill.after);
  };
  killIf('start');
  let said = '';
  child.stdio[3]!.on('data', (words: Buffer) => {
    said += words.toString();
    killIf('work');
  });
  const [out, err, [code, signal]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close') as Promise<[number | null, string | null]>,
  ]);
  clearTimeout(timer);
  const steps = said.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Step]));
  return Object.assign({ end: signal ?? code!, logged: out + err }, ...steps) as Life;
}
