// What one class declares, read from its decorators, and the mistakes that can be seen in it alone.
// Mistakes between classes are found in declaration.check.ts.
import { closest } from '../graph/did-you-mean.js';
import type { AssetClass } from './asset.definition.js';
import type { DiscoveredAsset } from './asset.explorer.js';
import { defaultAssetKey, isAssetKey } from './asset.key.js';
import { assetOptionsOf, decisionOptionsOf, dependsOnOf, requiresOf } from './asset.metadata.js';
import { type AssetOptions, managerOptions, optionMistakes } from './asset.options.js';
import { ExternalAsset } from './asset.value.js';
import { CHECKPOINT_METHODS } from './checkpoint.code.js';
import { SIGNAL_METHODS } from './signal.code.js';
import { decisionMistakes, type MarkedDecision } from './checkpoint.options.js';
import { type DependencySpec, dependencySpec, isClass, isDependencySpec } from './dependency.js';

/** One class as declared. What was found to be wrong with it is left out. */
export interface Declaration {
  readonly asset: DiscoveredAsset;
  /** Name of the class, for messages. */
  readonly name: string;
  readonly key: string;
  readonly options: AssetOptions;
  /** How people decide upon it; `undefined`: it is no checkpoint. */
  readonly decision: MarkedDecision | undefined;
  /** Whether the option `partitions` was left out for being no scheme. */
  readonly schemeUnknown: boolean;
  readonly managerOptions: Readonly<Record<string, unknown>>;
  readonly dependencies: readonly DeclaredDependency[];
  readonly resources: readonly (readonly [alias: string, resource: AssetClass])[];
}

/** One entry of `@DependsOn`. */
export interface DeclaredDependency {
  readonly alias: string;
  readonly upstream: AssetClass;
  readonly spec: DependencySpec;
}

/** Takes note of a mistake of the class that is being read. */
export type NoteMistake = (problem: string, fix: string) => void;

const IMPORT_CYCLE =
  'if two files import each other, give @DependsOn a thunk: @DependsOn(() => ({ ... })), else check the import';

/** Reads what the decorators left on a class; `note` gets its name and key, and each mistake. */
export function readDeclaration(
  asset: DiscoveredAsset,
  note: (about: { name: string; key: string }, problem: string, fix: string) => void,
): Declaration {
  const { target } = asset;
  const declared = assetOptionsOf(target) ?? {};
  const name = target.name || '(anonymous class)';
  const decision = decisionOptionsOf(target);
  const mistakes = [...optionMistakes(declared), ...(decision ? decisionMistakes(decision, asset.methods) : [])];
  const wrong = new Set(mistakes.map(({ option }) => option));
  const options: AssetOptions =
    wrong.size === 0 ? declared : Object.fromEntries(Object.entries(declared).filter(([option]) => !wrong.has(option)));
  const key = options.name ?? defaultAssetKey(target.name);
  const noteHere: NoteMistake = (problem, fix) => note({ name, key }, problem, fix);

  for (const { problem, fix } of mistakes) noteHere(problem, fix);
  checkKey(target, options, key, noteHere);
  if (decision) checkCheckpoint(asset, declared, decision, noteHere);
  else checkInstance(asset, declared, noteHere);
  const dependencies = readDependencies(target, noteHere);
  const resources = readResources(target, noteHere);
  return {
    ...{ asset, name, key, options, decision, dependencies, resources },
    managerOptions: managerOptions(declared),
    schemeUnknown: wrong.has('partitions'),
  };
}

function checkKey(target: AssetClass, options: AssetOptions, key: string, note: NoteMistake): void {
  const grammar = 'segments of a-z, 0-9 and _ that start with a letter, joined by "."';
  if (options.name !== undefined) {
    if (!isAssetKey(key)) note(`its name '${key}' is no asset key`, `use ${grammar}`);
  } else if (target.name.length <= 1) {
    const problem = target.name === '' ? 'its class has no name' : `its class name '${target.name}' has one letter`;
    note(`${problem}, which gives no lasting key (was it minified?)`, "name it: @Asset({ name: '...' })");
  } else if (!isAssetKey(key)) {
    note(`its class name gives '${key}', which is no asset key`, `name it with ${grammar}: @Asset({ name: '...' })`);
  }
  for (const former of options.formerly ?? []) {
    if (!isAssetKey(former)) note(`'${former}' in formerly is no asset key`, `use the old key: ${grammar}`);
  }
}

function checkScope({ scope }: DiscoveredAsset, note: NoteMistake): void {
  if (scope === 'singleton') return;
  const why = scope === 'request' ? 'request-scoped, or injects something that is' : 'transient';
  note(`it is ${why}`, 'make it and what it injects singletons: there is no request when an asset is computed');
}

function checkCheckpoint(
  asset: DiscoveredAsset,
  options: AssetOptions,
  { signal }: MarkedDecision,
  note: NoteMistake,
): void {
  const what = signal ? 'a signal' : 'a checkpoint';
  const known: readonly string[] = signal ? SIGNAL_METHODS : CHECKPOINT_METHODS;
  checkScope(asset, note);
  for (const option of ['batch', 'external'] as const) {
    if (options[option] !== undefined) note(`it is ${what} and has the option ${option}`, `remove ${option}`);
  }
  for (const method of ['execute', 'executeMany']) {
    if (asset.methods.includes(method))
      note(`it is ${what} and has ${method}`, `remove it: ${known.join(', ')} are the methods of ${what}`);
  }
  for (const method of asset.methods.filter((name) => /^on[A-Z]/.test(name) && !known.includes(name))) {
    const meant = closest(method, known);
    if (meant) note(`nobody calls its method ${method}`, `did you mean ${meant}?`);
  }
}

