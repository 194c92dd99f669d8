// Sample 03 as people use it: asked at the terminal, stopped and started again, unattended, after a change of the code.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const SAMPLE = join(ROOT, 'dist/sample/03-content-review');
const DECISIONS = join(ROOT, 'sample/03-content-review/decisions.json');
// In the order in which they are asked.
const LOW = ['gone-with-the-wind', 'modern-times', 'scream', 'beauty-and-the-beast'];
const HIGH = ['casablanca', 'finding-nemo', 'slumdog-millionaire', 'the-dark-knight'];

const directories: string[] = [];
function fresh(parent = tmpdir(), name = 'review-'): string {
  directories.push(mkdtempSync(join(parent, name)));
  return directories.at(-1)!;
}

/** @param answers lines, as typed; what comes after the last is the end of the input */
function review(directory: string, args: readonly string[] = [], answers: readonly string[] = [], sample = SAMPLE) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(sample, 'main.js'), '--by', 'ada', ...args], {
    env: { ...process.env, FLOWSTONE_DIRECTORY: directory, NODE_OPTIONS: '' },
    input: answers.map((line) => `${line}\n`).join(''),
    encoding: 'utf8',
  });
  return {
    status,
    out: stdout,
    err: stderr,
    asked: [...stdout.matchAll(/^\d of \d: ([a-z-]+),/gm)].map(([, key]) => key!),
  };
}

const page = (directory: string, file: string): string => readFileSync(join(directory, 'published', file), 'utf8');
const pages = (directory: string): string[] =>
  existsSync(join(directory, 'published')) ? readdirSync(join(directory, 'published')).sort() : [];

