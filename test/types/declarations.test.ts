// The compiler is asked itself, in every supported version; what is expected stands in fixtures/.
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

const run = promisify(execFile);
const require = createRequire(join(process.cwd(), 'package.json'));

const compilers = [
  ['5.9', 'typescript-5'],
  ['6.0', 'typescript'],
  ['7.0', 'typescript-7'],
];

describe('types of declarations', () => {
  it.each(compilers)(
    'TypeScript %s accepts what is right and refuses what is wrong',
    async (version, packageName) => {
      const root = dirname(require.resolve(`${packageName}/package.json`));
      const compiler = join(root, 'bin', 'tsc');

      const { stdout: reported } = await run(process.execPath, [compiler, '--version']);
      expect(reported).toContain(`Version ${version}`);

      const { stdout } = await run(process.execPath, [compiler, '-p', 'test/types', '--noEmit']).catch(
        (error: unknown) => error as { stdout: string },
      );
      expect(stdout).toBe('');
    },
    120_000,
  );
});
