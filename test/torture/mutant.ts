// A copy of this project in which one guard is missing, to see that the torture or a test notices. Production code
// knows nothing of it: the copy's source is changed and compiled, and thrown away.
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ts from 'typescript';

/** The project's root, seen from dist/test/torture. */
const ROOT = resolve(import.meta.dirname, '../../..');
const COPIED = ['lib', 'migrations', 'sample', 'scripts', 'test', 'package.json', 'tsconfig.json', 'jest.config.mjs'];
const COMPILED = ['lib', 'migrations', 'test'];

export interface Mutant {
  readonly name: string;
  /** The guard that is missing. */
  readonly without: string;
  /** A source file, from the project's root. */
  readonly file: string;
  /** What stands there exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The test file that catches it, where that is better at it than the torture. */
  readonly test?: string;
}

export interface MutantProject extends AsyncDisposable {
  readonly root: string;
  /** The folder of its compiled code. */
  readonly build: string;
}

/** The project without the guard. Throws if the guard does not stand where the mutant says, once: it must not rot. */
export async function makeMutant({ name, file, find, replace }: Mutant): Promise<MutantProject> {
  const source = await readFile(join(ROOT, file), 'utf8');
  const occurrences = source.split(find).length - 1;
  if (occurrences !== 1) {
    throw new Error(`Mutant ${name} is out of date: "${find}" stands ${occurrences} times in ${file}, not once.`);
  }
  const root = await mkdtemp(join(tmpdir(), 'flowstone-mutant-'));
  const build = join(root, 'dist');
  for (const entry of COPIED) await cp(join(ROOT, entry), join(root, entry), { recursive: true });
  for (const entry of COMPILED) await cp(join(ROOT, 'dist', entry), join(build, entry), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'), 'junction');
  const mutated = source.replace(find, () => replace);
  await writeFile(join(root, file), mutated);
  await writeFile(join(build, file.replace(/\.ts$/, '.js')), compile(mutated));
  return { root, build, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

/** One file by itself, as the build compiles it. */
function compile(source: string): string {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: ts.CompilerOptions };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  return ts.transpileModule(source, { compilerOptions: { ...options, module: ts.ModuleKind.ES2022 } }).outputText;
}
