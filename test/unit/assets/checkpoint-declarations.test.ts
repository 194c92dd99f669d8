// Mistakes in the declaration of checkpoints, as people read them; and the rule that follows where there are none.
import { describe, expect, it } from '@jest/globals';
import { markDependsOn } from '../../../lib/assets/asset.metadata.js';
import { Asset } from '../../../lib/assets/asset.decorator.js';
import { Checkpoint } from '../../../lib/assets/checkpoint.decorator.js';
import { approvalRule, type CheckpointOptions } from '../../../lib/assets/checkpoint.options.js';
import { checkDeclarations, type IoManagers } from '../../../lib/assets/declaration.check.js';
import type { DeclarationProblem } from '../../../lib/assets/declaration.problem.js';
import type { Dependencies } from '../../../lib/assets/dependency.js';
import { after, all, latest, optional } from '../../../lib/assets/dependency.wrappers.js';
import { FlowStoneError } from '../../../lib/flowstone.errors.js';
import { Partitions } from '../../../lib/partitions/partitions.js';
import { discoveryOf, managers } from './discovery.js';

type Concrete = new () => object;

class Draft {
  execute() {}
}
Asset()(Draft);
class Other {
  execute() {}
}
Asset()(Other);
class Slice {
  execute() {}
}
Asset({ partitions: Partitions.static(['a', 'b']) })(Slice);
class Daily {
  execute() {}
}
Asset({ partitions: Partitions.daily({ start: '2024-01-01' }) })(Daily);
class Shelved {
  execute() {}
}
Asset({ io: 'shelf' })(Shelved);
class NotADto {}

/** A checkpoint of this name with these methods, declared without the compiler's checks. */
function checkpoint(
  name: string,
  options: object = {},
  { dependsOn = { draft: Draft }, methods = [] }: { dependsOn?: unknown; methods?: readonly string[] } = {},
): Concrete {
  const target = { [name]: class {} }[name]!;
  for (const method of methods) Object.defineProperty(target.prototype, method, { value: () => undefined });
  Checkpoint(options as CheckpointOptions)(target);
  markDependsOn(target, dependsOn as Dependencies);
  return target;
}

/** One I/O manager beside the others of which only the newest version is kept. */
const shelves: IoManagers = {
  ...managers,
  names: [...managers.names, 'shelf'],
  keepsHeadOnly: (name) => name === 'shelf',
};

function linesOf(...classes: readonly Concrete[]): string[] {
  try {
    checkDeclarations(discoveryOf([Draft, Other, Slice, Daily, Shelved, ...classes]), shelves);
    return [];
  } catch (error) {
    if (!(error instanceof FlowStoneError) || error.code !== 'FLOWSTONE_DECLARATION_INVALID') throw error;
    const problems = error.context['problems'] as DeclarationProblem[];
    return problems.map((mistake) => `${mistake.class}: ${mistake.problem}; ${mistake.fix}`);
  }
}

const to = { users: ['anna'] };