function checkInstance(asset: DiscoveredAsset, options: AssetOptions, note: NoteMistake): void {
  const { target, instance, methods } = asset;
  checkScope(asset, note);
  const has = (method: 'execute' | 'executeMany'): boolean =>
    typeof (instance as Partial<Record<typeof method, unknown>> | undefined)?.[method] === 'function';
  const external = target.prototype instanceof ExternalAsset;
  if (options.external === true) {
    if (!external)
      note(
        'it is external and does not extend ExternalAsset',
        'write: class ... extends ExternalAsset<TypeOfItsValue>',
      );
    if (has('execute')) note('it is external and has execute', 'remove execute, or external: true');
    if (has('executeMany')) note('it is external and has executeMany', 'remove executeMany, or external: true');
    if (dependsOnOf(target) !== undefined)
      note('it is external and has @DependsOn', 'remove @DependsOn, or external: true');
  } else if (external) {
    note('it extends ExternalAsset and is not external', 'write @Asset({ external: true })');
  } else if (options.batch !== undefined) {
    if (has('executeMany')) return;
    const meant = closest('executeMany', methods);
    const fix =
      meant && meant !== 'execute' ? `rename its method ${meant} to executeMany` : 'add executeMany(context, items)';
    note('it has the option batch and no method executeMany', fix);
  } else if (has('executeMany')) {
    note('it has executeMany and no option batch', 'say how many at a time at most: batch: { size: 100 }');
  } else if (!has('execute')) {
    const meant = closest('execute', methods);
    const fix = meant
      ? `rename its method ${meant} to execute`
      : 'add execute(context, inputs), or make it external: true';
    note('it has no method execute', fix);
  }
}

function readDependencies(target: AssetClass, note: NoteMistake): DeclaredDependency[] {
  const declared = dependsOnOf(target);
  if (declared === undefined) return [];
  const record = opened(declared, (error) => note(`the thunk of its @DependsOn throws: ${error}`, IMPORT_CYCLE));
  if (record === undefined) return [];
  return recordOf('@DependsOn', record.value, note).flatMap(([alias, value]) => {
    const spec = isDependencySpec(value)
      ? value
      : dependencySpec({ upstream: value as AssetClass, mapping: { kind: 'same' } });
    const upstream = spec.mapping.kind === 'previous' ? target : upstreamOf(alias, spec.upstream, note);
    if (spec.columns?.length === 0) note(`dependency ${alias} reads no columns`, 'name at least one');
    return upstream ? [{ alias, upstream, spec }] : [];
  });
}

function upstreamOf(alias: string, declared: unknown, note: NoteMistake): AssetClass | undefined {
  const upstream = opened(declared, (error) => note(`the thunk of dependency ${alias} throws: ${error}`, IMPORT_CYCLE));
  if (upstream === undefined || isClass(upstream.value)) return upstream?.value as AssetClass | undefined;
  if (upstream.value === undefined) note(`dependency ${alias} is undefined`, IMPORT_CYCLE);
  else
    note(
      `dependency ${alias} is neither a class nor a wrapper`,
      'write a class that is an asset, or e.g. all(TheClass)',
    );
  return undefined;
}

/** What a thunk gives; anything but a thunk as it is; nothing where the thunk threw. */
function opened(declared: unknown, failed: (message: string) => void): { readonly value: unknown } | undefined {
  if (typeof declared !== 'function' || isClass(declared)) return { value: declared };
  try {
    return { value: (declared as () => unknown)() };
  } catch (error) {
    failed(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

function readResources(target: AssetClass, note: NoteMistake): [string, AssetClass][] {
  const declared = requiresOf(target);
  if (declared === undefined) return [];
  return recordOf('@Requires', declared, note).flatMap(([alias, value]): [string, AssetClass][] => {
    if (isClass(value)) return [[alias, value]];
    const problem = value === undefined ? 'is undefined' : 'is no class';
    note(`resource ${alias} ${problem}`, 'write the class it is provided as; check for files that import each other');
    return [];
  });
}

/** The entries of a record of aliases. `{ __proto__: X }` sets the prototype and declares nothing: refused. */
function recordOf(decorator: string, record: unknown, note: NoteMistake): [string, unknown][] {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    note(`${decorator} was given no record`, `write ${decorator}({ alias: TheClass })`);
    return [];
  }
  const prototype: unknown = Object.getPrototypeOf(record);
  const hidden = prototype !== Object.prototype && prototype !== null;
  const entries = Object.entries(record);
  const refused = entries.filter(([alias]) => alias === '__proto__' || alias === '').map(([alias]) => alias);
  for (const alias of hidden ? ['__proto__', ...refused] : refused) {
    note(`${decorator} has the alias '${alias}'`, 'use another name for it');
  }
  return entries.filter(([alias]) => !refused.includes(alias));
}
