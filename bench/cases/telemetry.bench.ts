// The same work with telemetry and without: spans and metrics as an SDK records and batches them, to nobody.
import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor, InMemorySpanExporter } from '@opentelemetry/sdk-trace-base';
import type { BenchCase } from '../bench.case.js';
import { measureOnPostgres } from '../measured-run.js';
import { independent } from '../no-op.assets.js';

const workOf = (smoke: boolean): number => (smoke ? 2_000 : 30_000);

const bench: BenchCase = {
  title: '30,000 independent assets that do nothing, PostgreSQL in process, with spans and metrics / without',
  rounds: 5,
  parts: {
    on: async ({ smoke }) => {
      const close = registerSdk();
      const figures = await measureOnPostgres('on', independent(workOf(smoke)), { telemetry: true });
      const exported = await close();
      // A request, a run, and of each asset at least the attempt and its code.
      const least = 2 * workOf(smoke);
      if (exported.spans < least) throw new Error(`Of ${least} spans only ${exported.spans} were recorded`);
      return { ...figures, 'on.spans': exported.spans };
    },
    off: ({ smoke }) => measureOnPostgres('off', independent(workOf(smoke))),
  },
  measures: [{ name: 'rate', unit: '/s', ours: 'on', peer: 'off', atLeast: 0.85 }],
};

/** Sends spans nowhere. */
class Counting extends InMemorySpanExporter {
  spans = 0;

  override export(...[ended, done]: Parameters<InMemorySpanExporter['export']>): void {
    this.spans += ended.length;
    super.export(ended, done);
    this.reset();
  }
}

/** As NodeSDK does by itself, without a collector. Answers with what stops it. */
function registerSdk(): () => Promise<{ readonly spans: number }> {
  const exporter = new Counting();
  const tracing = new BasicTracerProvider({
    // What is more than fits is dropped, as everywhere: here nothing is, so that all is paid for.
    spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: 1_000_000, scheduledDelayMillis: 100 })],
  });
  const measuring = new MeterProvider({
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
        exportIntervalMillis: 1000,
        exportTimeoutMillis: 1000,
      }),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(tracing);
  metrics.setGlobalMeterProvider(measuring);
  return async () => {
    await tracing.shutdown();
    await measuring.shutdown();
    return { spans: exporter.spans };
  };
}

export default bench;
