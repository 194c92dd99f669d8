// Where worker processes are tested together: a PostgreSQL database of their own, and an application that asks and looks, but
// executes nothing.
import { join } from 'node:path';
import type { Provider, Type } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import type { DataSource } from 'typeorm';
import type { FlowStoneOptions, FlowStoneService } from '../../lib/index.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { startApp } from '../behaviour/graph.js';
import { testStorage, type TestStorage } from '../behaviour/storages.js';
import { LeaseProcess } from './lease-process.js';

export class Workplace {
  /** Those that were started here, also if they have ended since. */
  readonly workers: LeaseProcess[] = [];

  app!: TestingModule;
  flowstone!: FlowStoneService;

  private constructor(
    private readonly assets: readonly (Type | Provider)[],
    private readonly storage: TestStorage,
    readonly options: FlowStoneOptions,
    /** The file in which executions are told of. */
    readonly journal: string,
    readonly database: DataSource,
  ) {}

  /** @param assets what the application declares */
  static async open(assets: readonly (Type | Provider)[], times: FlowStoneOptions): Promise<Workplace> {
    const storage = await testStorage('postgres');
    const options = { ...storage.options, ...times };
    const database = await ledgerDataSource(options.storage as { url: string }, 'flowstone').initialize();
    const place = new Workplace(assets, storage, options, join(options.directory!, 'journal'), database);
    await place.#start();
    return place;
  }

  async #start(more: FlowStoneOptions = {}): Promise<void> {
    const { app, flowstone } = await startApp(this.assets, { ...this.options, ...more, role: 'api' });
    this.app = app;
    this.flowstone = flowstone;
  }

  /** Closes the application and starts another one, with these options as well. */
  async restart(more: FlowStoneOptions): Promise<void> {
    await this.app.close();
    await this.#start(more);
  }

  /** Starts a process that works here (see LeaseProcess.start). */
  async work(
    more: FlowStoneOptions = {},
    declares?: { readonly module: string; readonly version: string },
  ): Promise<LeaseProcess> {
    const worker = await LeaseProcess.start({ ...this.options, ...more }, this.journal, declares);
    this.workers.push(worker);
    return worker;
  }

  async close(): Promise<void> {
    for (const worker of this.workers) worker.signal('SIGCONT');
    await Promise.all(this.workers.map((worker) => worker.end()));
    await this.app.close();
    await this.database.destroy();
    await this.storage.remove();
  }
}
