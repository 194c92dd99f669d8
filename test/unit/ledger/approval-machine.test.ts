// How an approval changes: tables of (given, when, then).
import { describe, expect, it } from '@jest/globals';
import {
  decideApproval,
  isDecided,
  timersOf,
  type ApprovalAnswer,
  type ApprovalCommand,
} from '../../../lib/ledger/approval.machine.js';
import type {
  ApprovalRecord,
  ApprovalRule,
  ApprovalStatus,
  EscalationStep,
} from '../../../lib/ledger/approval.records.js';

const OPENED = new Date('2026-01-01T00:00:00Z');
const MINUTE = 60_000;
const at = (minutes: number): Date => new Date(OPENED.getTime() + minutes * MINUTE);
const NOBODY = { users: [], roles: [] };

const RULE: ApprovalRule = {
  ...{ assignees: NOBODY, quorum: 1, separationOfDuties: false, timeout: null, timeoutAction: null },
  ...{ extensions: 1, escalation: [], pinInputs: true, modifiable: true },
};

/** An open approval by this rule. */
function open(rule: Partial<ApprovalRule> = {}, more: Partial<ApprovalRecord> = {}): ApprovalRecord {
  const whole = { ...RULE, ...rule };
  return {
    ...{ id: 7, kind: 'checkpoint', run: 1, materialization: 2, epoch: 1, asset: 'report', partition: '2024-01' },
    status: 'open',
    ...{ message: '?', requestedBy: 'zoe', rule: whole, audience: whole.assignees, openedAt: OPENED },
    deadline: whole.timeout === null ? null : new Date(OPENED.getTime() + whole.timeout),
    ...{ escalations: 0, extensions: 0, votes: [], proposal: null, decision: null, closedAt: null, previous: null },
    ...more,
  };
}

type Personal<K> = Omit<Extract<ApprovalCommand, { kind: K }>, 'kind' | 'by' | 'roles' | 'reason'>;
type Person = { readonly roles?: readonly string[]; readonly reason?: string };

const who = (by: string, { roles = [], reason }: Person) => ({ by, roles, reason: reason ?? null });
const approve = (by: string, { proposal = null, ...person }: Person & Partial<Personal<'approve'>> = {}) =>
  ({ kind: 'approve', ...who(by, person), proposal }) as const;
const reject = (by: string, person: Person = {}) => ({ kind: 'reject', ...who(by, person) }) as const;
const modify = (by: string, value: Personal<'modify'>['value'], person: Person = {}) =>
  ({ kind: 'modify', ...who(by, person), value }) as const;
const escalate = (by: string, to: Personal<'escalate'>['to'] = null) =>
  ({ kind: 'escalate', ...who(by, {}), to }) as const;
const extend = (by: string, milliseconds: number | null = null) =>
  ({ kind: 'extend', ...who(by, {}), for: milliseconds }) as const;
const comment = (by: string, text: string) => ({ kind: 'comment', ...who(by, {}), text }) as const;

/** What becomes of it by one command after the other, each a minute after the one before; each has to change it. */
function after(approval: ApprovalRecord, ...commands: ApprovalCommand[]): ApprovalRecord {
  return commands.reduce((given, command, index) => {
    const answer = decideApproval(given, command, at(index + 1));
    if (answer.kind !== 'changed') throw new Error(`${command.kind}: ${JSON.stringify(answer)}`);
    return answer.approval;
  }, approval);
}

const step = (to: string, minutes: number | null = null, notify: readonly string[] = []): EscalationStep => ({
  after: minutes === null ? null : minutes * MINUTE,
  to: { users: [to], roles: [] },
  notify,
});

interface Case {
  readonly given: ApprovalRecord;
  readonly when: ApprovalCommand;
  /** Minutes after it was opened; default 5. */
  readonly minutes?: number;
  readonly becomes: object;
}

const changed = (approval: Partial<ApprovalRecord>, act: object): object => ({ kind: 'changed', approval, act });
const refused = (code: string, message: string, context: object = {}): object => ({
  kind: 'refused',
  code: `FLOWSTONE_APPROVAL_${code}`,
  message: expect.stringContaining(message),
  context: { approval: 7, ...context },
});
const UNCHANGED = { kind: 'unchanged' };