describe('options of a checkpoint', () => {
  it.each<[string, object, string]>([
    ['message', { message: '' }, "option message is ''; give it a non-empty string"],
    [
      'timeout',
      { timeout: 'soon' },
      "option timeout is 'soon'; give it a duration of more than 0 and at most '36500d', such as '2d'",
    ],
    [
      'a timeout for ever',
      { timeout: 1e300 },
      'option timeout is 1e+300; give it a duration of more than 0 and at most',
    ],
    ['a timeout of nothing', { timeout: 0 }, 'option timeout is 0; give it a duration of more than 0'],
    [
      'timeoutAction',
      { timeout: '1d', timeoutAction: 'fail' },
      "option timeoutAction is 'fail'; give it 'escalate', 'approve'",
    ],
    ['extensions', { extensions: 0 }, 'option extensions is 0; give it a whole number from 1 to 1000'],
    [
      'escalation',
      { escalation: to },
      'option escalation is an object that does not fit; give it a list of steps such as',
    ],
    ['no escalation', { escalation: [] }, 'give it a list of steps such as'],
    ['a step to nobody', { escalation: [{ after: '1d', to: { users: [] } }] }, 'give it a list of steps such as'],
    ['a step without time', { escalation: [{ after: '0s', to }] }, 'give it a list of steps such as'],
    ['a step that notifies nobody', { escalation: [{ after: '1d', to, notify: [''] }] }, 'give it a list of steps'],
    ['a step with something else', { escalation: [{ after: '1d', to, notifies: ['a'] }] }, 'give it a list of steps'],
    ['assignees', { assignees: ['anna'] }, "give it an object { users: ['...'], roles: ['...'] } that names somebody"],
    ['assignees that are nobody', { assignees: {} }, 'give it an object { users:'],
    ['assignees of another kind', { assignees: { users: ['a'], groups: ['b'] } }, 'give it an object { users:'],
    ['assignees without a name', { assignees: { roles: [''] } }, 'give it an object { users:'],
    ['quorum', { quorum: 1.5 }, 'option quorum is 1.5; give it a whole number from 1 to 1000'],
    ['separationOfDuties', { separationOfDuties: 'yes' }, "option separationOfDuties is 'yes'; give it true or false"],
    ['pinInputs', { pinInputs: 0 }, 'option pinInputs is 0; give it true or false'],
    [
      'modification',
      { modification: { a: 1 } },
      'give it a class with decorators of class-validator, or a list with one',
    ],
    ['a list of modifications', { modification: [NotADto, NotADto] }, 'give it a class with decorators'],
  ])('are checked: %s', (_name, options, line) => {
    expect(linesOf(checkpoint('Wrong', options))).toEqual([expect.stringMatching(/^Wrong: option \w+ is /)]);
    expect(linesOf(checkpoint('Wrong', options))).toEqual([expect.stringContaining(line)]);
  });

  it.each<[string, object, string]>([
    [
      'a timeout alone',
      { timeout: '1d' },
      "it has a timeout and nothing that happens then; add timeoutAction: 'reject'",
    ],
    ['an action alone', { timeoutAction: 'reject' }, "it has timeoutAction and no timeout; say when: timeout: '2d'"],
    [
      'extensions of what does not extend',
      { timeout: '1d', timeoutAction: 'reject', extensions: 2 },
      "it has extensions and does not extend; write timeoutAction: 'extend', or remove extensions",
    ],
    [
      'an escalation to nobody',
      { timeout: '1d', timeoutAction: 'escalate' },
      "it has timeoutAction 'escalate' and no escalation; say to whom: escalation: [{ to: { users: [...] } }]",
    ],
    [
      'a step that nothing leads to',
      { escalation: [{ after: '1d', to }, { to }] },
      "step 2 of its escalation has no time; write after: '1d', or timeoutAction: 'escalate'",
    ],
    [
      'steps in disorder',
      {
        escalation: [
          { after: '2d', to },
          { after: '1d', to },
        ],
      },
      'the steps of its escalation are not in order; put them in order of after, counted from the beginning',
    ],
    [
      'a quorum that nobody makes up',
      { quorum: 3, assignees: { users: ['anna', 'bert', 'anna'] }, escalation: [{ after: '1d', to }] },
      'its quorum is 3, of 2 people in all; name more people, or a role',
    ],
  ])('fit together: %s does not', (_name, options, line) => {
    expect(linesOf(checkpoint('Wrong', options))).toEqual([expect.stringContaining(`Wrong: ${line}`)]);
  });

  it.each<[string, object, string]>([
    ['nothing to wait for', {}, "it has onTimeout and no timeout; say when: timeout: '2d'"],
    [
      'something else to happen',
      { timeout: '1d', timeoutAction: 'approve' },
      "it has timeoutAction 'approve' and onTimeout; remove one of them",
    ],
  ])('fit with onTimeout: %s does not', (_name, options, line) => {
    expect(linesOf(checkpoint('Wrong', options, { methods: ['onTimeout'] }))).toEqual([`Wrong: ${line}`]);
  });

  it.each<[string, object, readonly string[]]>([
    ['a timeout with code for it', { timeout: '1d' }, ['onTimeout']],
    [
      'code for when all extensions are used up',
      { timeout: '1d', timeoutAction: 'extend', extensions: 3 },
      ['onTimeout'],
    ],
    [
      'a chain without deadlines',
      {
        escalation: [
          { after: '1d', to, notify: ['#ops'] },
          { after: '1d', to },
        ],
      },
      [],
    ],
    ['a chain of deadlines', { timeout: '1d', timeoutAction: 'escalate', escalation: [{ to }, { to }] }, []],
    ['a quorum that a role may make up', { quorum: 9, assignees: { users: ['anna'], roles: ['boss'] } }, []],
    [
      'a quorum of those it is escalated to',
      { quorum: 2, assignees: { users: ['bert'] }, escalation: [{ after: '1d', to }] },
      [],
    ],
    ['a quorum of everybody', { quorum: 9 }, []],
    ['options of an asset', { name: 'a.b', io: 'filesystem', format: 'text', codeVersion: '2', tags: ['x'] }, []],
    ['values of a class', { modification: NotADto }, []],
    ['a list of them', { modification: [NotADto] }, []],
  ])('may be %s', (_name, options, methods) => {
    expect(linesOf(checkpoint('Right', options, { methods }))).toEqual([]);
  });

  it('that nobody knows are mistakes, with a guess at what was meant', () => {
    expect(linesOf(checkpoint('Typo', { qorum: 2 }), checkpoint('Other2', { codeVerson: '1' }))).toEqual([
      "Typo: unknown option 'qorum'; did you mean quorum?",
      "Other2: unknown option 'codeVerson'; did you mean codeVersion?",
    ]);
  });

  it('of assets that are computed are refused', () => {
    expect(linesOf(checkpoint('Wrong', { batch: { size: 2 } }), checkpoint('Wrong2', { external: true }))).toEqual([
      'Wrong: it is a checkpoint and has the option batch; remove batch',
      'Wrong2: it is a checkpoint and has the option external; remove external',
    ]);
  });

  it('make a rule, with its defaults', () => {
    expect(approvalRule({}, [])).toEqual({
      ...{
        assignees: { users: [], roles: [] },
        quorum: 1,
        separationOfDuties: false,
        timeout: null,
        timeoutAction: null,
      },
      ...{ extensions: 1, escalation: [], pinInputs: true, modifiable: false },
    });
    const escalation = [{ to }, { after: '1d', to: { roles: ['boss'] }, notify: ['#ops'] }] as const;
    expect(
      approvalRule({ timeout: '2m', escalation, pinInputs: false, modification: NotADto }, ['onTimeout']),
    ).toMatchObject({
      ...{ timeout: 120_000, timeoutAction: 'handle', pinInputs: false, modifiable: true },
      escalation: [
        { after: null, to: { users: ['anna'], roles: [] }, notify: [] },
        { after: 86_400_000, to: { users: [], roles: ['boss'] }, notify: ['#ops'] },
      ],
    });
    expect(approvalRule({ timeout: '2m', timeoutAction: 'extend' }, ['onTimeout'])).toMatchObject({
      timeoutAction: 'extend',
    });
  });
});

