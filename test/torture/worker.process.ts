// A worker under torture: an application of the assets that does what its parent asks, until it is killed or told to
// close. It runs the build in whose folder it stands, which may be a mutant.
import 'reflect-metadata';
import { inspect } from 'node:util';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FLOWSTONE_DATA_SOURCE, FlowStoneError, FlowStoneModule, FlowStoneService } from '../../lib/index.js';
import type { DataSource } from '../../lib/ledger/ledger.port.js';
import { ASSETS, prepareAssets, SITES } from './assets.js';
import type { Answer, Command, Order, WorkerSettings } from './command.js';

const { options, evidence, seed } = JSON.parse(process.argv[2] ?? '') as WorkerSettings;
prepareAssets(evidence, seed);

@Module({ imports: [FlowStoneModule.forRoot(options)], providers: Object.values(ASSETS) })
class TortureModule {}

const say = (answer: Answer): void => void process.send?.(answer);
// Without a parent nobody would ever end it.
process.on('disconnect', () => process.exit(1));

const app = await NestFactory.createApplicationContext(TortureModule, { logger: ['warn', 'error', 'fatal'] });
app.enableShutdownHooks();
const flowstone = app.get(FlowStoneService);
const dataSource: DataSource = app.get(FLOWSTONE_DATA_SOURCE);

process.on('message', ({ number, command }: Order) => {
  carryOut(command).then(
    (run) => say({ kind: 'done', number, ...(run !== undefined && { run }) }),
    (error: unknown) => {
      // In a transaction of its own the host meets the errors of its driver.
      const expected = error instanceof FlowStoneError || command.act === 'transact';
      say({ kind: 'refused', number, expected, error: error instanceof FlowStoneError ? error.code : inspect(error) });
    },
  );
});
say({ kind: 'ready' });

/** The run that was asked for, of those commands that ask for one. */
async function carryOut(command: Command): Promise<number | undefined> {
  switch (command.act) {
    case 'materialize':
      return (await flowstone.materialize(command.asset, command.options)).id;
    case 'transact':
      return inTransaction(command);
    case 'ensure': {
      const { partition, maxAge } = command;
      await flowstone.ensure(ASSETS[command.asset], {
        timeout: '2s',
        ...(partition !== undefined && { partition }),
        ...(maxAge !== undefined && { maxAge }),
      });
      return undefined;
    }
    case 'decide':
      await decide(command);
      return undefined;
    case 'cancel':
      await flowstone.cancel(command.run, { by: 'torture' });
      return undefined;
    case 'retry':
      return (await flowstone.retry(command.run)).id;
    case 'invalidate': {
      const { partition } = command;
      await flowstone.invalidate(command.asset, partition === undefined ? {} : { partition });
      return undefined;
    }
    case 'add':
      await flowstone.addPartitions(SITES, command.keys);
      return undefined;
    case 'remove':
      await flowstone.removePartitions(SITES, command.keys);
      return undefined;
  }
}

async function decide({ what, which, by, roles }: Extract<Command, { act: 'decide' }>): Promise<void> {
  const { approvals } = flowstone;
  const { items } = await approvals.list();
  const open = items[Math.floor(which * items.length)];
  if (!open) return;
  const person = { by, roles, reason: 'chance would have it so' };
  const { id, proposal } = open;
  if (what === 'approve') await approvals.approve(id, { ...person, ...(proposal && { proposal: proposal.number }) });
  if (what === 'modify') await approvals.modify(id, { grade: 1 }, person);
  if (what === 'reject') await approvals.reject(id, person);
  if (what === 'escalate') await approvals.escalate(id, { ...person, ...(which < 0.5 && { to: { users: [by] } }) });
  if (what === 'extend') await approvals.extend(id, { ...person, for: '300ms' });
  if (what === 'comment') await approvals.comment(id, 'let me see', person);
}

async function inTransaction({
  asset,
  options: request,
  end,
}: Extract<Command, { act: 'transact' }>): Promise<number | undefined> {
  const runner = dataSource.createQueryRunner();
  try {
    // What was forgotten before, if this connection is the first to be lent again, is not to become a part of it.
    await runner.query('ROLLBACK');
    await runner.startTransaction();
    const { id } = await flowstone.materialize(asset, { ...request, manager: runner.manager });
    if (end === 'commit') await runner.commitTransaction();
    if (end === 'rollback') await runner.rollbackTransaction();
    return id;
  } finally {
    // Also amid the transaction, where the request was refused: a host may be as careless.
    await runner.release();
  }
}