describe('the content review sample', () => {
  beforeAll(() => {
    const built = spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--if-needed'], { encoding: 'utf8' });
    if (built.status !== 0) throw new Error(built.stderr);
  }, 600_000);

  afterAll(() => {
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  });

  it('decides by a file, publishes, and has nothing to ask the second time', () => {
    const directory = fresh();
    const { status, out, err, asked } = review(directory, ['--decisions', DECISIONS]);
    expect([status, err, asked]).toEqual([0, '', []]);
    expect(out).toContain('gone-with-the-wind: edited by ada');
    expect(out).toContain('Nothing waits for a decision.');
    // One was rejected: it is not published, and the others are.
    expect(pages(directory)).toEqual(
      [...HIGH, 'gone-with-the-wind', 'modern-times', 'scream', 'index'].map((name) => `${name}.md`).sort(),
    );
    expect(page(directory, 'gone-with-the-wind.md')).toContain(
      'opened on 15 December 1939. Victor Fleming directed it.',
    );
    expect(page(directory, 'gone-with-the-wind.md')).toContain('edited by ada');
    expect(page(directory, 'scream.md')).toContain('approved by ada');
    expect(page(directory, 'casablanca.md')).toBe(`# Casablanca (1941)

The drama film “Casablanca” opened on 31 December 1941. Michael Curtiz directed it. Warner Bros. brought it to the cinemas. It cost $950,000 and earned $10.5 million worldwide. Of the critics, 97% liked it. The audience gives it 8.8 of 10.

_Drafted from records._
`);
    expect(page(directory, 'index.md')).toContain('- [Modern Times (1936)](modern-times.md)');
    expect(page(directory, 'index.md')).not.toContain('Beauty');

    const again = review(directory);
    expect([again.status, again.err, again.asked]).toEqual([0, '', []]);
    expect(again.out).toContain('beauty-and-the-beast     52   withheld by ada (the figures are of several films)');
  }, 300_000);

  it('asks at the terminal, keeps what is left open over restarts, and goes on', () => {
    const directory = fresh();
    const first = review(directory, [], ['what?', 'a', 'q']);
    expect([first.status, first.err]).toEqual([0, '']);
    expect(first.out).toContain('Answer by one of these letters.');
    expect(first.out).toContain('scores 60 of 100. May it be published?');
    expect(first.out).toContain('- it speaks of 2039, and the records are of 2010 (-40)');
    expect(first.out).toContain('3 of 8 wait for a decision: start again to go on.');
    const approved = LOW[0]!;
    expect(first.asked).toEqual(LOW.slice(0, 2));
    // What needs nobody is published already.
    expect(pages(directory)).toEqual([...HIGH, approved].map((name) => `${name}.md`).sort());

    const left = LOW.slice(1);
    expect(review(directory, ['--list']).out).toContain('3 of 8 wait for a decision');
    const body = 'This text was written by a person, who looked the figures up again, and it is long enough to stand.';
    const edited = ['m', 'Another headline', 'Too short.', '', '', body, 'looked up'];
    const second = review(directory, [], [...edited, 'r', '', 'wrong', 's']);
    expect(second.out).toContain('Going on with run 1.');
    expect(second.asked).toEqual(left);
    expect(second.out).toContain('- body: body must be longer than or equal to 80 characters');
    const [changed, rejected, open] = second.asked as [string, string, string];
    expect(second.out).toContain(`${changed}: edited by ada`);
    expect(second.out).toContain(`${rejected}: rejected by ada`);
    expect(second.out).toContain('1 of 8 wait for a decision');
    expect(page(directory, `${changed}.md`)).toBe(
      `# Another headline\n\n${body}\n\n_Drafted from records, edited by ada._\n`,
    );
    expect(pages(directory)).not.toContain('index.md');

    const third = review(directory, ['--auto-approve']);
    expect(third.out).toContain(`${open}: approved by ada`);
    expect(third.out).toContain('Nothing waits for a decision.');
    expect(pages(directory)).toEqual(
      [...HIGH, ...LOW.filter((key) => key !== rejected), 'index'].map((name) => `${name}.md`).sort(),
    );
    expect(review(directory).asked).toEqual([]);
  }, 300_000);

  it('is killed while it asks, and asks the same after the next start', async () => {
    const directory = fresh();
    const killed = spawn(process.execPath, [join(SAMPLE, 'main.js'), '--by', 'ada'], {
      env: { ...process.env, FLOWSTONE_DIRECTORY: directory, NODE_OPTIONS: '' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const shown = async (until: string): Promise<string> => {
      let text = '';
      for await (const chunk of killed.stdout.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        text += chunk.toString();
        if (text.includes(until)) break;
      }
      return text;
    };
    const first = await shown('[q]uit > ');
    killed.stdin.write('a\n');
    const second = await shown('[q]uit > ');
    killed.kill('SIGKILL');
    await once(killed, 'close');
    expect(first).toContain('1 of 4: ');
    const asked = /^2 of 4: ([a-z-]+),/m.exec(second)![1]!;
    const again = review(directory, [], ['q']);
    expect(again.out).toContain('Going on with run 1.');
    expect(again.out).toContain('3 of 8 wait for a decision');
    expect(LOW).toContain(asked);
    expect(again.out).toMatch(new RegExp(`^${asked} .*waits for a decision$`, 'm'));
    expect(review(directory, ['--auto-approve']).out).toContain('Nothing waits for a decision.');
    expect(pages(directory)).toHaveLength(9);
  }, 300_000);

  it('asks again where the texts are worded otherwise, and shows in what', () => {
    const directory = fresh();
    const changed = fresh(join(ROOT, 'dist/sample'), '03-content-review-changed-');
    cpSync(SAMPLE, changed, { recursive: true });
    const replace = (file: string, from: string, to: string): void => {
      const path = join(changed, file);
      expect(readFileSync(path, 'utf8')).toContain(from);
      writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
    };
    replace('assets/drafts.asset.js', "codeVersion: '1'", "codeVersion: '2'");
    replace('articles/drafting.js', 'It runs for', 'It lasts');

    // One is decided, the others wait for a decision on a text that is changed under them.
    const decided = review(directory, [], ['a', 'q']).asked[0]!;
    const { out, asked } = review(directory, [], ['s', 's', 's', 's'], changed);
    const again = review(directory, ['--auto-approve'], [], changed);
    expect(asked).not.toContain(decided);
    expect(out).toContain('It lasts');
    expect(out).not.toContain('It runs for');
    expect(again.out).toContain('Nothing waits for a decision.');
    expect(page(directory, 'finding-nemo.md')).toContain('It lasts 100 minutes.');

    replace('assets/drafts.asset.js', "codeVersion: '2'", "codeVersion: '3'");
    replace('articles/drafting.js', 'directed it.', 'was its director.');
    const third = review(directory, [], [], changed);
    expect(third.out).toContain('Since it was decided the last time:\n  body\n');
    expect(third.out).toMatch(/^ {2}was {5}.*directed it/m);
  }, 300_000);

  it.each([
    [['--decisions', 'no-such-file.json'], 'cannot be read'],
    [['--decisions', join(ROOT, 'package.json')], 'says something else for name than'],
    [['--auto-approve', '--decisions', DECISIONS], 'do not go together'],
    [['--nonsense'], '--nonsense'],
  ])('says what is wrong with %j, and does nothing', (args, problem) => {
    const directory = fresh();
    const { status, err } = review(directory, args);
    expect([status, err]).toEqual([2, expect.stringContaining(problem)]);
    expect(readdirSync(directory)).toEqual([]);
  });
});