function table(cases: Readonly<Record<string, Case>>): void {
  it.each(Object.entries(cases))('%s', (_name, { given, when, minutes = 5, becomes }) => {
    const before = structuredClone(given);
    const answer: ApprovalAnswer = decideApproval(given, when, at(minutes));
    expect(answer).toMatchObject(becomes);
    // Pure: what it was is left as it was.
    expect(given).toEqual(before);
  });
}

describe('agreeing', () => {
  const two = open({ quorum: 2 });
  table({
    'closes it, with who, when and why': {
      given: open(),
      when: approve('anna', { reason: 'fine' }),
      becomes: changed(
        {
          ...{ status: 'approved', decision: { action: 'approve', by: 'anna', at: at(5), reason: 'fine' } },
          ...{ votes: [{ by: 'anna', at: at(5), reason: 'fine' }], closedAt: at(5) },
        },
        { kind: 'approved', actor: 'anna', detail: { reason: 'fine' }, notify: [] },
      ),
    },
    'is one of so many votes': {
      given: two,
      when: approve('anna'),
      becomes: changed(
        { status: 'open', votes: [{ by: 'anna', at: at(5), reason: null }], decision: null, closedAt: null },
        { kind: 'voted', actor: 'anna', detail: { reason: null, votes: 1, quorum: 2 } },
      ),
    },
    'closes it with the last of them': {
      given: after(two, approve('anna')),
      when: approve('bert'),
      becomes: changed(
        { status: 'approved', decision: { action: 'approve', by: 'bert' } as never },
        { kind: 'approved' },
      ),
    },
    'counts once for each person': {
      given: after(two, approve('anna')),
      when: approve('anna', { reason: 'again' }),
      becomes: UNCHANGED,
    },
    'is about the value that is proposed by now, which has to be named': {
      given: after(two, modify('anna', 1)),
      when: approve('bert'),
      becomes: refused('CONFLICT', 'approve { proposal: 1 }', { proposal: 1 }),
    },
    'to a value that was proposed is a modification': {
      given: after(two, modify('anna', 1)),
      when: approve('bert', { proposal: 1 }),
      becomes: changed(
        { status: 'modified', decision: { action: 'modify', by: 'bert' } as never, proposal: { value: 1 } as never },
        { kind: 'modified', detail: { before: null, after: 1 } },
      ),
    },
    'to a value that was replaced is a conflict': {
      given: after(two, modify('anna', 1), modify('bert', 2)),
      when: approve('carl', { proposal: 1 }),
      becomes: refused('CONFLICT', 'a modification by bert now', { proposal: 2 }),
    },
    'to a value that nobody proposed is a conflict': {
      given: two,
      when: approve('carl', { proposal: 1 }),
      becomes: refused('CONFLICT', 'no such modification', { proposal: null }),
    },
  });
});

describe('another value', () => {
  const two = open({ quorum: 2 });
  table({
    'closes it': {
      given: open(),
      when: modify('anna', { a: 1 }, { reason: 'better' }),
      becomes: changed(
        { status: 'modified', proposal: { number: 1, by: 'anna', at: at(5), value: { a: 1 } } },
        { kind: 'modified', actor: 'anna', detail: { reason: 'better', before: null, after: { a: 1 } } },
      ),
    },
    'is a proposal where others have to agree, and the first vote for it': {
      given: after(two, approve('bert')),
      when: modify('anna', 1),
      becomes: changed(
        { status: 'open', proposal: { number: 1, by: 'anna', at: at(5), value: 1 }, votes: [{ by: 'anna' }] as never },
        { kind: 'proposed', actor: 'anna', detail: { reason: null, before: null, after: 1, proposal: 1 } },
      ),
    },
    'takes the place of the one before': {
      given: after(open({ quorum: 3 }), modify('anna', 1), approve('carl', { proposal: 1 })),
      when: modify('bert', 2),
      becomes: changed(
        { proposal: { number: 2, by: 'bert', value: 2 } as never, votes: [{ by: 'bert' }] as never },
        { kind: 'proposed', detail: { before: 1, after: 2, proposal: 2 } },
      ),
    },
    'that is the same by the same person is no other': {
      given: after(open({ quorum: 3 }), modify('anna', { a: 1, b: [2] }), approve('carl', { proposal: 1 })),
      when: modify('anna', { b: [2], a: 1 }),
      becomes: UNCHANGED,
    },
    'is not taken where none is declared': {
      given: open({ modifiable: false }),
      when: modify('anna', 1),
      becomes: refused('INVALID', 'declares no modification'),
    },
  });
});

