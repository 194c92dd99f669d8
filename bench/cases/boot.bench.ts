// Boot: what FlowStone adds to the start of a Nest application with many assets; no database.
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Asset, DependsOn, FlowStoneModule, FlowStoneService, Partitions } from '../../lib/index.js';
import type { BenchCase } from '../bench.case.js';

type AssetLike = new () => { execute(): number };

/** Classes of which each consumes up to three earlier ones; a third are partitioned. */
function declareAssets(count: number): AssetLike[] {
  const classes: AssetLike[] = [];
  const partitions = Partitions.daily({ start: '2024-01-01' });
  for (let i = 0; i < count; i++) {
    const name = `Asset${i}`;
    const target = {
      [name]: class {
        execute(): number {
          return i;
        }
      },
    }[name]!;
    Asset({ tags: [`tag${i % 10}`], ...(i % 3 === 0 && { partitions }), codeVersion: '1' })(target);
    const upstreams = [i - 3, i - 6, i - 30].filter((position) => position >= 0);
    DependsOn(Object.fromEntries(upstreams.map((position) => [`asset${position}`, classes[position]!])))(target);
    classes.push(target);
  }
  return classes;
}

/** The same application without FlowStone: its assets are mere providers. */
async function bootPlain(count: number): Promise<number> {
  const providers = declareAssets(count);
  for (const target of providers) Injectable()(target);
  class Plain {}
  Module({ providers })(Plain);
  const start = performance.now();
  const app = await NestFactory.createApplicationContext(Plain, { logger: ['error'] });
  const ms = performance.now() - start;
  await app.close();
  return ms;
}

async function bootFlowStone(count: number): Promise<number> {
  class WithAssets {}
  Module({ imports: [FlowStoneModule.forRoot({ storage: 'memory' })], providers: declareAssets(count) })(WithAssets);
  const start = performance.now();
  const app = await NestFactory.createApplicationContext(WithAssets, { logger: ['error'] });
  const ms = performance.now() - start;
  const { length } = app.get(FlowStoneService).graph().nodes;
  await app.close();
  if (length !== count) throw new Error(`${length} assets were found instead of ${count}`);
  return ms;
}

const bench: BenchCase = {
  title: 'boot: 1,000 and 10,000 assets, above the same application without FlowStone',
  parts: {
    thousand: async () => ({ thousand: await bootFlowStone(1000) }),
    plainThousand: async () => ({ plainThousand: await bootPlain(1000) }),
    tenThousand: async () => ({ tenThousand: await bootFlowStone(10_000) }),
    plainTenThousand: async () => ({ plainTenThousand: await bootPlain(10_000) }),
  },
  derive: (round) => ({
    addedToThousand: round['thousand']! - round['plainThousand']!,
    addedToTenThousand: round['tenThousand']! - round['plainTenThousand']!,
  }),
  measures: [
    { name: '1,000 assets', unit: 'ms', ours: 'addedToThousand', atMost: 100 },
    { name: '10,000 assets', unit: 'ms', ours: 'addedToTenThousand', atMost: 1000 },
  ],
};

export default bench;
