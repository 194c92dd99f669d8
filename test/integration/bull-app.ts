// Applications on PostgreSQL and Redis that tests of the Bull transport share: who executed what, and when.
import { EventEmitter, once } from 'node:events';
import { Inject } from '@nestjs/common';
import {
  all,
  Asset,
  DependsOn,
  Partitions,
  type AssetContext,
  type FlowStoneOptions,
  type InputsOf,
} from '../../lib/index.js';
import { startOnBull, type BullApp } from './start-on-bull.js';

/** Which application an asset's instance belongs to. */
const WHO = Symbol('who');

/** What was executed, in the order of its beginning. An execution waits for `hold`. */
class Executions extends EventEmitter {
  readonly begun: { readonly who: string; readonly asset: string; readonly partition: string }[] = [];
  hold: (execution: { who: string; asset: string }) => Promise<unknown> = async () => undefined;

  async execute(who: string, { asset, partition }: AssetContext): Promise<void> {
    const execution = { who, asset, partition: partition.key };
    this.begun.push(execution);
    this.emit('begun');
    await this.hold(execution);
  }

  async atLeast(count: number): Promise<void> {
    while (this.begun.length < count) await once(this, 'begun');
  }

  /** Partitions, or whole assets, that were executed more than once. */
  get repeated(): string[] {
    const names = this.begun.map(({ asset, partition }) => `${asset}[${partition}]`);
    return names.filter((name, index) => names.indexOf(name) !== index);
  }
}

export const executions = new Executions();

const many = Partitions.static(Array.from({ length: 60 }, (_, index) => `p${index}`));

@Asset({ partitions: many })
export class Parts {
  constructor(@Inject(WHO) private readonly who: string) {}

  async execute(context: AssetContext): Promise<number> {
    await executions.execute(this.who, context);
    return Number(context.partition.key.slice(1));
  }
}

const partInputs = { part: Parts };
@Asset({ partitions: many })
@DependsOn(partInputs)
class Doubles {
  constructor(@Inject(WHO) private readonly who: string) {}

  async execute(context: AssetContext, { part }: InputsOf<typeof partInputs>): Promise<number> {
    await executions.execute(this.who, context);
    return 2 * part;
  }
}

const doubleInputs = { doubles: all(Doubles) };
@Asset()
@DependsOn(doubleInputs)
export class Total {
  constructor(@Inject(WHO) private readonly who: string) {}

  async execute(context: AssetContext, { doubles }: InputsOf<typeof doubleInputs>): Promise<number> {
    await executions.execute(this.who, context);
    let sum = 0;
    for await (const [, double] of doubles) sum += double;
    return sum;
  }
}

@Asset({ pool: 'heavy', partitions: many })
export class Heavy {
  constructor(@Inject(WHO) private readonly who: string) {}

  async execute(context: AssetContext): Promise<number> {
    await executions.execute(this.who, context);
    return 1;
  }
}

/** What all applications have logged. */
export const log: string[] = [];

/** Starts an application of the assets above, with the queues of the pools `default` and `heavy`. */
export async function startBullApp(who: string, options: FlowStoneOptions): Promise<BullApp> {
  const note = (message: unknown): void => void log.push(String(message));
  const providers = [{ provide: WHO, useValue: who }, Parts, Doubles, Total, Heavy];
  return startOnBull(providers, ['default', 'heavy'], options, { log: note, warn: note, error: note });
}
