// Metrics as Prometheus reads them: over HTTP, by Express and by Fastify, and to the taste of its own tool.
import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Logger, Module, type CanActivate, type INestApplication } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { metrics } from '@opentelemetry/api';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { Asset, FlowStoneModule, FlowStoneService } from '../../lib/index.js';
import { FlowStoneMetricsModule } from '../../lib/prometheus/index.js';
import { requirePromtool } from '../services/promtool.mjs';

@Asset()
class Answer {
  execute(): number {
    return 42;
  }
}

@Asset()
class Broken {
  execute(): never {
    throw new Error('never');
  }
}

let app: INestApplication | undefined;

afterEach(async () => {
  await app?.close();
  app = undefined;
  metrics.disable();
});

async function start(adapter: ExpressAdapter | FastifyAdapter, guard?: CanActivate): Promise<string> {
  @Module({
    imports: [FlowStoneModule.forRoot({ storage: 'memory', telemetry: true }), FlowStoneMetricsModule.forRoot()],
    providers: [Answer, Broken, ...(guard ? [{ provide: APP_GUARD, useValue: guard }] : [])],
  })
  class AppModule {}
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  Logger.overrideLogger(false);
  app = module.createNestApplication(adapter as ExpressAdapter);
  await app.listen(0, '127.0.0.1');
  return `${(await app.getUrl()).replace('localhost', '127.0.0.1')}/metrics`;
}

describe('the page of metrics', () => {
  it.each([
    ['Express', () => new ExpressAdapter()],
    ['Fastify', () => new FastifyAdapter()],
  ])('is one that promtool finds nothing wrong with, by %s', async (_, adapter) => {
    const url = await start(adapter());
    const flowstone = app!.get(FlowStoneService);
    await (await flowstone.materialize(Answer)).wait();
    await (await flowstone.materialize(Broken)).wait().catch(() => undefined);
    const response = await fetch(url);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    const count = (outcome: string, asset: string): RegExp =>
      new RegExp(
        `^flowstone_attempt_duration_seconds_count\\{[^}]*flowstone_asset="${asset}",flowstone_outcome="${outcome}"[^}]*\\} 1$`,
        'm',
      );
    expect(text).toContain('flowstone_outcome="success",otel_scope_name="nestjs-flowstone",le="3600"} 1');
    expect(text).toMatch(count('success', 'answer'));
    expect(text).toMatch(count('failed', 'broken'));
    expect(text).toMatch(/^flowstone_run_duration_seconds_count\{[^}]*flowstone_status="success"[^}]*\} 1$/m);
    expect(text).toMatch(/^flowstone_attempts_active(\{[^}]*\})? 0$/m);
    const promtool = await requirePromtool();
    const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], { input: text, encoding: 'utf8' });
    expect(`${stdout}${stderr}`).toBe('');
    expect(status).toBe(0);
  });

  it('is behind the guards of the application', async () => {
    const url = await start(new ExpressAdapter(), { canActivate: () => false });
    expect((await fetch(url)).status).toBe(403);
  });

  it('is refused where the process has a meter provider', async () => {
    metrics.setGlobalMeterProvider(new MeterProvider());
    await expect(start(new ExpressAdapter())).rejects.toThrow(/meter provider of OpenTelemetry: leave it out/);
  });

  it('is refused with options that it has not', () => {
    expect(() => FlowStoneMetricsModule.forRoot({ paht: 'm' } as never)).toThrow(/paht/);
  });
});
