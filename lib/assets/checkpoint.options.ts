// What `@Checkpoint` takes beside what every asset takes, what is wrong with it, and the rule that follows from it.
import type { ApprovalRule, Audience, EscalationStep } from '../ledger/approval.records.js';
import type { KnownAssetOptions, OptionMistake } from './asset.options.js';
import type { Modification } from './asset.definition.js';
import { parseDuration, readDuration, type Duration } from './duration.js';
import { flag, isRecord, oneOf, shown, text, wholeFrom, type Expectation } from './expectations.js';

/** People by name, and whoever has a role. */
export interface AudienceOptions {
  readonly users?: readonly string[];
  readonly roles?: readonly string[];
}

/** To whom an approval is open as well, from when on. */
export interface EscalationOptions {
  /** After the approval was opened. Left out: when the deadline passes (`timeoutAction: 'escalate'`). */
  readonly after?: Duration;
  readonly to: AudienceOptions;
  /** Addresses that the notifiers are given beside those in `to`, in their own words. */
  readonly notify?: readonly string[];
}

/** The options that only checkpoints have. */
export interface DecisionOptions {
  /** What people are asked. Default: by the asset's description; a method `message(context, inputs)` says more. */
  readonly message?: string;
  /** How long a decision is waited for. Default: for ever. It needs `timeoutAction`, or a method `onTimeout`. */
  readonly timeout?: Duration;
  /**
   * What happens then. `escalate`: the next step of the chain, with a new deadline; `extend`: a new deadline, `extensions`
   * times. Where these are used up, `onTimeout`, or the checkpoint fails.
   */
  readonly timeoutAction?: 'escalate' | 'approve' | 'reject' | 'extend';
  /** Default 1. */
  readonly extensions?: number;
  readonly escalation?: readonly EscalationOptions[];
  /** Who may decide. Default: everybody. */
  readonly assignees?: AudienceOptions;
  /** How many different people have to agree. Default 1. */
  readonly quorum?: number;
  /** Whether who requested the run may not agree. Default false. */
  readonly separationOfDuties?: boolean;
  /** Whether another data version of an input makes a request void. Default true. */
  readonly pinInputs?: boolean;
  /** What a reviewer may give instead: a class with decorators of class-validator. Default: nothing. */
  readonly modification?: Modification;
}

/** How a node is decided upon, as it is marked: by people, or by a signal from outside. */
export interface MarkedDecision extends DecisionOptions {
  readonly signal?: boolean;
}

/** What `@Checkpoint` takes: its own options, those of assets, and those of the I/O manager (checked at boot). */
export interface CheckpointOptions extends Omit<KnownAssetOptions, 'timeout' | 'batch' | 'external'>, DecisionOptions {
  readonly [managerOption: string]: unknown;
}

const isAudience = (value: unknown): value is AudienceOptions =>
  isRecord(value) &&
  Object.keys(value).every((name) => name === 'users' || name === 'roles') &&
  Object.values(value).every((names) => Array.isArray(names) && names.every((name) => text(name) === undefined)) &&
  Object.values(value).some((names) => (names as unknown[]).length > 0);

const AUDIENCE = "an object { users: ['...'], roles: ['...'] } that names somebody";
/** A hundred years: beyond some thousand times that there are no dates. */
const LONGEST_WAIT = parseDuration('36500d');
/** How long is waited for a decision, as messages have it. */
export const EXPECTED_WAIT = "a duration of more than 0 and at most '36500d', such as '2d'";

/** Whether it is a time for which a decision may be waited. */
export function isWait(value: unknown): boolean {
  const milliseconds = readDuration(value) ?? 0;
  return milliseconds > 0 && milliseconds <= LONGEST_WAIT;
}

function isStep(value: unknown): boolean {
  if (!isRecord(value) || !isAudience(value['to'])) return false;
  const { after, notify = [] } = value;
  const known = Object.keys(value).every((name) => ['after', 'to', 'notify'].includes(name));
  return (
    known &&
    (after === undefined || isWait(after)) &&
    Array.isArray(notify) &&
    notify.every((one) => text(one) === undefined)
  );
}

const EXPECTATIONS: Readonly<Record<keyof MarkedDecision, Expectation>> = {
  signal: flag,
  message: text,
  timeout: (value) => (isWait(value) ? undefined : EXPECTED_WAIT),
  timeoutAction: oneOf('escalate', 'approve', 'reject', 'extend'),
  extensions: wholeFrom(1, 1000),
  escalation: (value) =>
    Array.isArray(value) && value.length > 0 && value.every(isStep)
      ? undefined
      : `a list of steps such as { after: '1d', to: { users: ['...'] }, notify: ['...'] }`,
  assignees: (value) => (isAudience(value) ? undefined : AUDIENCE),
  quorum: wholeFrom(1, 1000),
  separationOfDuties: flag,
  pinInputs: flag,
  modification: (value) =>
    isModification(value) ? undefined : 'a class with decorators of class-validator, or a list with one: [TheClass]',
};

function isModification(value: unknown): boolean {
  const [dto, ...more] = Array.isArray(value) ? (value as unknown[]) : [value];
  return more.length === 0 && typeof dto === 'function';
}

