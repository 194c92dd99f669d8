// House rules that neither compiler nor linter knows: names of files, their opening lines, purity.
import { describe, expect, it } from '@jest/globals';
import { sourceFiles } from './source-files.js';

const library = [...sourceFiles('lib'), ...sourceFiles('migrations')];
const everything = [...library, ...['sample', 'bench', 'scripts', 'test'].flatMap(sourceFiles)];

/** Rooms that compute from what they are given; .dependency-cruiser.mjs keeps their imports pure. */
const PURE = /^lib\/(partitions|graph|planning)\/|\.machine\.ts$/;
const CLOCK_OR_CHANCE =
  /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bMath\.random\(|\bprocess\.hrtime\b|\brandom(UUID|Bytes|Int)\b|\bDateTime\.(now|local|utc)\(\s*\)|\bset(Timeout|Interval|Immediate)\(/;

describe('the house', () => {
  it('has file names in kebab-case with their role as a dotted suffix', () => {
    const odd = everything.filter(
      ({ path }) => !/^[a-z0-9]+([-.][a-z0-9]+)*\.(ts|js|mjs)$/.test(path.split('/').at(-1) ?? ''),
    );
    expect(odd.map(({ path }) => path)).toEqual([]);
  });

  it('has no file or room whose name says nothing', () => {
    const vague = /(^|[/.-])(utils?|helpers?|common|misc)([/.-]|$)/;
    expect(everything.map(({ path }) => path).filter((path) => vague.test(path))).toEqual([]);
  });

  it('opens every file by saying what lives in it, where no test names say so', () => {
    const nameless = everything.filter(({ path }) => !path.endsWith('.test.ts'));
    const silent = nameless.filter(({ text }) => !/^(#!.*\n)?(\/\/ \S|\/\*\*?)/.test(text));
    expect(silent.map(({ path }) => path)).toEqual([]);
  });

  it('has no clock and no chance in its pure rooms', () => {
    const impure = library
      .filter(({ path }) => PURE.test(path))
      .flatMap(
        ({ path, text }) =>
          withoutComments(text)
            .match(new RegExp(CLOCK_OR_CHANCE, 'g'))
            ?.map((use) => `${path}: ${use}`) ?? [],
      );
    expect(impure).toEqual([]);
  });
});

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
}
