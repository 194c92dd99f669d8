// Packages that only some applications need: ours by optional peer dependency, loaded when they are needed.
import { createRequire } from 'node:module';
import { FlowStoneError } from './flowstone.errors.js';

const require = createRequire(import.meta.url);

/** What is to be done where one of these packages is not installed; undefined where all are. */
export function missingPackages(what: string, names: readonly string[]): string | undefined {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return undefined;
  const list = missing.join(' and ');
  return `${what} needs ${missing.length === 1 ? 'the package' : 'the packages'} ${list}: run \`npm install ${missing.join(' ')}\``;
}

/** Throws `FLOWSTONE_PACKAGE_MISSING` unless all are installed. */
export function requirePackages(what: string, names: readonly string[]): void {
  const problem = missingPackages(what, names);
  if (problem === undefined) return;
  throw new FlowStoneError('FLOWSTONE_PACKAGE_MISSING', `${problem}.`, { context: { packages: [...names] } });
}

/** Asked anew for each asset that needs one. */
const found = new Set<string>();

function isInstalled(name: string): boolean {
  if (found.has(name)) return true;
  try {
    require.resolve(name);
    found.add(name);
    return true;
  } catch {
    return false;
  }
}
