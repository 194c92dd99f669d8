// Automation: from the commit of an upstream to the code of what is below it, while nothing else runs.
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Asset, DependsOn, eager, FlowStoneModule, FlowStoneService } from '../../lib/index.js';
import { freshDatabase } from '../../test/services/services.js';
import type { BenchCase } from '../bench.case.js';

const WARM_UP = 20;
const SAMPLES = { smoke: 20, whole: 300 };

let version = 0;
let begun: (at: number) => void = () => undefined;

@Asset()
class Upstream {
  execute(): number {
    return ++version;
  }
}

@Asset({ automation: eager() })
@DependsOn({ upstream: Upstream })
class Downstream {
  execute(): number {
    // By the clock of this machine, which is that of the server as well.
    begun(Date.now());
    return version;
  }
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const bench: BenchCase = {
  title: 'automation: commit of an upstream to the code of what is below it',
  parts: {
    async woken({ smoke }) {
      const database = await freshDatabase();
      @Module({
        imports: [FlowStoneModule.forRoot({ storage: { url: database.url } })],
        providers: [Upstream, Downstream],
      })
      class AutomationModule {}
      const application = await NestFactory.createApplicationContext(AutomationModule, { logger: ['error'] });
      const flowstone = application.get(FlowStoneService);
      await flowstone.automation.look();
      const took: number[] = [];
      for (let sample = 0; sample < WARM_UP + (smoke ? SAMPLES.smoke : SAMPLES.whole); sample++) {
        const computed = new Promise<number>((resolve) => (begun = resolve));
        await (await flowstone.materialize(Upstream, { force: true })).wait();
        const at = await computed;
        const [head] = (await flowstone.history(Upstream, { limit: 1 })).items;
        took.push(at - head!.completedAt!.getTime());
        // Until it is idle again.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await application.close();
      await database.drop();
      return { woken: medianOf(took.slice(WARM_UP)) };
    },
  },
  measures: [{ name: 'woken p50', unit: 'ms', ours: 'woken', atMost: 50 }],
};

export default bench;
