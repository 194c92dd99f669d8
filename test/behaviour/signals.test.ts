// Signals through the public door: asking the outside, its answer, and what comes of it.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { Type } from 'class-transformer';
import { IsDate, IsInt, IsString, Min } from 'class-validator';
import {
  Asset,
  DependsOn,
  Signal,
  SignalAsset,
  type AssetContext,
  type FlowStoneService,
  type SignalCallback,
} from '../../lib/index.js';
import { startApp } from './graph.js';
import { SAMPLED_STORAGES, testStorage, type TestStorage } from './storages.js';

const SECRET = 'a secret that nobody else knows, for tests';

class Payment {
  @IsInt()
  @Min(1)
  cents!: number;

  @IsString()
  payer!: string;

  @IsDate()
  @Type(() => Date)
  at!: Date;
}

const world = { order: 7, asked: [] as (SignalCallback & { order: number })[], early: undefined as unknown };
const holder: { flowstone?: FlowStoneService } = {};

@Asset()
class Order {
  execute(): { order: number } {
    return { order: world.order };
  }
}

const inputs = { order: Order };
@Signal({ payload: Payment, timeout: '1h' })
@DependsOn(inputs)
class Paid extends SignalAsset<Payment> {
  async request(_context: AssetContext, { order: { order } }: { order: { order: number } }, callback: SignalCallback) {
    world.asked.push({ ...callback, order });
    if (world.early !== undefined) await holder.flowstone!.signals.deliver(callback.token, world.early as never);
  }
}

@Asset()
@DependsOn({ paid: Paid })
class Receipt {
  execute(_context: AssetContext, { paid }: { paid: Payment }): string {
    return `${paid.payer} paid ${paid.cents} on ${paid.at.toISOString().slice(0, 10)}`;
  }
}

@Signal({ payload: [Payment], timeout: '200ms' })
class Late extends SignalAsset<Payment[]> {
  onTimeout(): Payment[] {
    return [];
  }
}

@Signal({ payload: Payment, timeout: '200ms' })
class Never extends SignalAsset<number> {
  onSignal(_context: AssetContext, _inputs: object, payload: Payment): number {
    return payload.cents;
  }
}

const CLASSES = [Order, Paid, Receipt, Late, Never];
const PAYMENT = { cents: 500, payer: 'zoe', at: '2024-05-01T00:00:00.000Z' };

