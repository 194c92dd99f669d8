import { describe, expect, it } from '@jest/globals';
import { Asset } from '../../../lib/assets/asset.decorator.js';
import type { ProviderScope } from '../../../lib/assets/asset.explorer.js';
import { markDependsOn, markRequires } from '../../../lib/assets/asset.metadata.js';
import type { AssetOptions } from '../../../lib/assets/asset.options.js';
import { ExternalAsset } from '../../../lib/assets/asset.value.js';
import { checkDeclarations } from '../../../lib/assets/declaration.check.js';
import type { DeclarationProblem } from '../../../lib/assets/declaration.problem.js';
import type { Dependencies } from '../../../lib/assets/dependency.js';
import { after, all, columns, previous, window, within } from '../../../lib/assets/dependency.wrappers.js';
import { FlowStoneError } from '../../../lib/flowstone.errors.js';
import { Partitions } from '../../../lib/partitions/partitions.js';
import { discoveryOf, managers } from './discovery.js';

type Concrete = new () => object;

/** An asset class of this name, declared without the compiler's checks. */
function asset(name: string, options: AssetOptions = {}, dependsOn?: unknown, requires?: unknown): Concrete {
  const target = {
    [name]: class {
      execute() {}
    },
  }[name]!;
  return declared(target, options, dependsOn, requires);
}

function declared(target: Concrete, options: AssetOptions, dependsOn?: unknown, requires?: unknown): Concrete {
  Asset(options)(target);
  if (dependsOn !== undefined) markDependsOn(target, dependsOn as Dependencies);
  if (requires !== undefined) markRequires(target, requires as Record<string, Concrete>);
  return target;
}

function problemsOf(
  classes: readonly Concrete[],
  environment: { resources?: readonly Concrete[]; scope?: ProviderScope } = {},
): readonly DeclarationProblem[] {
  try {
    checkDeclarations(discoveryOf(classes, environment), managers);
    return [];
  } catch (error) {
    if (!(error instanceof FlowStoneError) || error.code !== 'FLOWSTONE_DECLARATION_INVALID') throw error;
    return error.context['problems'] as DeclarationProblem[];
  }
}

/** One line for each mistake, as people read it. */
const linesOf = (...args: Parameters<typeof problemsOf>) =>
  problemsOf(...args).map((mistake) => `${mistake.class}: ${mistake.problem}; ${mistake.fix}`);

const daily = Partitions.daily({ start: '2001-01-01' });
const monthly = Partitions.monthly({ start: '2001-01-01' });

describe('names', () => {
  it('must be asset keys', () => {
    expect(linesOf([asset('Bad', { name: 'Daily-Delays' })])).toEqual([
      expect.stringMatching(/^Bad: its name 'Daily-Delays' is no asset key; use segments of a-z/),
    ]);
  });

  it('must be unique', () => {
    expect(linesOf([asset('One', { name: 'a.b' }), asset('Two', { name: 'a.b' }), asset('Three')])).toEqual([
      "Two: its key 'a.b' is also that of One; give one of them another name",
    ]);
  });

  it('are asked for where two class names give the same key', () => {
    expect(linesOf([asset('HTTPLogs'), asset('HttpLogs')])).toEqual([
      "HttpLogs: its class name gives the key 'http_logs', as that of HTTPLogs does; name one: @Asset({ name: '...' })",
    ]);
  });

  it('are asked for where a class name has one letter or gives no key', () => {
    expect(linesOf([asset('t'), asset('$Flights'), asset('')])).toEqual([
      expect.stringMatching(/^t: its class name 't' has one letter, .*minified.*; name it: @Asset/),
      expect.stringMatching(/^\$Flights: its class name gives '\$flights', which is no asset key/),
      expect.stringMatching(/^\(anonymous class\): its class has no name/),
    ]);
    expect(linesOf([asset('t', { name: 'totals' })])).toEqual([]);
  });

  it('that assets had before have one heir, who is none of the present assets', () => {
    expect(
      linesOf([
        asset('A1', { formerly: ['old', 'Bad'] }),
        asset('A2', { formerly: ['old', 'a1'] }),
        asset('A3', { formerly: ['a3'] }),
      ]),
    ).toEqual([
      expect.stringMatching(/^A1: 'Bad' in formerly is no asset key/),
      expect.stringMatching(/^A2: 'old' in formerly is in formerly of A1, too/),
      expect.stringMatching(/^A2: 'a1' in formerly is the key of A1/),
      expect.stringMatching(/^A3: 'a3' in formerly is the key of A3/),
    ]);
  });
});

