// The ledger on the embedded database.
import { afterAll, beforeAll } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { openEmbeddedDatabase, type EmbeddedDatabase } from '../../lib/ledger/embedded/embedded.database.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { sqlLedger } from './ledger-sql.fixture.js';
import { ledgerConformance } from './ledger.suite.js';

let database: EmbeddedDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  database = await openEmbeddedDatabase({ memory: true });
  dataSource = await ledgerDataSource({ driver: database.driver }, 'flowstone').initialize();
});

afterAll(async () => {
  await dataSource.destroy();
  await database.close();
});

ledgerConformance('embedded', () => sqlLedger(dataSource));
