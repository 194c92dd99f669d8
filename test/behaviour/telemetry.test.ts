// Spans and metrics through the public door, as an SDK that the application has set up gets them.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { context, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';
import type { TestingModule } from '@nestjs/testing';
import {
  Asset,
  DependsOn,
  Partitions,
  type AssetContext,
  type BatchContext,
  type BatchItem,
  type FlowStoneOptions,
  type FlowStoneService,
  type InputsOf,
} from '../../lib/index.js';
import { startApp } from './graph.js';
import { STORAGES, testStorage, type TestStorage } from './storages.js';

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer('of the application');

@Asset()
class Source {
  async execute(): Promise<number[]> {
    await tracer.startActiveSpan('fetch', async (span) => {
      await new Promise(setImmediate);
      span.end();
    });
    return [1, 2, 3];
  }
}

const sourceInputs = { source: Source };
@Asset({ retry: { attempts: 2, delay: 1 } })
@DependsOn(sourceInputs)
class Flaky {
  execute({ attempt }: AssetContext, { source }: InputsOf<typeof sourceInputs>): number {
    if (attempt === 1) throw new TypeError('not yet');
    return source.length;
  }
}

@Asset()
class Broken {
  execute(): never {
    throw new RangeError('never');
  }
}

@Asset({ partitions: Partitions.static(['a', 'b', 'c']), batch: { size: 3 } })
class Batched {
  async *executeMany(_: BatchContext, items: readonly BatchItem[]): AsyncGenerator<[string, string]> {
    for (const { partition } of items) {
      tracer.startActiveSpan(`item ${partition.key}`, (span) => span.end());
      yield [partition.key, partition.key];
    }
  }
}

let storage: TestStorage | undefined;
let app: TestingModule | undefined;

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(provider);
});

afterAll(() => {
  context.disable();
  trace.disable();
});

afterEach(async () => {
  await app?.close();
  await storage?.remove();
  exporter.reset();
});

async function start(kind: (typeof STORAGES)[number], more: FlowStoneOptions): Promise<FlowStoneService> {
  storage = await testStorage(kind);
  const started = await startApp([Source, Flaky, Broken, Batched], { ...storage.options, ...more });
  app = started.app;
  return started.flowstone;
}

/** Once nothing more comes: spans, each with those below it, sorted by name. */
async function tree(): Promise<string[]> {
  await app!.close();
  const spans = exporter.getFinishedSpans();
  const idOf = (span: ReadableSpan): string => span.spanContext().spanId;
  const lines: string[] = [];
  const add = (parent: string | undefined, depth: number): void => {
    const below = spans.filter((span) => span.parentSpanContext?.spanId === parent);
    const named = below.map((span): [string, ReadableSpan] => [describeSpan(span), span]);
    for (const [name, span] of named.sort(([a], [b]) => (a < b ? -1 : 1))) {
      lines.push(`${'  '.repeat(depth)}${name}`);
      add(idOf(span), depth + 1);
    }
  };
  add(undefined, 0);
  expect(lines).toHaveLength(spans.length);
  expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1);
  return lines;
}

function describeSpan({ name, attributes, status }: ReadableSpan): string {
  const { 'flowstone.asset': asset, 'flowstone.partition': partition, 'flowstone.attempt': attempt } = attributes;
  const about = [asset, partition, attempt, attributes['flowstone.outcome'], attributes['error.type']];
  const failed = status.code === SpanStatusCode.ERROR ? ' !' : '';
  return [name.replace('flowstone.', ''), ...about.filter((word) => word !== undefined)].join(' ') + failed;
}

describe.each(STORAGES)('with telemetry on %s', (kind) => {
  it('a run with a retry is one tree below the span of who requested it', async () => {
    const flowstone = await start(kind, { telemetry: true });
    await tracer.startActiveSpan('GET /', async (span) => {
      const run = await flowstone.materialize(Flaky, { upstream: 'stale' });
      await run.wait();
      span.end();
    });
    expect(await tree()).toEqual([
      'GET /',
      '  run.request',
      '    materialization flaky 1 retry FLOWSTONE_EXECUTE_FAILED !',
      '      commit',
      '      execute TypeError !',
      '      load source',
      '    materialization flaky 2 success',
      '      commit',
      '      execute',
      '      load source',
      '      store',
      '    materialization source 1 success',
      '      commit',
      '      execute',
      '        fetch',
      '      store',
      '    run',
    ]);
  });

  it('a run that fails says so, of itself and of what failed in it', async () => {
    const flowstone = await start(kind, { telemetry: { metrics: false } });
    await (await flowstone.materialize(Broken)).wait().catch(() => undefined);
    expect(await tree()).toEqual([
      'run.request',
      '  materialization broken 1 failed FLOWSTONE_EXECUTE_FAILED !',
      '    commit',
      '    execute RangeError !',
      '  run !',
    ]);
  });

  it('a batch is executed once, by a span with links to all that it computes', async () => {
    const flowstone = await start(kind, { telemetry: true });
    const run = await flowstone.materialize(Batched, { partitions: 'all' });
    await run.wait();
    const lines = await tree();
    expect(lines.filter((line) => line.includes('materialization'))).toHaveLength(3);
    const executed = exporter.getFinishedSpans().filter(({ name }) => name === 'flowstone.execute');
    expect(executed).toHaveLength(1);
    const linked = executed[0]!.links.map(({ context: linkedTo }) => linkedTo.spanId);
    const members = exporter.getFinishedSpans().filter(({ name }) => name === 'flowstone.materialization');
    expect(new Set([executed[0]!.parentSpanContext!.spanId, ...linked])).toEqual(
      new Set(members.map((span) => span.spanContext().spanId)),
    );
    const items = exporter.getFinishedSpans().filter(({ name }) => name.startsWith('item'));
    expect(items.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(
      Array.from({ length: 3 }, () => executed[0]!.spanContext().spanId),
    );
  });

  it('is nothing where it is off', async () => {
    const flowstone = await start(kind, {});
    const run = await flowstone.materialize(Source);
    await run.wait();
    expect((await run.view()).trace).toBeUndefined();
    await app!.close();
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['fetch']);
  });
});