/** The names of the options that only checkpoints have. */
export const DECISION_OPTION_NAMES: ReadonlySet<string> = new Set(
  Object.keys(EXPECTATIONS).filter((name) => name !== 'signal'),
);

/** The options of a checkpoint in two parts: of how it is decided, and of the asset it is. */
export function splitOptions(options: CheckpointOptions): {
  readonly decision: DecisionOptions;
  readonly asset: Record<string, unknown>;
} {
  const decision: Record<string, unknown> = {};
  const asset: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options))
    (DECISION_OPTION_NAMES.has(name) ? decision : asset)[name] = value;
  return { decision, asset };
}

/** What is wrong with the options of how a checkpoint is decided; `methods` are those of its class. */
export function decisionMistakes(options: MarkedDecision, methods: readonly string[]): OptionMistake[] {
  const single = Object.entries(options).flatMap(([option, value]): OptionMistake[] => {
    const expected = value === undefined ? undefined : EXPECTATIONS[option as keyof MarkedDecision](value);
    return expected ? [{ option, problem: `option ${option} is ${shown(value)}`, fix: `give it ${expected}` }] : [];
  });
  if (single.length > 0) return single;
  return options.signal ? signalMistakes(options) : [...together(options, methods)];
}

function signalMistakes({ timeout, modification }: MarkedDecision): OptionMistake[] {
  const missing: OptionMistake[] = [];
  if (timeout === undefined)
    missing.push({ option: 'timeout', problem: 'it has no timeout', fix: "say how long it waits: timeout: '2d'" });
  if (modification === undefined)
    missing.push({ option: 'payload', problem: 'it has no payload', fix: 'say what comes: payload: TheClass' });
  return missing;
}

function* together(options: DecisionOptions, methods: readonly string[]): Generator<OptionMistake> {
  const { timeout, timeoutAction, extensions, escalation = [], quorum = 1, assignees } = options;
  const handled = methods.includes('onTimeout');
  const mistake = (option: string, problem: string, fix: string): OptionMistake => ({ option, problem, fix });
  if (timeout === undefined) {
    if (timeoutAction) yield mistake('timeoutAction', 'it has timeoutAction and no timeout', "say when: timeout: '2d'");
    if (handled) yield mistake('timeout', 'it has onTimeout and no timeout', "say when: timeout: '2d'");
  } else if (!timeoutAction && !handled) {
    yield mistake(
      'timeout',
      'it has a timeout and nothing that happens then',
      "add timeoutAction: 'reject' or another, or onTimeout",
    );
  }
  if (handled && (timeoutAction === 'approve' || timeoutAction === 'reject')) {
    yield mistake('timeoutAction', `it has timeoutAction '${timeoutAction}' and onTimeout`, 'remove one of them');
  }
  if (extensions !== undefined && timeoutAction !== 'extend') {
    yield mistake(
      'extensions',
      'it has extensions and does not extend',
      "write timeoutAction: 'extend', or remove extensions",
    );
  }
  if (timeoutAction === 'escalate' && escalation.length === 0) {
    yield mistake(
      'timeoutAction',
      "it has timeoutAction 'escalate' and no escalation",
      'say to whom: escalation: [{ to: { users: [...] } }]',
    );
  }
  const untimed = escalation.findIndex(({ after }) => after === undefined);
  if (untimed >= 0 && timeoutAction !== 'escalate') {
    yield mistake(
      'escalation',
      `step ${untimed + 1} of its escalation has no time`,
      "write after: '1d', or timeoutAction: 'escalate'",
    );
  }
  const times = escalation.flatMap(({ after }) => (after === undefined ? [] : [parseDuration(after)]));
  if (times.some((time, index) => index > 0 && time < times[index - 1]!)) {
    yield mistake(
      'escalation',
      'the steps of its escalation are not in order',
      'put them in order of after, counted from the beginning',
    );
  }
  const audiences = [...(assignees ? [assignees] : []), ...escalation.map(({ to }) => to)];
  const people = new Set(audiences.flatMap(({ users = [] }) => users)).size;
  if (assignees && quorum > people && audiences.every(({ roles = [] }) => roles.length === 0)) {
    yield mistake('quorum', `its quorum is ${quorum}, of ${people} people in all`, 'name more people, or a role');
  }
}

/** The rule with its defaults; `options` are without mistakes. */
export function approvalRule(options: MarkedDecision, methods: readonly string[]): ApprovalRule {
  const { timeout, timeoutAction } = options;
  return {
    assignees: audience(options.assignees),
    quorum: options.quorum ?? 1,
    separationOfDuties: options.separationOfDuties ?? false,
    timeout: timeout === undefined ? null : parseDuration(timeout),
    timeoutAction: timeoutAction ?? (options.signal || methods.includes('onTimeout') ? 'handle' : null),
    extensions: options.extensions ?? 1,
    escalation: (options.escalation ?? []).map(({ after, to, notify = [] }): EscalationStep => {
      return { after: after === undefined ? null : parseDuration(after), to: audience(to), notify: [...notify] };
    }),
    pinInputs: options.pinInputs ?? true,
    modifiable: options.modification !== undefined && !options.signal,
  };
}

function audience({ users = [], roles = [] }: AudienceOptions = {}): Audience {
  return { users: [...users], roles: [...roles] };
}
