// A run over processes, with PostgreSQL and Redis between them: what all of them told a collector is one tree, also where one
// was killed amid its work.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FlowStoneOptions } from '../../lib/index.js';
import { freshDatabase, redisUrl, type FreshDatabase } from '../services/services.js';

/** As OTLP has it in JSON. */
interface WrittenSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
}

let database: FreshDatabase;
let directory: string;
let options: FlowStoneOptions;
const processes: ChildProcess[] = [];

beforeEach(async () => {
  database = await freshDatabase();
  directory = await mkdtemp(join(tmpdir(), 'flowstone-'));
  options = {
    storage: { url: database.url },
    directory,
    queue: { redis: await redisUrl(), prefix: `test-${randomBytes(6).toString('hex')}` },
    lease: 1000,
    heartbeat: 200,
    sweep: 200,
  };
});

afterEach(async () => {
  for (const child of processes.splice(0)) child.kill('SIGKILL');
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

/** Spans of one process, as a reader that knows nothing of FlowStone finds them. */
function spansOf(file: string): WrittenSpan[] {
  if (!existsSync(file)) return [];
  interface Request {
    readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly WrittenSpan[] }[] }[];
  }
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.flatMap((line) =>
    (JSON.parse(line) as Request).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
  );
}

async function start(name: string, more: FlowStoneOptions & { hangs?: boolean } = {}): Promise<ChildProcess> {
  const { hangs = false, ...itsOptions } = more;
  const given = { file: fileOf(name), hangs, options: { ...options, ...itsOptions } };
  const child = fork(join(import.meta.dirname, 'traced.process.mjs'), [JSON.stringify(given)], {
    execArgv: ['--no-opt'],
  });
  processes.push(child);
  await said(child, 'works');
  return child;
}

const fileOf = (name: string): string => join(directory, `${name}.jsonl`);

async function said(child: ChildProcess, word: string): Promise<void> {
  for (;;) {
    const [message] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as unknown[];
    if (message === word) return;
    if (typeof message !== 'string') throw new Error(`The process ended before it said "${word}".`);
  }
}

describe('a run over processes', () => {
  it('is one tree of spans, though one of them was killed', async () => {
    const killed = await start('killed', { role: 'worker', hangs: true, concurrency: 2 });
    const hung = Promise.all([said(killed, 'hangs'), said(killed, 'written')]);
    const asker = await start('asker', { role: 'api' });
    const ended = said(asker, 'success');
    asker.send('request');
    await hung;
    const other = await start('other', { role: 'worker' });
    killed.kill('SIGKILL');
    await ended;
    await once(asker, 'exit');
    other.send('end');
    await once(other, 'exit');

    const files = ['killed', 'asker', 'other'].map((name) => spansOf(fileOf(name)));
    for (const spans of files) expect(spans.length).toBeGreaterThan(0);
    const spans = files.flat();
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    expect(byId.size).toBe(spans.length);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    const roots = spans.filter(({ parentSpanId }) => !parentSpanId);
    expect(roots.map(({ name }) => name)).toEqual(['GET /']);
    const orphans = spans.filter(({ parentSpanId }) => parentSpanId && !byId.has(parentSpanId));
    expect(orphans).toEqual([]);
    // Six parts, one of them twice, and the total; the attempt that was killed has left nothing.
    const named = (name: string): WrittenSpan[] => spans.filter((span) => span.name === name);
    expect(named('flowstone.materialization')).toHaveLength(8);
    expect(named('flowstone.run')).toHaveLength(1);
    const request = named('flowstone.run.request')[0]!;
    for (const { parentSpanId } of named('flowstone.materialization')) expect(parentSpanId).toBe(request.spanId);
  });
});
