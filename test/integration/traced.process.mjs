// A worker process with telemetry, which writes its spans to a file as the file exporter of a collector does: each line a
// request of OTLP as JSON. It says when it has written some, and when code of it hangs.
// Told to, it requests a run and says how that ended; told anything else, it ends. It runs the build in dist/.
import 'reflect-metadata';
import { appendFileSync } from 'node:fs';
import { once } from 'node:events';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { all, Asset, DependsOn, FlowStoneModule, FlowStoneService, Partitions } from 'nestjs-flowstone';

const { options, file, hangs } = JSON.parse(process.argv[2] ?? '');

class FileExporter extends InMemorySpanExporter {
  /** @override @type {InMemorySpanExporter['export']} */
  export(spans, done) {
    appendFileSync(file, `${Buffer.from(JsonTraceSerializer.serializeRequest(spans) ?? []).toString()}\n`);
    if (spans.some(({ name }) => name === 'flowstone.materialization')) process.send?.('written');
    super.export(spans, done);
  }
}
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(new FileExporter())] }),
);

const partitions = Partitions.static(['p0', 'p1', 'p2', 'p3', 'p4', 'p5']);

class Parts {
  /** @param {import('nestjs-flowstone').AssetContext} context */
  async execute({ partition, attempt }) {
    if (partition.key === 'p1' && attempt === 1) throw new Error('not at first');
    if (partition.key !== 'p0' || !hangs) return Number(partition.key.slice(1));
    process.send?.('hangs');
    return new Promise(() => undefined);
  }
}
Asset({ partitions, retry: { attempts: 2, delay: 1 } })(Parts);

class Total {
  /** @param {unknown} _ @param {{ parts: import('nestjs-flowstone').PartitionedInput<number> }} inputs */
  async execute(_, { parts }) {
    let sum = 0;
    for await (const [, part] of parts) sum += part;
    return sum;
  }
}
Asset()(Total);
DependsOn({ parts: all(Parts) })(Total);

class TracedModule {}
Module({ imports: [FlowStoneModule.forRoot({ ...options, telemetry: true })], providers: [Parts, Total] })(
  TracedModule,
);

const app = await NestFactory.createApplicationContext(TracedModule, { logger: false });
process.send?.('works');
const [act] = await once(process, 'message');
if (act === 'request') {
  const run = await trace.getTracer('of the application').startActiveSpan('GET /', async (span) => {
    const requested = await app.get(FlowStoneService).materialize(Total, { upstream: 'stale' });
    span.end();
    return requested;
  });
  process.send?.((await run.wait()).status);
}
await app.close();
process.disconnect();
