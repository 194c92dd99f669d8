// OpenTelemetry's API, loaded when an application wants telemetry and not before. What it is given goes to whichever SDK
// has been registered with it, since all copies of it share one registry.
import { createRequire } from 'node:module';

export type Api = typeof import('@opentelemetry/api');

/** The name by which exporters know what comes from here. */
const SCOPE = 'nestjs-flowstone';

const require = createRequire(import.meta.url);

export function loadApi(): Api {
  return require('@opentelemetry/api') as Api;
}

/** One that records nothing where spans are not wanted. */
export function tracerOf(api: Api, wanted: boolean): ReturnType<Api['trace']['getTracer']> {
  return wanted ? api.trace.getTracer(SCOPE) : new api.ProxyTracerProvider().getTracer(SCOPE);
}

/** One that counts nothing where metrics are not wanted. */
export function meterOf(api: Api, wanted: boolean): ReturnType<Api['metrics']['getMeter']> {
  return wanted ? api.metrics.getMeter(SCOPE) : api.createNoopMeter();
}
