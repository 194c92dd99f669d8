// Resolves `partitions: 'inherit'`: the scheme of the single data dependency, which may itself inherit.
import type { PartitionScheme } from '../partitions/partitions.js';
import type { AssetClass } from './asset.definition.js';
import type { Declaration } from './declaration.reader.js';

/** The scheme of each declaration. */
export interface Schemes {
  /** False where the scheme cannot be known, which has been noted as a mistake. */
  has(declaration: Declaration): boolean;
  /** `undefined`: unpartitioned. */
  get(declaration: Declaration): PartitionScheme | undefined;
  /** The declaration that says the scheme: itself, or the one it is inherited from. */
  origin(declaration: Declaration): Declaration;
}

/** Follows every `'inherit'` to a declared scheme. */
export function inheritSchemes(
  declarations: readonly Declaration[],
  byClass: ReadonlyMap<AssetClass, Declaration>,
  note: (about: Declaration, problem: string, fix: string) => void,
): Schemes {
  const origins = new Map<Declaration, Declaration | undefined>();
  for (const declaration of declarations) {
    const heirs = new Set<Declaration>();
    let at: Declaration | undefined = declaration;
    while (at !== undefined && !origins.has(at) && at.options.partitions === 'inherit') {
      heirs.add(at);
      const source = sourceOf(at, byClass, note);
      const circular = source !== undefined && heirs.has(source);
      if (circular) note(at, 'it inherits its partitions from itself', 'give one asset of the cycle a scheme');
      at = circular ? undefined : source;
    }
    const known = at?.schemeUnknown ? undefined : at;
    const origin = at !== undefined && origins.has(at) ? origins.get(at) : known;
    for (const heir of heirs.add(declaration)) origins.set(heir, origin);
  }
  const schemeOf = (declaration: Declaration | undefined): PartitionScheme | undefined => {
    const partitions = declaration?.options.partitions;
    return partitions === 'inherit' ? undefined : partitions;
  };
  return {
    has: (declaration) => origins.get(declaration) !== undefined,
    get: (declaration) => schemeOf(origins.get(declaration)),
    origin: (declaration) => origins.get(declaration) ?? declaration,
  };
}

function sourceOf(
  declaration: Declaration,
  byClass: ReadonlyMap<AssetClass, Declaration>,
  note: (about: Declaration, problem: string, fix: string) => void,
): Declaration | undefined {
  const { asset, dependencies } = declaration;
  const sources = dependencies.filter(({ upstream, spec }) => !spec.ordering && upstream !== asset.target);
  const [source] = sources;
  if (source !== undefined && sources.length === 1) return byClass.get(source.upstream);
  const found = sources.length === 0 ? 'has none' : `has ${sources.map(({ alias }) => alias).join(', ')}`;
  note(declaration, `it inherits its partitions from its single data dependency, and ${found}`, 'declare a scheme');
  return undefined;
}
