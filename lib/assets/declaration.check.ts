// Checks all declarations of an application against each other and makes their definitions.
// What can be seen in one class alone is checked in declaration.reader.ts.
import { findCycles } from '../graph/asset-graph.js';
import { closest, didYouMean } from '../graph/did-you-mean.js';
import { mappingLooksBack, mappingProblem } from '../partitions/mapping.js';
import { schemeProblems, type PartitionScheme } from '../partitions/partitions.js';
import type { AssetClass, CheckDefinition } from './asset.definition.js';
import type { DiscoveredProvider, Discovery } from './asset.explorer.js';
import { assetOptionsOf } from './asset.metadata.js';
import { ASSET_OPTION_NAMES } from './asset.options.js';
import { checkAutomation } from './automation.check.js';
import { checkCheckpoint } from './checkpoint.check.js';
import { DECISION_OPTION_NAMES } from './checkpoint.options.js';
import { type RegisteredAsset } from './asset.registry.js';
import { type DeclarationProblem, declarationError } from './declaration.problem.js';
import { type Declaration, type NoteMistake, readDeclaration } from './declaration.reader.js';
import { defineAsset } from './definition.maker.js';
import { freshnessProblem } from './freshness.options.js';
import { inheritSchemes, type Schemes } from './scheme.inheritance.js';