describe('methods of a checkpoint', () => {
  it('are its own', () => {
    expect(
      linesOf(
        checkpoint('Computes', {}, { methods: ['execute'] }),
        checkpoint('Batches', {}, { methods: ['executeMany'] }),
        checkpoint('Typo', {}, { methods: ['onAprove'] }),
        checkpoint('Fine', { modification: NotADto }, { methods: ['onModify', 'onReject', 'helper', 'onward'] }),
      ),
    ).toEqual([
      expect.stringMatching(/^Computes: it is a checkpoint and has execute; remove it: condition, .*onTimeout are/),
      expect.stringMatching(/^Batches: it is a checkpoint and has executeMany; remove it/),
      'Typo: nobody calls its method onAprove; did you mean onApprove?',
    ]);
  });

  it('take a modification only if there is one', () => {
    expect(linesOf(checkpoint('Wrong', {}, { methods: ['onModify'] }))).toEqual([
      'Wrong: it has onModify and no modification; say what a reviewer may give: modification: TheClass',
    ]);
  });

  it('are no request-scoped or transient provider', () => {
    const check = () => {
      checkDeclarations(
        discoveryOf([checkpoint('Brief', {}, { dependsOn: {}, methods: ['onApprove'] })], { scope: 'transient' }),
        managers,
      );
    };
    expect(check).toThrow(/it is transient/);
  });
});