describe('who may', () => {
  const named = open({ assignees: { users: ['anna'], roles: ['boss'] } });
  const apart = open({ separationOfDuties: true });
  table({
    'decide: who is named': { given: named, when: approve('anna'), becomes: changed({ status: 'approved' }, {}) },
    'decide: who has a role': {
      given: named,
      when: approve('carl', { roles: ['clerk', 'boss'] }),
      becomes: changed({ status: 'approved' }, {}),
    },
    'not agree: anybody else': {
      given: named,
      when: approve('boss', { roles: ['anna'] }),
      becomes: refused('FORBIDDEN', 'it is for anna, role boss'),
    },
    'not reject: anybody else': {
      given: named,
      when: reject('zoe'),
      becomes: refused('FORBIDDEN', 'zoe may not decide'),
    },
    'not modify: anybody else': { given: named, when: modify('zoe', 1), becomes: refused('FORBIDDEN', 'zoe may not') },
    'not escalate: anybody else': {
      given: named,
      when: escalate('zoe', named.audience),
      becomes: refused('FORBIDDEN', ''),
    },
    'not extend: anybody else': { given: named, when: extend('zoe', 1), becomes: refused('FORBIDDEN', '') },
    'say something: everybody': {
      given: named,
      when: comment('zoe', 'hm'),
      becomes: changed({}, { kind: 'commented' }),
    },
    'not agree to their own request': {
      given: apart,
      when: approve('zoe'),
      becomes: refused('FORBIDDEN', 'separationOfDuties'),
    },
    'not agree to it with another value': { given: apart, when: modify('zoe', 1), becomes: refused('FORBIDDEN', '') },
    'reject their own request': { given: apart, when: reject('zoe'), becomes: changed({ status: 'rejected' }, {}) },
    'agree to it where nothing else is declared': {
      given: open(),
      when: approve('zoe'),
      becomes: changed({ status: 'approved' }, {}),
    },
    'agree where nobody is on record as its requester': {
      given: { ...apart, requestedBy: null },
      when: approve('zoe'),
      becomes: changed({ status: 'approved' }, {}),
    },
    'decide: those it was escalated to, and still those it was for': {
      given: after(named, escalate('anna', { users: ['dora'], roles: [] })),
      when: reject('dora', { reason: 'no' }),
      becomes: changed(
        { status: 'rejected', audience: { users: ['anna', 'dora'], roles: ['boss'] } },
        { kind: 'rejected', actor: 'dora', detail: { reason: 'no' } },
      ),
    },
  });
});

describe('escalating', () => {
  const chain = open({
    assignees: { users: ['anna'], roles: [] },
    escalation: [step('bert', 10, ['#ops']), step('carl', 20)],
  });
  table({
    'takes the next step by hand': {
      given: chain,
      when: escalate('anna'),
      becomes: changed(
        { escalations: 1, audience: { users: ['anna', 'bert'], roles: [] } },
        {
          kind: 'escalated',
          actor: 'anna',
          detail: { reason: null, to: { users: ['bert'], roles: [] }, step: 1 },
          notify: ['#ops'],
        },
      ),
    },
    'takes it by itself when its time has come': {
      given: chain,
      when: { kind: 'escalation' },
      minutes: 10,
      becomes: changed({ escalations: 1, status: 'open' }, { kind: 'escalated', actor: null, notify: ['#ops'] }),
    },
    'does not before': { given: chain, when: { kind: 'escalation' }, minutes: 9.99, becomes: UNCHANGED },
    'does not take a step twice': {
      given: after(chain, escalate('anna')),
      when: { kind: 'escalation' },
      minutes: 15,
      becomes: UNCHANGED,
    },
    'ends with the chain': {
      given: after(chain, escalate('anna'), escalate('anna')),
      when: escalate('anna'),
      becomes: refused('INVALID', 'no further step'),
    },
    'by hand goes to somebody': {
      given: chain,
      when: escalate('anna', NOBODY),
      becomes: refused('INVALID', 'to nobody'),
    },
    'leaves open to everybody what is': {
      given: open(),
      when: escalate('anna', { users: ['bert'], roles: [] }),
      becomes: changed({ audience: NOBODY }, { kind: 'escalated' }),
    },
  });

  it('names each person and role once', () => {
    const { audience } = after(chain, escalate('anna', { users: ['anna', 'dora'], roles: ['boss'] }));
    expect(audience).toEqual({ users: ['anna', 'dora'], roles: ['boss'] });
  });
});

