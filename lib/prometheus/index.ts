// nestjs-flowstone/prometheus: metrics as a page that Prometheus reads. Needs @opentelemetry/api, @opentelemetry/sdk-metrics
// and @opentelemetry/exporter-prometheus.
export { FlowStoneMetricsModule, type MetricsPageOptions } from './flowstone-metrics.module.js';
