// An application of someone else's: it knows FlowStone only as an installed package. Compiled as an ECMAScript and as a
// CommonJS module by consumers.test.ts, which reads the line it prints.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  all,
  Asset,
  type AssetContext,
  DependsOn,
  FlowStoneModule,
  FlowStoneService,
  type InputsOf,
  Partitions,
  Requires,
} from 'nestjs-flowstone';

@Injectable()
class Greeter {
  greet(name: string): string {
    return `Hello, ${name}`;
  }
}

const resources = { greeter: Greeter };

@Asset({ partitions: Partitions.static(['ada', 'grace']) })
@Requires(resources)
class Greeting {
  execute(context: AssetContext<typeof resources>): string {
    return context.resources.greeter.greet(context.partition.key);
  }
}

const inputs = { greetings: all(Greeting) };

@Asset()
@DependsOn(inputs)
class Speech {
  async execute(_context: AssetContext, { greetings }: InputsOf<typeof inputs>): Promise<string[]> {
    const lines: string[] = [];
    for await (const [key, greeting] of greetings) lines.push(`${key}: ${greeting}`);
    return lines;
  }
}

@Module({ imports: [FlowStoneModule.forRoot({ storage: 'memory' })], providers: [Greeter, Greeting, Speech] })
class ConsumerModule {}

async function main(): Promise<void> {
  const application = await NestFactory.createApplicationContext(ConsumerModule, { logger: ['error', 'fatal'] });
  try {
    const flowstone = application.get(FlowStoneService);
    const run = await flowstone.materialize(Speech);
    const { status } = await run.wait();
    const speech: string[] = await flowstone.load(Speech);
    const greeting: string = await flowstone.load(Greeting, { partition: 'ada' });
    process.stdout.write(`${JSON.stringify({ status, speech, greeting })}\n`);
  } finally {
    await application.close();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