describe('options', () => {
  it.each([
    ['description', { description: 1 }, 'option description is 1; give it a non-empty string'],
    ['tags', { tags: 'report' }, "option tags is 'report'; give it a list of non-empty strings"],
    ['owners', { owners: [1] }, 'option owners is a list that does not fit; give it a list of non-empty strings'],
    ['priority', { priority: 1.5 }, 'option priority is 1.5; give it a whole number'],
    ['timeout', { timeout: '2 m' }, "option timeout is '2 m'; give it a duration: write '500ms'"],
    ['a timeout of nothing', { timeout: '0s' }, "option timeout is '0s'; give it a duration of more than 0"],
    ['external', { external: 'yes' }, "option external is 'yes'; give it true or false"],
    ['codeVersion', { codeVersion: 3 }, 'option codeVersion is 3; give it a non-empty string'],
    ['partitions', { partitions: 'daily' }, "option partitions is 'daily'; give it a scheme"],
    [
      'metadata',
      { metadata: { at: new Date(0) } },
      'option metadata is an object that does not fit; give it an object of plain JSON',
    ],
    ['retry', { retry: 3 }, 'option retry is 3; give it an object'],
    ['retry without attempts', { retry: { delay: '1s' } }, 'option retry has no attempts; say how many'],
    ['retry.attempts', { retry: { attempts: 0 } }, 'option retry.attempts is 0; give it a whole number of at least 1'],
    ['retry.delay', { retry: { attempts: 2, delay: 'soon' } }, "option retry.delay is 'soon'; give it a duration"],
    [
      'retry.factor',
      { retry: { attempts: 2, factor: NaN } },
      'option retry.factor is NaN; give it a number of at least 1',
    ],
    ['retry.jitter', { retry: { attempts: 2, jitter: 2 } }, 'option retry.jitter is 2; give it a number from 0 to 1'],
    [
      'an unknown one of retry',
      { retry: { attempts: 2, atempts: 2 } },
      'unknown option retry.atempts; did you mean attempts?',
    ],
  ])('are checked: %s', (_, options, line) => {
    expect(linesOf([asset('Wrong', options as AssetOptions)])).toEqual([expect.stringContaining(`Wrong: ${line}`)]);
  });

  it('that nobody knows are mistakes, with a guess at what was meant', () => {
    expect(
      linesOf([asset('Typo', { codeVerson: '1' }), asset('Other', { table: 'a' }), asset('Fine', { format: 'text' })]),
    ).toEqual([
      "Typo: unknown option 'codeVerson'; did you mean codeVersion?",
      "Other: unknown option 'table'; correct the options for I/O manager 'filesystem'",
    ]);
  });

  it('name an I/O manager that exists', () => {
    expect(linesOf([asset('Wrong', { io: 'filesytem', anything: 1 })])).toEqual([
      `Wrong: there is no I/O manager 'filesytem' (did you mean "filesystem"?); use one of 'filesystem', 'memory'`,
    ]);
  });
});