/** What the check has to know of the application's I/O managers. */
export interface IoManagers {
  readonly names: readonly string[];
  /** The one of an asset that names none. */
  readonly default: string;
  /** Whether the manager of this name keeps only the newest version of a value. */
  keepsHeadOnly(name: string, options: Readonly<Record<string, unknown>>): boolean;
  /** What is wrong with options for the manager of this name, one sentence each. */
  optionProblems(
    name: string,
    options: Readonly<Record<string, unknown>>,
    asset: { readonly scheme: PartitionScheme | undefined } | undefined,
  ): readonly string[];
  /** Options as plain data, with what a class among them says. Left out: they are that already. */
  plainOptions?(name: string, options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  /** What of the storage an asset with these options has for itself. */
  occupied?(name: string, options: Readonly<Record<string, unknown>>): string | undefined;
  /** Why there is no manager of this name, where that is known. */
  absence?(name: string): string | undefined;
  /** Whether its values cannot be reached from the other processes that this application is meant to have. */
  unreachable?(name: string): boolean;
}

/** The declarations of an application and where their mistakes are noted. */
interface Checked {
  readonly declarations: readonly Declaration[];
  readonly byClass: ReadonlyMap<AssetClass, Declaration>;
  readonly note: (about: { readonly name: string; readonly key: string }, problem: string, fix: string) => void;
}

/**
 * Reads, checks and defines every discovered asset.
 * @param checks those of each asset
 * @param elsewhere mistakes in what is declared beside assets
 * @throws FlowStoneError `FLOWSTONE_DECLARATION_INVALID` that lists every mistake found
 */
export function checkDeclarations(
  discovery: Discovery,
  managers: IoManagers,
  elsewhere: readonly DeclarationProblem[] = [],
  checks: ReadonlyMap<AssetClass, readonly CheckDefinition[]> = new Map(),
): RegisteredAsset[] {
  const problems: DeclarationProblem[] = [...elsewhere];
  const note: Checked['note'] = ({ name, key }, problem, fix) =>
    problems.push({ asset: key, class: name, problem: problem.replace(/\.$/, ''), fix: fix.replace(/\.$/, '') });
  const declarations = discovery.assets.map((asset) => readDeclaration(asset, note));
  const byClass = new Map(declarations.map((declaration) => [declaration.asset.target, declaration]));
  const checked: Checked = { declarations, byClass, note };

  checkKeys(checked);
  checkUpstreams(checked);
  const schemes = inheritSchemes(declarations, byClass, note);
  checkPartitions(checked, schemes);
  checkCycles(checked);
  checkIo(checked, schemes, managers);
  checkCheckpoints(checked, managers);
  for (const declaration of declarations) {
    checkFreshness(declaration, (...mistake) => note(declaration, ...mistake));
    checkAutomation(declaration, schemes.get(declaration), (...mistake) => note(declaration, ...mistake));
  }
  checkOccupied(checked, managers);
  checkResources(checked, discovery.providers);

  if (problems.length > 0) throw declarationError(problems);
  return declarations.map((declaration) => ({
    definition: defineAsset(
      declaration,
      schemes.get(declaration),
      byClass,
      plainOptions(declaration, managers),
      checks.get(declaration.asset.target),
    ),
    instance: declaration.asset.instance,
    resources: Object.fromEntries(
      declaration.resources.map(([alias, resource]) => [alias, discovery.providers.get(resource)?.instance]),
    ),
  }));
}

function plainOptions({ options, managerOptions }: Declaration, managers: IoManagers) {
  return managers.plainOptions?.(options.io ?? managers.default, managerOptions) ?? managerOptions;
}

function checkKeys({ declarations, note }: Checked): void {
  const owners = new Map<string, Declaration>();
  for (const declaration of declarations) {
    const { key, options } = declaration;
    const other = owners.get(key);
    if (other === undefined) owners.set(key, declaration);
    else if (options.name === undefined && other.options.name === undefined) {
      note(
        declaration,
        `its class name gives the key '${key}', as that of ${other.name} does`,
        "name one: @Asset({ name: '...' })",
      );
    } else note(declaration, `its key '${key}' is also that of ${other.name}`, 'give one of them another name');
  }
  const formerOwners = new Map<string, Declaration>();
  for (const declaration of declarations) {
    for (const former of declaration.options.formerly ?? []) {
      const other = owners.get(former) ?? formerOwners.get(former);
      formerOwners.set(former, declaration);
      if (!other) continue;
      const problem = owners.has(former) ? `the key of ${other.name}` : `in formerly of ${other.name}, too`;
      note(declaration, `'${former}' in formerly is ${problem}`, 'history has one heir: remove it from one of them');
    }
  }
}

function checkUpstreams({ declarations, byClass, note }: Checked): void {
  for (const declaration of declarations) {
    for (const { alias, upstream, spec } of declaration.dependencies) {
      if (upstream === declaration.asset.target) {
        if (mappingLooksBack(spec.mapping)) continue;
        note(
          declaration,
          `it depends on itself as ${alias}`,
          'consume its past windows: previous<T>({ start: -1, end: -1 })',
        );
      } else if (!byClass.has(upstream)) {
        const declared = assetOptionsOf(upstream) !== undefined;
        note(
          declaration,
          `it depends on ${upstream.name} as ${alias}, which is ${declared ? 'no provider' : 'no asset'}`,
          declared ? `add ${upstream.name} to the providers of a module` : `decorate ${upstream.name} with @Asset()`,
        );
      }
    }
  }
}

function checkPartitions({ declarations, byClass, note }: Checked, schemes: Schemes): void {
  const broken = new Set<Declaration>();
  for (const declaration of declarations) {
    const { partitions } = declaration.options;
    if (partitions === undefined || partitions === 'inherit') continue;
    for (const problem of schemeProblems(partitions)) {
      broken.add(declaration);
      note(declaration, `its partitions are impossible: ${problem}`, 'correct the option partitions');
    }
  }
  const usable = (declaration: Declaration) => schemes.has(declaration) && !broken.has(schemes.origin(declaration));
  for (const declaration of declarations) {
    for (const { alias, upstream, spec } of declaration.dependencies) {
      const other = byClass.get(upstream);
      if (!other || !usable(declaration) || !usable(other)) continue;
      const problem = mappingProblem(spec.mapping, schemes.get(declaration), schemes.get(other));
      if (problem) note(declaration, `dependency ${alias} on ${other.name} has an impossible mapping`, problem);
    }
  }
}

function checkCycles({ declarations, byClass, note }: Checked): void {
  // Keys may collide here, so that positions stand for them.
  const positions = new Map(declarations.map((declaration, position) => [declaration.asset.target, String(position)]));
  const nodes = declarations.map(({ asset, dependencies }, position) => ({
    key: String(position),
    upstreams: dependencies.flatMap(({ upstream, spec }) =>
      upstream === asset.target || !byClass.has(upstream) || mappingLooksBack(spec.mapping)
        ? []
        : [positions.get(upstream)!],
    ),
  }));
  for (const cycle of findCycles(nodes)) {
    const path = cycle.map((position) => declarations[Number(position)]!);
    const keys = path.map(({ key }) => key).join(' -> ');
    note(path[0]!, `it is in a cycle: ${keys} (each depends on the next)`, 'remove one of these dependencies');
  }
}

function checkIo({ declarations, note }: Checked, schemes: Schemes, managers: IoManagers): void {
  for (const declaration of declarations) {
    const { options, managerOptions } = declaration;
    const manager = options.io ?? managers.default;
    if (!managers.names.includes(manager)) {
      const known = managers.names.map((name) => `'${name}'`).join(', ');
      const absence = managers.absence?.(manager);
      const why = absence === undefined ? didYouMean(manager, managers.names) : `: ${absence}`;
      note(declaration, `there is no I/O manager '${manager}'${why}`, `use one of ${known}`);
      continue;
    }
    if (!options.external && managers.unreachable?.(manager)) {
      note(
        declaration,
        `its values would be in the memory of one process (I/O manager '${manager}'), and roles 'worker' and 'api' mean several`,
        "use another I/O manager, or role: 'all' in the only process",
      );
    }
    if (options.keep !== undefined && managers.keepsHeadOnly(manager, managerOptions)) {
      const problem = `it has the option keep, and I/O manager '${manager}' keeps only the newest version`;
      note(declaration, problem, 'remove keep, or use a manager that keeps versions');
    }
    const place = schemes.has(declaration) ? { scheme: schemes.get(declaration) } : undefined;
    for (const problem of managers.optionProblems(manager, managerOptions, place)) {
      const option = Object.keys(managerOptions).find((name) => problem.includes(name));
      const known = declaration.decision ? [...ASSET_OPTION_NAMES, ...DECISION_OPTION_NAMES] : ASSET_OPTION_NAMES;
      const meant = option === undefined ? undefined : closest(option, known);
      note(declaration, problem, meant ? `did you mean ${meant}?` : `correct the options for I/O manager '${manager}'`);
    }
  }
}

function checkCheckpoints({ declarations, byClass, note }: Checked, managers: IoManagers): void {
  const isHeadOnly = ({ options, managerOptions }: Declaration): boolean => {
    const manager = options.io ?? managers.default;
    return managers.names.includes(manager) && managers.keepsHeadOnly(manager, managerOptions);
  };
  for (const declaration of declarations) {
    const noteHere: NoteMistake = (problem, fix) => note(declaration, problem, fix);
    checkCheckpoint(declaration, ({ upstream }) => byClass.get(upstream), isHeadOnly, noteHere);
  }
}

function checkFreshness({ options: { freshness } }: Declaration, note: NoteMistake): void {
  const problem = freshness === undefined ? undefined : freshnessProblem(freshness);
  if (problem === undefined) return;
  const [what, ...fix] = problem.split(/[:;] (.*)/s);
  note(what!, fix.join('').trim() || 'see docs/freshness.md');
}

function checkOccupied({ declarations, note }: Checked, managers: IoManagers): void {
  const owners = new Map<string, Declaration>();
  for (const declaration of declarations) {
    const manager = declaration.options.io ?? managers.default;
    if (!managers.names.includes(manager)) continue;
    const occupied = managers.occupied?.(manager, declaration.managerOptions);
    if (occupied === undefined) continue;
    const place = `${manager}: ${occupied}`;
    const owner = owners.get(place);
    if (owner) note(declaration, `its ${occupied} is also that of ${owner.name}`, 'give each a place of its own');
    else owners.set(place, declaration);
  }
}

function checkResources({ declarations, note }: Checked, providers: ReadonlyMap<unknown, DiscoveredProvider>): void {
  for (const declaration of declarations) {
    for (const [alias, resource] of declaration.resources) {
      const provider = providers.get(resource);
      if (provider === undefined) {
        const fix = `add ${resource.name} to the providers of a module`;
        note(declaration, `it requires ${resource.name} as ${alias}, which is no provider`, fix);
      } else if (provider.scope !== 'singleton') {
        const fix = `make ${resource.name} a singleton: there is no request when an asset is computed`;
        note(declaration, `it requires ${resource.name} as ${alias}, which is ${provider.scope}-scoped`, fix);
      }
    }
  }
}
