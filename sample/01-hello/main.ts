// The smallest FlowStone application: two assets, one made from the other, and nothing left on disk.
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Asset, DependsOn, FlowStoneModule, FlowStoneService, type AssetContext } from 'nestjs-flowstone';

@Asset()
class Names {
  execute(): string[] {
    return ['Ada', 'Grace', 'Barbara'];
  }
}
@Asset()
@DependsOn({ names: Names })
class Greetings {
  execute(_context: AssetContext, { names }: { names: string[] }): string[] {
    return names.map((name) => `Hello, ${name}!`);
  }
}
@Module({ imports: [FlowStoneModule.forRoot({ storage: 'memory' })], providers: [Names, Greetings] })
class HelloModule {}
const app = await NestFactory.createApplicationContext(HelloModule, { logger: ['warn', 'error', 'fatal'] });
const flowstone = app.get(FlowStoneService);
await (await flowstone.materialize(Greetings)).wait();
console.log((await flowstone.load(Greetings)).join('\n'));
await app.close();