describe('what executes', () => {
  it('has execute', () => {
    const typo = {
      Typo: class {
        exectue() {}
      },
    }['Typo'];
    expect(linesOf([declared(typo, {}), declared(class Empty {}, {})])).toEqual([
      'Typo: it has no method execute; rename its method exectue to execute',
      'Empty: it has no method execute; add execute(context, inputs), or make it external: true',
    ]);
  });

  it('has executeMany where it declares batches, and batches where it has executeMany', () => {
    const typo = {
      Typo: class {
        execute() {}
        excuteMany() {}
      },
    }['Typo'];
    class Unasked {
      execute() {}
      executeMany() {}
    }
    class Fitting {
      executeMany() {}
    }
    class Outside extends ExternalAsset<number> {
      executeMany() {}
    }
    const batch = { size: 3 };
    expect(
      linesOf([
        ...[asset('Single', { batch }), declared(typo, { batch }), declared(Unasked, {}), declared(Fitting, { batch })],
        ...[declared(Outside, { external: true, batch })],
      ]),
    ).toEqual([
      'Single: it has the option batch and no method executeMany; add executeMany(context, items)',
      'Typo: it has the option batch and no method executeMany; rename its method excuteMany to executeMany',
      'Unasked: it has executeMany and no option batch; say how many at a time at most: batch: { size: 100 }',
      'Outside: it is external and has executeMany; remove executeMany, or external: true',
    ]);
  });

  it.each([3, {}, { size: 0 }, { size: 1.5 }, { size: 1001 }, { size: '5' }, { size: 5, wait: '1s' }])(
    'in batches has a size for them: %j',
    (batch) => {
      class Mistaken {
        executeMany() {}
      }
      expect(linesOf([declared(Mistaken, { batch } as unknown as AssetOptions)])).toEqual([
        expect.stringMatching(
          /^Mistaken: option batch is .*; give it an object { size }, a whole number from 1 to 1000$/,
        ),
      ]);
    },
  );

  it('is no request-scoped or transient provider', () => {
    expect(linesOf([asset('Scoped')], { scope: 'request' })).toEqual([
      expect.stringMatching(/^Scoped: it is request-scoped, or injects something that is; make it/),
    ]);
    expect(linesOf([asset('Brief')], { scope: 'transient' })).toEqual([
      expect.stringMatching(/^Brief: it is transient; make/),
    ]);
  });

  it('is not external, and what is external does not execute', () => {
    class Both extends ExternalAsset<number> {
      execute() {}
    }
    class Silent extends ExternalAsset<number> {}
    expect(
      linesOf([declared(Both, { external: true }, {}), declared(Silent, {}), asset('Plain', { external: true })]),
    ).toEqual([
      'Both: it is external and has execute; remove execute, or external: true',
      'Both: it is external and has @DependsOn; remove @DependsOn, or external: true',
      'Silent: it extends ExternalAsset and is not external; write @Asset({ external: true })',
      expect.stringMatching(/^Plain: it is external and does not extend ExternalAsset; write/),
      expect.stringMatching(/^Plain: it is external and has execute/),
    ]);
  });
});

