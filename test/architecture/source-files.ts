// Reads the project's own files for the tests beside this one.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

export interface SourceFile {
  /** Relative to the project's root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Absolute path of a file of the project. */
export function projectFile(path: string): string {
  return join(ROOT, path);
}

/** Every source file below a directory of the project, except what compiler tests refuse on purpose and packages. */
export function sourceFiles(directory: string): SourceFile[] {
  return readdirSync(projectFile(directory), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(ts|js|mjs)$/.test(path) && !/fixtures|node_modules/.test(path))
    .map((path) => `${directory}/${path.replaceAll('\\', '/')}`)
    .sort()
    .map((path) => ({ path, text: readFileSync(projectFile(path), 'utf8') }));
}
