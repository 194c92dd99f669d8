// Which bench cases there are: the compiled files cases/<name>.bench.js beside this one.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BenchCase } from './bench.case.js';

const CASES = join(import.meta.dirname, 'cases');
const SUFFIX = '.bench.js';

/** Names of all cases, sorted. */
export async function caseNames(): Promise<string[]> {
  const files = await readdir(CASES).catch(() => []);
  return files
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();
}

/** Loads the case of that name. Rejects with the names there are when there is none. */
export async function loadCase(name: string): Promise<BenchCase> {
  const names = await caseNames();
  if (!names.includes(name)) throw new Error(`There is no bench "${name}". There are: ${names.join(', ')}.`);
  const module: { default: BenchCase } = await import(pathToFileURL(join(CASES, name + SUFFIX)).href);
  return module.default;
}
