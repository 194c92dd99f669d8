// Batches: a service that takes a hundred texts at a time computes what is ready together, one call for many partitions.
// What it refuses fails alone, and is all that a retry computes.
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Asset,
  DependsOn,
  FlowStoneModule,
  FlowStoneService,
  Partitions,
  Requires,
  type AssetContext,
  type BatchContext,
  type BatchItem,
  type BatchResults,
  type InputsOf,
} from 'nestjs-flowstone';

const DOCUMENTS = Array.from({ length: 500 }, (_, index) => `document ${index}`);

/** Stands for a service that is slow to answer and charges by the call. */
@Injectable()
class Translator {
  calls = 0;
  refused = 'document 7';

  async translate(texts: readonly string[]): Promise<(string | undefined)[]> {
    this.calls++;
    await pause(50);
    return texts.map((text) => (text.includes(`${this.refused} `) ? undefined : text.toUpperCase()));
  }
}

@Asset({ partitions: Partitions.dynamic('documents') })
class Documents {
  execute({ partition }: AssetContext): string {
    return `${partition.key} says hello`;
  }
}

const inputs = { document: Documents };
const resources = { translator: Translator };

@Asset({ partitions: 'inherit', batch: { size: 100 } })
@DependsOn(inputs)
@Requires(resources)
class Translations {
  async *executeMany(
    context: BatchContext<typeof resources>,
    items: readonly BatchItem<InputsOf<typeof inputs>>[],
  ): BatchResults<string> {
    const texts = await context.resources.translator.translate(items.map((item) => item.inputs.document));
    for (const [index, { partition }] of items.entries()) {
      const text = texts[index];
      yield [partition.key, text ?? context.fail(partition.key, new Error('the service refused it'))];
    }
  }
}

@Module({
  imports: [FlowStoneModule.forRoot({ storage: 'memory', concurrency: 4 })],
  providers: [Translator, Documents, Translations],
})
class TranslationModule {}

const app = await NestFactory.createApplicationContext(TranslationModule, { logger: false });
const flowstone = app.get(FlowStoneService);
const translator = app.get(Translator);
await flowstone.addPartitions('documents', DOCUMENTS);
await (await flowstone.materialize(Documents, { partitions: 'all' })).wait();

const run = await flowstone.materialize(Translations, { partitions: 'all' });
const { success, failed } = (await run.wait({ until: 'settled' }).catch(() => run.view())).counts;
console.log(`${success} translations by ${translator.calls} calls, ${failed} refused`);

translator.refused = 'nothing';
const again = await (await flowstone.retry(run.id)).wait();
console.log(`${again.counts.success} by one more: ${await flowstone.load(Translations, { partition: 'document 7' })}`);
await app.close();