describe('extending', () => {
  table({
    'adds to the deadline': {
      given: open({ timeout: 10 * MINUTE, timeoutAction: 'reject' }),
      when: extend('anna', 3 * MINUTE),
      becomes: changed(
        { deadline: at(13), extensions: 0 },
        { kind: 'extended', actor: 'anna', detail: { before: at(10).toISOString(), after: at(13).toISOString() } },
      ),
    },
    'adds the declared timeout': {
      given: open({ timeout: 10 * MINUTE, timeoutAction: 'reject' }),
      when: extend('anna'),
      becomes: changed({ deadline: at(20) }, {}),
    },
    'counts from now where the deadline has passed': {
      given: open({ timeout: 10 * MINUTE, timeoutAction: 'reject' }),
      when: extend('anna', MINUTE),
      minutes: 30,
      becomes: changed({ deadline: at(31) }, {}),
    },
    'gives one to what has none': {
      given: open(),
      when: extend('anna', MINUTE),
      becomes: changed({ deadline: at(6) }, { detail: { before: null } }),
    },
    'has to say by how much where nothing is declared': {
      given: open(),
      when: extend('anna'),
      becomes: refused('INVALID', 'has no timeout of its own'),
    },
  });
});

describe('a deadline', () => {
  const timed = (timeoutAction: ApprovalRule['timeoutAction'], rule: Partial<ApprovalRule> = {}) =>
    open({ timeout: 10 * MINUTE, timeoutAction, ...rule });
  const deadline = { kind: 'deadline' } as const;
  const timedOut = changed(
    { status: 'timed_out', decision: { action: 'timeout', by: null, at: at(12), reason: null }, closedAt: at(12) },
    { kind: 'timed_out', actor: null },
  );
  table({
    'is nothing before its time': { given: timed('reject'), when: deadline, minutes: 9.99, becomes: UNCHANGED },
    'is nothing where there is none': { given: open(), when: deadline, becomes: UNCHANGED },
    'has come at its very moment': {
      given: timed('reject'),
      when: deadline,
      minutes: 10,
      becomes: changed({ status: 'rejected', decision: { action: 'reject', by: null, at: at(10), reason: null } }, {}),
    },
    'is nothing once it was moved on': {
      given: after(timed('reject'), extend('anna')),
      when: deadline,
      minutes: 12,
      becomes: UNCHANGED,
    },
    approves: {
      given: timed('approve'),
      when: deadline,
      minutes: 12,
      becomes: changed({ status: 'approved' }, { actor: null }),
    },
    'approves what was asked, not what somebody proposed': {
      given: after(timed('approve', { quorum: 2 }), modify('anna', 1)),
      when: deadline,
      minutes: 12,
      becomes: changed({ status: 'approved', proposal: null }, { kind: 'approved' }),
    },
    extends: {
      given: timed('extend'),
      when: deadline,
      minutes: 12,
      becomes: changed(
        { status: 'open', deadline: at(22), extensions: 1 },
        { kind: 'extended', actor: null, detail: { before: at(10).toISOString(), after: at(22).toISOString() } },
      ),
    },
    'has passed where that is used up': {
      given: { ...timed('extend'), extensions: 1 },
      when: deadline,
      minutes: 12,
      becomes: timedOut,
    },
    'escalates, with as much time again': {
      given: timed('escalate', { escalation: [step('bert', null, ['#ops'])] }),
      when: deadline,
      minutes: 12,
      becomes: changed({ status: 'open', deadline: at(22), escalations: 1 }, { kind: 'escalated', notify: ['#ops'] }),
    },
    'has passed at the end of the chain': {
      given: { ...timed('escalate', { escalation: [step('bert')] }), escalations: 1 },
      when: deadline,
      minutes: 12,
      becomes: timedOut,
    },
    'has passed where code decides what then': {
      given: timed('handle'),
      when: deadline,
      minutes: 12,
      becomes: timedOut,
    },
    'that somebody gave has passed where nothing is declared': {
      given: after(open(), extend('anna', MINUTE)),
      when: deadline,
      minutes: 12,
      becomes: timedOut,
    },
  });
});

