// From materialize() to the asset's own code when nothing else runs, beside one durable update on the same server.
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Client } from 'pg';
import { Asset, FlowStoneModule, FlowStoneService } from '../../lib/index.js';
import { freshDatabase } from '../../test/services/services.js';
import type { BenchCase } from '../bench.case.js';

const WARM_UP = 50;
const SAMPLES = 300;

let begun = 0;

@Asset()
class Moment {
  execute(): void {
    begun = performance.now();
  }
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const bench: BenchCase = {
  title: 'idle materialize() to user code, in process / one durable update',
  parts: {
    async both() {
      const database = await freshDatabase();
      const client = new Client({ connectionString: database.url });
      await client.connect();
      await client.query('CREATE TABLE counter (id int PRIMARY KEY, value int)');
      await client.query('INSERT INTO counter VALUES (1, 0)');

      @Module({ imports: [FlowStoneModule.forRoot({ storage: { url: database.url } })], providers: [Moment] })
      class LatencyModule {}
      const application = await NestFactory.createApplicationContext(LatencyModule, { logger: ['error'] });
      const flowstone = application.get(FlowStoneService);

      const ours: number[] = [];
      const peer: number[] = [];
      for (let sample = 0; sample < WARM_UP + SAMPLES; sample += 1) {
        const asked = performance.now();
        const run = await flowstone.materialize(Moment, { force: true });
        await run.wait();
        ours.push(begun - asked);
        const sent = performance.now();
        await client.query({ name: 'count', text: 'UPDATE counter SET value = value + 1 WHERE id = 1' });
        peer.push(performance.now() - sent);
      }
      await application.close();
      await client.end();
      await database.drop();
      return { ours: medianOf(ours.slice(WARM_UP)), peer: medianOf(peer.slice(WARM_UP)) };
    },
  },
  measures: [{ name: 'p50', unit: 'ms', ours: 'ours', peer: 'peer', atMost: 6 }],
};

export default bench;
