// The checks among the providers of an application, and every mistake in them.
import type { AssetClass, CheckDefinition } from '../assets/asset.definition.js';
import { defaultAssetKey, isAssetKey } from '../assets/asset.key.js';
import { assetOptionsOf, keyOf } from '../assets/asset.metadata.js';
import type { Discovery } from '../assets/asset.explorer.js';
import type { DeclarationProblem } from '../assets/declaration.problem.js';
import { isClass } from '../assets/dependency.js';
import { parseDuration } from '../assets/duration.js';
import { checksOf, type MarkedCheck } from './check.decorator.js';
import { checkProblems, DEFAULT_TIMEOUT, type CheckContext } from './check.options.js';

/** A check of this process. */
export interface OwnCheck extends CheckDefinition {
  /** Key of the asset. */
  readonly asset: string;
  /** Class of the asset. */
  readonly target: AssetClass;
  /** Whether what it looks at is computed elsewhere. */
  readonly external: boolean;
  /** Looks at the destination by itself, and is given no value. */
  readonly destination: boolean;
  /** ms. */
  readonly timeout: number;
  call(context: CheckContext, value: unknown): unknown;
}

/** Mistakes are added to `problems`; what is wrong is left out. */
export function findChecks({ assets, providers }: Discovery, problems: DeclarationProblem[]): readonly OwnCheck[] {
  const known = new Set(assets.map(({ target }) => target));
  const instances = new Map<unknown, { readonly declaring: AssetClass; readonly scope: string }>();
  for (const [token, { instance, scope }] of providers) {
    const made: unknown = typeof instance === 'object' && instance !== null ? instance.constructor : undefined;
    const declaring = [made, token].find((each) => typeof each === 'function' && checksOf(each).length > 0);
    if (declaring && !instances.has(instance)) instances.set(instance, { declaring: declaring as AssetClass, scope });
  }
  const found: OwnCheck[] = [];
  for (const [instance, { declaring, scope }] of instances) {
    for (const marked of checksOf(declaring)) {
      const name = nameOf(marked, declaring);
      const note = (problem: string, fix: string): void =>
        void problems.push({ asset: name, class: declaring.name, problem: `its check ${name} ${problem}`, fix });
      const target = assetOf(marked.asset, known);
      if (!target) note('looks at no asset of this application', 'name the class of an asset: @Check(TheAsset)');
      const wrong = checkProblems(marked.options);
      for (const problem of wrong) note(problem, 'see docs/checks.md');
      if (scope !== 'singleton') note(`is of a ${scope}-scoped class`, 'make it a singleton');
      if (!isAssetKey(name) || name.length === 1)
        note('has no lasting name', "name it: @Check(Asset, { name: '...' })");
      const method = (instance as Record<string, unknown> | undefined)?.[marked.method];
      if (typeof method !== 'function') note(`has no method ${marked.method}()`, 'let its class have one');
      if (!target || wrong.length > 0 || typeof method !== 'function') continue;
      const check = checkOf(name, target, marked, (...call) => (method as OwnCheck['call']).apply(instance, call));
      if (check.external && check.blocking) note('would block what is computed elsewhere', 'remove blocking');
      const twin = found.some((other) => other.target === target && other.name === name);
      if (twin) note(`has the name of another check of ${check.asset}`, "give each its own: { name: '...' }");
      found.push(check);
    }
  }
  return found;
}

/** As part of what is declared of each asset, by name. */
export function checkDefinitions(checks: readonly OwnCheck[]): ReadonlyMap<AssetClass, readonly CheckDefinition[]> {
  const byAsset = new Map<AssetClass, CheckDefinition[]>();
  for (const { target, name, description, blocking, severity } of checks) {
    const ofAsset = byAsset.get(target) ?? [];
    ofAsset.push({ name, description, blocking, severity });
    byAsset.set(target, ofAsset);
  }
  for (const ofAsset of byAsset.values()) ofAsset.sort((a, b) => (a.name < b.name ? -1 : 1));
  return byAsset;
}

function checkOf(name: string, target: AssetClass, { options }: MarkedCheck, call: OwnCheck['call']): OwnCheck {
  const { description, blocking = false, severity = 'error', timeout, destination = false } = options;
  return {
    ...{ name, description, blocking, severity, target, destination, call },
    asset: keyOf(target),
    external: assetOptionsOf(target)?.external === true,
    timeout: timeout === undefined ? DEFAULT_TIMEOUT : parseDuration(timeout),
  };
}

function nameOf({ options, method, ofClass }: MarkedCheck, declaring: AssetClass): string {
  const given = (options as MarkedCheck['options'] | undefined)?.name;
  return given ?? defaultAssetKey(ofClass ? declaring.name : method);
}

/** A class, or what a function gives that names one. */
function assetOf(given: unknown, known: ReadonlySet<AssetClass>): AssetClass | undefined {
  if (isClass(given)) return known.has(given) ? given : undefined;
  if (typeof given !== 'function') return undefined;
  try {
    const named: unknown = (given as () => unknown)();
    return isClass(named) && known.has(named) ? named : undefined;
  } catch {
    return undefined;
  }
}