describe('a value that is passed through', () => {
  it.each<[string, unknown, string]>([
    ['nothing', {}, 'it has 0 inputs, so that none can be passed through'],
    ['only what comes before', { draft: after(Draft) }, 'it has 0 inputs, so that none can be passed through'],
    ['two inputs', { draft: Draft, other: Other }, 'it has 2 inputs, so that none can be passed through'],
    [
      'what may be missing',
      { draft: optional(Draft) },
      'its input draft may be missing, so that it cannot be passed through',
    ],
    [
      'what may be missing as its newest',
      { daily: latest(Daily, { allowMissing: true }) },
      'its input daily may be missing',
    ],
    ['many partitions', { slices: all(Slice) }, 'its input slices is many partitions, which cannot be passed through'],
  ])('is not %s', (_name, dependsOn, problem) => {
    const fix = 'add onApprove(context, inputs), which returns its value';
    expect(linesOf(checkpoint('Wrong', {}, { dependsOn }))).toEqual([expect.stringContaining(`Wrong: ${problem}`)]);
    expect(linesOf(checkpoint('Wrong', {}, { dependsOn }))).toEqual([expect.stringContaining(fix)]);
    expect(linesOf(checkpoint('Right', {}, { dependsOn, methods: ['onApprove'] }))).toEqual([]);
  });

  it('is the only input, beside what comes before', () => {
    expect(linesOf(checkpoint('Right', {}, { dependsOn: { draft: Draft, other: after(Other) } }))).toEqual([]);
  });

  it('is wanted as well where a condition may say no', () => {
    const dependsOn = { draft: Draft, other: Other };
    expect(
      linesOf(
        checkpoint('Both', {}, { dependsOn, methods: ['condition'] }),
        checkpoint('Skips', {}, { dependsOn, methods: ['condition', 'onApprove'] }),
        checkpoint('Fine', {}, { dependsOn, methods: ['condition', 'onApprove', 'onSkip'] }),
      ),
    ).toEqual([
      'Both: it has 2 inputs, so that none can be passed through; add onApprove(context, inputs) and onSkip(context, inputs), which return its value',
      'Skips: it has 2 inputs, so that none can be passed through; add onSkip(context, inputs), which returns its value',
    ]);
  });
});

describe('inputs that are not pinned', () => {
  it('are of kept versions', () => {
    const loose = { pinInputs: false };
    expect(
      linesOf(
        checkpoint('Wrong', loose, { dependsOn: { shelved: Shelved } }),
        checkpoint('Pinned', {}, { dependsOn: { shelved: Shelved } }),
        checkpoint('Kept', loose),
        checkpoint('Before', loose, { dependsOn: { draft: Draft, shelved: after(Shelved) } }),
      ),
    ).toEqual([
      'Wrong: it has pinInputs: false and depends on Shelved as shelved, of which only the newest version is kept; remove pinInputs, or store that input with a manager that keeps versions',
    ]);
  });
});