describe('what is not a decision', () => {
  table({
    'an input that has moved makes it void': {
      given: after(open({ quorum: 2 }), approve('anna')),
      when: { kind: 'moved' },
      becomes: changed({ status: 'superseded', decision: null, closedAt: at(5) }, { kind: 'superseded', actor: null }),
    },
    'a cancel ends it': {
      given: open(),
      when: { kind: 'cancel' },
      becomes: changed({ status: 'cancelled', decision: null, closedAt: at(5) }, { kind: 'cancelled', actor: null }),
    },
    'a comment is only told': {
      given: open(),
      when: comment('anna', 'hm'),
      becomes: { kind: 'changed', approval: open(), act: { kind: 'commented', actor: 'anna', detail: { text: 'hm' } } },
    },
  });
});

describe('once it is closed', () => {
  const closed: Readonly<Record<Exclude<ApprovalStatus, 'open' | 'received'>, ApprovalRecord>> = {
    approved: after(open(), approve('anna')),
    modified: after(open(), modify('anna', { a: 1 })),
    rejected: after(open(), reject('anna')),
    timed_out: after(open({ timeout: 1, timeoutAction: 'handle' }), { kind: 'deadline' }),
    superseded: after(open(), { kind: 'moved' }),
    cancelled: after(open(), { kind: 'cancel' }),
  };
  const ENDINGS = {
    ...{ approved: 'was approved by anna at 2026', modified: 'was modified by anna at 2026' },
    ...{ rejected: 'was rejected by anna at 2026', timed_out: 'timed out at 2026' },
    ...{ superseded: 'was superseded', cancelled: 'was cancelled with its run' },
  };
  const LATE = [
    approve('zoe'),
    reject('zoe'),
    modify('zoe', 1),
    escalate('zoe', { users: ['a'], roles: [] }),
    extend('zoe', 1),
  ];
  const ITSELF = [{ kind: 'deadline' }, { kind: 'escalation' }, { kind: 'moved' }, { kind: 'cancel' }] as const;

  describe.each(Object.entries(closed))('%s', (status, given) => {
    it.each(LATE)('who comes later ($kind) learns who was first', (command) => {
      const winner = ['approved', 'modified', 'rejected'].includes(status) ? 'anna' : null;
      expect(decideApproval(given, command, at(60))).toMatchObject(
        refused('CONFLICT', ENDINGS[status as keyof typeof ENDINGS], { status, winner }),
      );
    });

    it.each(ITSELF)('nothing happens to it by itself ($kind)', (command) => {
      expect(decideApproval(given, command, at(60))).toEqual(UNCHANGED);
      expect(timersOf(given)).toEqual({ deadline: null, escalation: null });
    });

    it('is open to comments', () => {
      expect(decideApproval(given, comment('zoe', 'pity'), at(60))).toMatchObject({
        kind: 'changed',
        approval: given,
        act: { kind: 'commented' },
      });
    });

    it('counts as decided, or does not', () => {
      expect(isDecided(given)).toBe(given.decision !== null);
    });
  });

  const voted = open({ quorum: 2 });
  table({
    'who repeats their agreement is told that it was heard': {
      given: closed.approved,
      when: approve('anna'),
      becomes: UNCHANGED,
    },
    'so is who repeats a vote that was not the last': {
      given: after(voted, approve('bert'), approve('anna')),
      when: approve('bert'),
      becomes: UNCHANGED,
    },
    'so is who repeats a vote for another value': {
      given: after(voted, modify('bert', 1), approve('anna', { proposal: 1 })),
      when: modify('bert', 1),
      becomes: UNCHANGED,
    },
    'so is who repeats a rejection': { given: closed.rejected, when: reject('anna'), becomes: UNCHANGED },
    'so is who repeats a value': { given: closed.modified, when: modify('anna', { a: 1 }), becomes: UNCHANGED },
    'who gives another value afterwards is not': {
      given: closed.modified,
      when: modify('anna', { a: 2 }),
      becomes: refused('CONFLICT', 'was modified by anna', { winner: 'anna' }),
    },
    'who changes their mind is not': {
      given: closed.approved,
      when: reject('anna'),
      becomes: refused('CONFLICT', 'was approved by anna'),
    },
    'whose vote was in vain is not': {
      given: after(voted, approve('bert'), reject('anna')),
      when: approve('bert'),
      becomes: refused('CONFLICT', 'was rejected by anna', { winner: 'anna' }),
    },
    'whose vote was in vain since time was over is not': {
      given: after(open({ quorum: 2, timeout: MINUTE, timeoutAction: 'handle' }), approve('bert'), {
        kind: 'deadline',
      }),
      when: approve('bert'),
      becomes: refused('CONFLICT', 'timed out at'),
    },
    'a rejection by its deadline names that': {
      given: after(open({ timeout: 1, timeoutAction: 'reject' }), { kind: 'deadline' }),
      when: approve('zoe'),
      becomes: refused('CONFLICT', 'was rejected by its timeout', { winner: null }),
    },
  });
});

