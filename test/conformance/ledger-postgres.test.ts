// The ledger on a PostgreSQL server.
import { afterAll, beforeAll } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';
import { sqlLedger } from './ledger-sql.fixture.js';
import { ledgerConformance } from './ledger.suite.js';

let database: FreshDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  database = await freshDatabase();
  dataSource = await ledgerDataSource({ url: database.url }, 'flowstone').initialize();
});

afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

ledgerConformance('PostgreSQL', () => sqlLedger(dataSource));