describe('dependencies', () => {
  it('are provided assets', () => {
    class Service {}
    const elsewhere = asset('Elsewhere');
    expect(linesOf([asset('Reader', {}, { elsewhere, service: Service })])).toEqual([
      'Reader: it depends on Elsewhere as elsewhere, which is no provider; add Elsewhere to the providers of a module',
      'Reader: it depends on Service as service, which is no asset; decorate Service with @Asset()',
    ]);
  });

  it('that are undefined point at an import cycle', () => {
    const thunk = () => {
      throw new ReferenceError("Cannot access 'Later' before initialization");
    };
    expect(
      linesOf([
        asset('A1', {}, { later: undefined }),
        asset('A2', {}, thunk),
        asset('A3', {}, { later: all(thunk), never: within(undefined as unknown as Concrete) }),
      ]),
    ).toEqual([
      expect.stringMatching(
        /^A1: dependency later is undefined; if two files import each other, give @DependsOn a thunk/,
      ),
      expect.stringMatching(
        /^A2: the thunk of its @DependsOn throws: Cannot access 'Later' before initialization; if two/,
      ),
      expect.stringMatching(/^A3: the thunk of dependency later throws: Cannot access 'Later'/),
      expect.stringMatching(/^A3: dependency never is undefined/),
    ]);
  });

  it('are classes or wrappers, in a record', () => {
    const upstream = asset('Upstream');
    expect(
      linesOf([
        upstream,
        asset('A1', {}, { name: 'upstream' }),
        asset('A2', {}, [upstream]),
        asset('A3', {}, { rows: columns(upstream, []) }),
      ]),
    ).toEqual([
      expect.stringMatching(/^A1: dependency name is neither a class nor a wrapper; write a class/),
      'A2: @DependsOn was given no record; write @DependsOn({ alias: TheClass })',
      'A3: dependency rows reads no columns; name at least one',
    ]);
  });

  it('cannot be called __proto__, however it is written', () => {
    const upstream = asset('Upstream');
    expect(
      linesOf([
        upstream,
        asset('A1', {}, { ['__proto__']: upstream }),
        asset('A2', {}, { __proto__: upstream }, { '': upstream }),
      ]),
    ).toEqual([
      "A1: @DependsOn has the alias '__proto__'; use another name for it",
      "A2: @DependsOn has the alias '__proto__'; use another name for it",
      "A2: @Requires has the alias ''; use another name for it",
    ]);
  });

  it('make no cycle, but for past windows', () => {
    const a = asset('CycleA', { partitions: daily }, () => ({ b }));
    const b = asset('CycleB', { partitions: daily }, () => ({ c }));
    const c: Concrete = asset('CycleC', { partitions: daily }, () => ({ a: after(a) }));
    expect(linesOf([a, b, c])).toEqual([
      'CycleA: it is in a cycle: cycle_a -> cycle_b -> cycle_c -> cycle_a (each depends on the next); remove one of these dependencies',
    ]);

    const past = asset('Past', { partitions: daily }, () => ({ present: window(present, { start: -3, end: -1 }) }));
    const present: Concrete = asset('Present', { partitions: daily }, { past, own: previous({ start: -1, end: -1 }) });
    expect(linesOf([past, present])).toEqual([]);
  });

  it('on the asset itself are its past windows', () => {
    const self: Concrete = asset('Narcissus', { partitions: daily }, () => ({ me: self }));
    expect(linesOf([self])).toEqual([
      'Narcissus: it depends on itself as me; consume its past windows: previous<T>({ start: -1, end: -1 })',
    ]);
  });
});

describe('partitions', () => {
  it('are possible', () => {
    expect(
      linesOf([asset('Mars', { partitions: Partitions.daily({ start: '2001-01-01', timeZone: 'Mars/Olympus' }) })]),
    ).toEqual([expect.stringMatching(/^Mars: its partitions are impossible: .*Mars\/Olympus/)]);
    expect(
      linesOf([asset('Cron', { partitions: Partitions.cron({ start: '2001-01-01', cron: '61 * * * *' }) })]),
    ).toEqual([expect.stringMatching(/^Cron: its partitions are impossible: .*61/)]);
  });

  it('of a bare class are one: the message names the wrapper to write', () => {
    const days = asset('Days', { partitions: daily });
    expect(linesOf([days, asset('Month', { partitions: monthly }, { days })])).toEqual([
      expect.stringMatching(/^Month: dependency days on Days has an impossible mapping; .*within/),
    ]);
    expect(linesOf([days, asset('Month', { partitions: monthly }, { days: within(days) })])).toEqual([]);
  });

  it('that are impossible are reported once, not again by each asset that consumes them', () => {
    const broken = asset('Broken', { partitions: Partitions.daily({ start: 'yesterday' }) });
    const wrong = asset('Wrong', { partitions: 'dayly' as 'inherit' });
    const heirs = [broken, wrong].map((upstream, i) => asset(`Heir${i}`, { partitions: 'inherit' }, { upstream }));
    const reader = asset('Reader', { partitions: monthly }, { broken, wrong, heir: heirs[0], other: heirs[1] });
    expect(
      problemsOf([broken, wrong, ...heirs, reader])
        .map((mistake) => mistake.class)
        .toSorted(),
    ).toEqual(['Broken', 'Wrong']);
  });

  it('are inherited over any number of assets', () => {
    const first = asset('First', { partitions: daily });
    const chain = [first];
    for (let i = 0; i < 12_000; i++) {
      chain.push(
        asset(`Heir${i}`, { partitions: 'inherit' }, { upstream: chain.at(-1), own: previous({ start: -1, end: -1 }) }),
      );
    }
    const registered = checkDeclarations(discoveryOf(chain.toReversed()), managers);
    expect(new Set(registered.map(({ definition }) => definition.scheme))).toEqual(new Set([daily]));
  });

  it('are inherited from exactly one data dependency', () => {
    const one = asset('One', { partitions: daily });
    const two = asset('Two', { partitions: daily });
    expect(
      linesOf([
        one,
        two,
        asset('Many', { partitions: 'inherit' }, { one, two }),
        asset('None', { partitions: 'inherit' }, { one: after(all(one)) }),
      ]),
    ).toEqual([
      'Many: it inherits its partitions from its single data dependency, and has one, two; declare a scheme',
      'None: it inherits its partitions from its single data dependency, and has none; declare a scheme',
    ]);
  });

  it('are not inherited in a circle', () => {
    const a = asset('HeirA', { partitions: 'inherit' }, () => ({ b: window(b, { start: -2, end: -1 }) }));
    const b: Concrete = asset('HeirB', { partitions: 'inherit' }, { a });
    expect(linesOf([a, b])).toEqual([
      expect.stringMatching(/^Heir[AB]: it inherits its partitions from itself; give one asset of the cycle a scheme/),
    ]);
  });
});