describe('a signal', () => {
  const signal = open({ modifiable: false, timeout: MINUTE, timeoutAction: 'handle' }, { kind: 'signal' });
  const receive = (value: Personal<'receive'>['value']) => ({ kind: 'receive', value }) as const;
  const received = after(signal, receive({ a: 1, b: 2 }));
  table({
    'is received, from nobody we know': {
      given: signal,
      when: receive({ a: 1 }),
      becomes: changed(
        { status: 'received', decision: { action: 'receive', by: null, at: at(5), reason: null }, closedAt: at(5) },
        { kind: 'received', actor: null },
      ),
    },
    'may come twice': { given: received, when: receive({ b: 2, a: 1 }), becomes: UNCHANGED },
    'is the first of several': { given: received, when: receive({ a: 2 }), becomes: refused('CONFLICT', 'was') },
    'is not decided by people': { given: signal, when: approve('anna'), becomes: { kind: 'refused' } },
    'does not come for what people decide': { given: open(), when: receive(1), becomes: { kind: 'refused' } },
    'may be too late': {
      given: after(signal, { kind: 'deadline' }),
      when: receive(1),
      becomes: refused('CONFLICT', 'timed out'),
    },
  });
});

describe('timers', () => {
  it.each([
    ['none, of what has no time', open(), null, null],
    ['a deadline', open({ timeout: MINUTE, timeoutAction: 'reject' }), at(1), null],
    ['the next step of a chain', open({ escalation: [step('a', 10), step('b', 20)] }), null, at(10)],
    ['the step after that', open({ escalation: [step('a', 10), step('b', 20)] }, { escalations: 1 }), null, at(20)],
    ['none, at the end of the chain', open({ escalation: [step('a', 10)] }, { escalations: 1 }), null, null],
    [
      'the deadline only, of a step that is taken with it',
      open({ timeout: MINUTE, timeoutAction: 'escalate', escalation: [step('a')] }),
      ...[at(1), null],
    ],
  ])('are %s', (_name, approval, deadline, escalation) => {
    expect(timersOf(approval)).toEqual({ deadline, escalation });
  });
});

it('names the approval with its asset and partition', () => {
  expect(decideApproval(open({ modifiable: false }), modify('a', 1), at(1))).toMatchObject({
    message: expect.stringMatching(/^Approval 7 of report\[2024-01\] /),
  });
  expect(decideApproval(open({ modifiable: false }, { partition: '' }), modify('a', 1), at(1))).toMatchObject({
    message: expect.stringMatching(/^Approval 7 of report /),
  });
});
