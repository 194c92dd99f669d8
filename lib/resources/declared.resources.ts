// The resources among the providers of an application, with which assets require them, and every mistake in them.
import type { RegisteredAsset } from '../assets/asset.registry.js';
import { defaultAssetKey, isAssetKey } from '../assets/asset.key.js';
import type { Discovery } from '../assets/asset.explorer.js';
import type { DeclarationProblem } from '../assets/declaration.problem.js';
import { schemeLeaves } from '../partitions/partition-scheme.js';
import { constructorClasses, resourceOptionsOf } from './resource.decorator.js';
import {
  resourceProblems,
  resourceTimes,
  type ManagedResource,
  type ProvidedResource,
  type ResourceContext,
  type ResourceOptions,
  type ResourceTimes,
} from './resource.options.js';

type Call = (context: ResourceContext) => unknown;

/** A resource of this process. */
export interface OwnResource {
  readonly name: string;
  readonly description: string | undefined;
  readonly instance: unknown;
  readonly times: ResourceTimes;
  readonly calls: {
    readonly [K in keyof Required<ManagedResource>]: Call | undefined;
  };
  /** Keys of the assets that require it, sorted. */
  readonly assets: readonly string[];
  /** Names of those that its constructor takes: set up before it, torn down after it. */
  readonly after: readonly string[];
}

type ResourceClass = abstract new (...args: any[]) => unknown;

interface Found {
  readonly target: ResourceClass;
  readonly instance: unknown;
  readonly options: ResourceOptions;
  readonly provided?: ProvidedResource;
}

/** Mistakes are added to `problems`; what is wrong is left out. */
export function findResources(
  { providers }: Pick<Discovery, 'providers'>,
  given: readonly ProvidedResource[],
  problems: DeclarationProblem[],
): readonly Found[] {
  const found = new Map<unknown, Found>();
  const names = new Map<string, string>();
  const add = (one: Found, scope: string): void => {
    const { target, instance, options } = one;
    // What is there under several tokens counts once.
    if (found.has(instance)) return;
    const name = nameOf(one);
    const note = (problem: string, fix: string): void =>
      void problems.push({ asset: name, class: target.name, problem: `as a resource ${problem}`, fix });
    const wrong = resourceProblems(options);
    for (const problem of wrong) note(problem, 'see docs/resources.md');
    if (scope !== 'singleton') {
      return note(`it is ${scope}-scoped`, 'make it a singleton: there is one for all that a process executes');
    }
    if (wrong.length > 0) return;
    if (!isAssetKey(name) || name.length === 1) {
      note(`its class gives the name '${name}' (was it minified?)`, "name it: @Resource({ name: '...' })");
    }
    const other = names.get(name);
    if (other !== undefined) note(`it has the name '${name}', as ${other} does`, 'give each its own name');
    names.set(name, target.name);
    found.set(instance, one);
  };
  for (const provided of given) {
    const { provide: target, setup: _1, checkHealth: _2, teardown: _3, ...options } = provided;
    const provider = providers.get(target);
    if (provider) add({ target, instance: provider.instance, options, provided }, provider.scope);
    else {
      const problem = 'forRoot({ resources }) names it, and it is no provider';
      const fix = `add ${target.name} to the providers of a module, or remove it there`;
      problems.push({ asset: defaultAssetKey(target.name), class: target.name, problem, fix });
    }
  }
  for (const [token, { instance, scope }] of providers) {
    const made = typeof instance === 'object' && instance !== null ? instance.constructor : undefined;
    const target = [token, made].find((each) => resourceOptionsOf(each) !== undefined) as ResourceClass | undefined;
    if (target) add({ target, instance, options: resourceOptionsOf(target)! }, scope);
  }
  return [...found.values()];
}

/** What of the resources this process keeps, as its assets require them. */
export function ownResources(
  found: readonly Found[],
  { providers }: Pick<Discovery, 'providers'>,
  assets: readonly RegisteredAsset[],
): readonly OwnResource[] {
  const byInstance = new Map(found.map((one) => [one.instance, one]));
  return found.map((one) => {
    const { target, instance, options } = one;
    const requiring = assets.filter(({ resources }) => Object.values(resources).includes(instance));
    const before = constructorClasses(target).flatMap((taken) => byInstance.get(providers.get(taken)?.instance) ?? []);
    return {
      name: nameOf(one),
      description: options.description,
      instance,
      times: resourceTimes(options),
      calls: {
        setup: callOf(one, 'setup'),
        checkHealth: callOf(one, 'checkHealth'),
        teardown: callOf(one, 'teardown'),
      },
      assets: requiring.map(({ definition }) => definition.key).sort(),
      after: [...new Set(before.filter((other) => other !== one).map(nameOf))],
    };
  });
}

function nameOf({ options, target }: Found): string {
  return options?.name ?? defaultAssetKey(target.name);
}

/**
 * Those that a process needs which executes nothing: of the functions of custom schemes, which it asks when it plans, and what
 * these take themselves.
 */
export function neededToPlan(
  resources: readonly OwnResource[],
  assets: readonly RegisteredAsset[],
): readonly OwnResource[] {
  const asking = assets.filter(({ definition: { scheme } }) =>
    (scheme ? schemeLeaves(scheme) : []).some(({ kind }) => kind === 'custom'),
  );
  const lent = new Set(asking.flatMap((asset) => Object.values(asset.resources)));
  const needed = new Set<OwnResource>();
  const add = (resource: OwnResource): void => {
    if (needed.has(resource)) return;
    needed.add(resource);
    for (const other of resources) if (resource.after.includes(other.name)) add(other);
  };
  for (const resource of resources) if (lent.has(resource.instance)) add(resource);
  return [...needed];
}

/** A replacement in a test has what it has. */
function callOf({ instance, provided }: Found, name: keyof ManagedResource): Call | undefined {
  const given = provided?.[name];
  if (given) return (context) => given(instance as never, context);
  if (provided) return undefined;
  const managed = instance as ManagedResource | null | undefined;
  return typeof managed?.[name] === 'function' ? (context) => managed[name]!(context) : undefined;
}