describe.each(SAMPLED_STORAGES)('signals on %s', (kind) => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  const start = async () => {
    ({ app, flowstone } = await startApp(CLASSES, { ...storage.options, signalSecret: SECRET }));
    holder.flowstone = flowstone;
  };

  beforeEach(async () => {
    Object.assign(world, { order: 7, asked: [], early: undefined });
    storage = await testStorage(kind);
    await start();
  });
  afterEach(async () => {
    await app.close();
    await storage.remove();
  });

  const waiting = async (target: Parameters<FlowStoneService['materialize']>[0]) => {
    const run = await flowstone.materialize(target);
    expect((await run.wait({ until: 'settled', timeout: '20s' })).status).toBe('waiting');
    return { run, token: world.asked.at(-1)!.token };
  };

  it('ask the outside, wait, and take its answer as their value', async () => {
    const { run, token } = await waiting(Receipt);
    expect(world.asked).toMatchObject([{ order: 7 }]);
    expect((await flowstone.signals.list()).items).toMatchObject([{ asset: 'paid', status: 'open', kind: 'signal' }]);
    expect((await flowstone.approvals.list()).items).toEqual([]);
    await flowstone.signals.deliver(token, PAYMENT);
    await run.wait();
    expect(await flowstone.load(Receipt)).toBe('zoe paid 500 on 2024-05-01');
    expect(JSON.stringify((await flowstone.signals.list({ status: 'all' })).items)).not.toContain(token);
  });

  if (kind !== 'memory') {
    it('wait over restarts', async () => {
      const { run, token } = await waiting(Receipt);
      await app.close();
      await start();
      await flowstone.signals.deliver(token, PAYMENT);
      await flowstone.run(run.id).wait({ timeout: '20s' });
      expect((await flowstone.load(Paid)).payer).toBe('zoe');
    });
  }

  // What of the rest is the database's, the conformance of ledgers holds for the embedded one as well.
  if (kind === 'embedded') return;

  it('take the same answer twice, and no other', async () => {
    const { run, token } = await waiting(Receipt);
    await Promise.all([flowstone.signals.deliver(token, PAYMENT), flowstone.signals.deliver(token, PAYMENT)]);
    await run.wait();
    await flowstone.signals.deliver(token, PAYMENT);
    await expect(flowstone.signals.deliver(token, { ...PAYMENT, cents: 1 })).rejects.toMatchObject({
      code: 'FLOWSTONE_APPROVAL_CONFLICT',
    });
    expect((await flowstone.load(Paid)).cents).toBe(500);
  });

  it('refuse what is no payload, and what is no token, and go on waiting', async () => {
    const { run, token } = await waiting(Receipt);
    await expect(flowstone.signals.deliver(token, { ...PAYMENT, cents: 0 })).rejects.toMatchObject({
      code: 'FLOWSTONE_SIGNAL_INVALID',
      context: { problems: [expect.stringContaining('cents')] },
    });
    const changed = token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A');
    const [prefix, id, round, signature] = token.split('-');
    for (const wrong of [
      changed,
      '',
      'x',
      undefined,
      [prefix, id, Number(round) + 1, signature].join('-'),
      `${token} `,
    ]) {
      await expect(flowstone.signals.deliver(wrong as string, PAYMENT)).rejects.toMatchObject({
        code: 'FLOWSTONE_SIGNAL_UNKNOWN',
      });
    }
    const approval = (await flowstone.signals.list()).items[0]!.id;
    await expect(flowstone.approvals.approve(approval, { by: 'anna' })).rejects.toMatchObject({
      code: 'FLOWSTONE_APPROVAL_INVALID',
    });
    await flowstone.signals.deliver(token, PAYMENT);
    await run.wait();
  });

  it('do not lose an answer that comes before they wait', async () => {
    world.early = PAYMENT;
    await (await flowstone.materialize(Receipt)).wait({ timeout: '20s' });
    expect(await flowstone.load(Receipt)).toBe('zoe paid 500 on 2024-05-01');
  });

  it('have a value, or fail, when nothing came in time', async () => {
    await (await flowstone.materialize(Late)).wait({ timeout: '20s' });
    expect(await flowstone.load(Late)).toEqual([]);
    await expect((await flowstone.materialize(Never)).wait({ timeout: '20s' })).rejects.toMatchObject({
      result: { failures: [{ error: { code: 'FLOWSTONE_CHECKPOINT_TIMED_OUT' } }] },
    });
  });

  it('ask anew where an input has changed, and the former answer is void', async () => {
    const { run, token } = await waiting(Receipt);
    world.order = 8;
    await (await flowstone.materialize(Order, { force: true })).wait();
    await expect(flowstone.signals.deliver(token, PAYMENT)).rejects.toMatchObject({
      code: 'FLOWSTONE_APPROVAL_CONFLICT',
    });
    while (world.asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    const [, again] = world.asked;
    expect(again).toMatchObject({ order: 8 });
    expect(again!.token).not.toBe(token);
    await run.wait({ until: 'settled' });
    await flowstone.signals.deliver(again!.token, PAYMENT);
    await run.wait();
  });

  it('are void with their run', async () => {
    const { run, token } = await waiting(Receipt);
    await run.cancel();
    await expect(flowstone.signals.deliver(token, PAYMENT)).rejects.toMatchObject({
      code: 'FLOWSTONE_APPROVAL_CONFLICT',
    });
  });
});

it('signals need a secret', async () => {
  await expect(startApp([Late], { storage: 'memory' })).rejects.toMatchObject({
    code: 'FLOWSTONE_OPTIONS_INVALID',
    message: expect.stringContaining('signalSecret'),
  });
});