describe('resources', () => {
  class Geo {}

  it('are providers', () => {
    const borrower = asset('Borrower', {}, undefined, { geo: Geo });
    expect(linesOf([borrower])).toEqual([
      'Borrower: it requires Geo as geo, which is no provider; add Geo to the providers of a module',
    ]);
    const [registered] = checkDeclarations(discoveryOf([borrower], { resources: [Geo] }), managers);
    expect(registered?.resources).toEqual({ geo: expect.any(Geo) });
  });

  it('are singletons', () => {
    const discovery = discoveryOf([asset('Borrower', {}, undefined, { geo: Geo })]);
    const providers = new Map([[Geo, { instance: new Geo(), scope: 'request' as const }]]);
    expect(() => checkDeclarations({ ...discovery, providers }, managers)).toThrow(
      /requires Geo as geo, which is request-scoped/,
    );
  });

  it('are classes', () => {
    expect(linesOf([asset('Borrower', {}, undefined, { geo: undefined, name: 'geo' })])).toEqual([
      expect.stringMatching(/^Borrower: resource geo is undefined/),
      expect.stringMatching(/^Borrower: resource name is no class/),
    ]);
  });
});

describe('the error', () => {
  it('lists every mistake of every class at once', () => {
    const missing = asset('Missing');
    const classes = [
      asset('First', { priority: 0.5, io: 'tape' }, { missing }),
      asset('Second', { name: 'first' }),
      declared(class Third {}, { timeout: 'soon' as '1s' }),
    ];
    expect(() => checkDeclarations(discoveryOf(classes), managers)).toThrow(
      expect.objectContaining({
        code: 'FLOWSTONE_DECLARATION_INVALID',
        family: 'declaration',
        message: [
          '6 mistakes in declared assets:',
          '  - First: option priority is 0.5; give it a whole number.',
          "  - Third: option timeout is 'soon'; give it a duration: write '500ms', '10s', '2m', '1h' or '1d', or a number of milliseconds.",
          '  - Third: it has no method execute; add execute(context, inputs), or make it external: true.',
          "  - Second: its key 'first' is also that of First; give one of them another name.",
          '  - First: it depends on Missing as missing, which is no provider; add Missing to the providers of a module.',
          "  - First: there is no I/O manager 'tape'; use one of 'filesystem', 'memory'.",
        ].join('\n'),
      }),
    );
    expect(problemsOf(classes)[0]).toEqual({
      asset: 'first',
      class: 'First',
      problem: 'option priority is 0.5',
      fix: 'give it a whole number',
    });
  });
});
