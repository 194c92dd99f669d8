// A small graph that behaviour tests share, and an application around it.
import { Logger, type Provider, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { FlowStoneModule, FlowStoneService, type FlowStoneOptions } from '../../lib/index.js';

/** A started application of these assets. Close it with `app.close()`. */
export async function startApp(
  providers: readonly (Type | Provider)[],
  options: FlowStoneOptions = { storage: 'memory' },
): Promise<{ app: TestingModule; flowstone: FlowStoneService }> {
  const app = await Test.createTestingModule({
    imports: [FlowStoneModule.forRoot(options)],
    providers: [...providers],
  }).compile();
  // After compile(), which sets a logger of its own.
  Logger.overrideLogger(false);
  await app.init();
  return { app, flowstone: app.get(FlowStoneService) };
}

/** A promise and what settles it. */
export function gate<T = void>(): { readonly opened: Promise<T>; open(value: T): void } {
  let open!: (value: T) => void;
  const opened = new Promise<T>((resolve) => (open = resolve));
  return { opened, open: (value) => open(value) };
}
