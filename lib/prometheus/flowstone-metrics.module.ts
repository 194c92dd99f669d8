// A route on which Prometheus reads the metrics of this process, for applications that set up no SDK of their own.
import {
  Controller,
  Get,
  Header,
  Inject,
  Module,
  type DynamicModule,
  type OnModuleDestroy,
  type Type,
} from '@nestjs/common';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { FlowStoneError } from '../flowstone.errors.js';
import { unknownName } from '../graph/did-you-mean.js';
import { INSTRUMENTS } from '../telemetry/instruments.js';

export interface MetricsPageOptions {
  /** Where it is served. Default `'metrics'`. */
  readonly path?: string;
}

/** Of the text format that the serializer writes. */
const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8';

/** Prometheus wants the unit at the end of a name, which the exporter leaves to who makes it. */
const NAMES = Object.entries(INSTRUMENTS).flatMap(([instrumentName, { unit }]) =>
  unit === 's' ? [{ instrumentName, name: `${instrumentName}.seconds` }] : [],
);

/** The meter provider of the process, while the application runs. */
class MetricsPage implements OnModuleDestroy {
  readonly #exporter = new PrometheusExporter({ preventServerStart: true });
  readonly #provider = new MeterProvider({ readers: [this.#exporter], views: NAMES });
  readonly #serializer = new PrometheusSerializer();

  constructor() {
    if (metrics.setGlobalMeterProvider(this.#provider)) return;
    throw invalid(
      'finds that the process has a meter provider of OpenTelemetry: leave it out, and add a PrometheusExporter to the readers of that one',
    );
  }

  async text(): Promise<string> {
    const { resourceMetrics } = await this.#exporter.collect();
    return this.#serializer.serialize(resourceMetrics);
  }

  async onModuleDestroy(): Promise<void> {
    metrics.disable();
    await this.#provider.shutdown();
  }
}

@Module({})
export class FlowStoneMetricsModule {
  /**
   * `GET /metrics`: all metrics of the process in the text format of Prometheus: those of FlowStone with
   * `forRoot({ telemetry: true })`, and what else is told to OpenTelemetry. It registers a meter provider for the process,
   * until the application is closed. Guards and prefixes of the application apply.
   * @throws FlowStoneError FLOWSTONE_OPTIONS_INVALID, at boot also where the process has a meter provider already
   */
  static forRoot(options: MetricsPageOptions = {}): DynamicModule {
    const unknown = unknownName(options, ['path']);
    if (unknown !== undefined) throw invalid(`has no option ${unknown}: it has path`);
    const { path = 'metrics' } = options;
    if (typeof path !== 'string') throw invalid('takes a text as path');
    return { module: FlowStoneMetricsModule, controllers: [metricsController(path)], providers: [MetricsPage] };
  }
}

function metricsController(path: string): Type {
  @Controller(path)
  class FlowStoneMetricsController {
    constructor(@Inject(MetricsPage) private readonly page: MetricsPage) {}

    @Get()
    @Header('Content-Type', TEXT_FORMAT)
    metrics(): Promise<string> {
      return this.page.text();
    }
  }
  return FlowStoneMetricsController;
}

function invalid(problem: string): FlowStoneError {
  const message = `FlowStoneMetricsModule.forRoot() ${problem}.`;
  return new FlowStoneError('FLOWSTONE_OPTIONS_INVALID', message, { context: { problems: [problem] } });
}
