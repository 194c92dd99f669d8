// The ledger's schema on PostgreSQL: creating, migrating, refusing, and what the entities say of it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { LEDGER_ENTITIES } from '../../lib/ledger/entities/index.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { migrateLedger } from '../../lib/ledger/sql/schema.js';
import { SqlLedger } from '../../lib/ledger/sql/sql-ledger.js';
import { MIGRATIONS } from '../../migrations/index.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

let database: FreshDatabase;
let dataSource: DataSource;
let schemas = 0;
let schema: string;

beforeAll(async () => {
  database = await freshDatabase();
  dataSource = await ledgerDataSource({ url: database.url }, 'public').initialize();
});

afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

beforeEach(() => {
  schema = `ledger_${++schemas}`;
});

const open = (migrate: boolean) => new SqlLedger({ dataSource, own: false, schema, migrate }).open();

describe('the schema of the ledger', () => {
  it('is made once, however many processes migrate at once', async () => {
    const ran = await Promise.all(Array.from({ length: 4 }, () => migrateLedger(dataSource, schema)));
    expect(ran.flat()).toHaveLength(MIGRATIONS.length);
    const recorded: { name: string }[] = await dataSource.query(`SELECT name FROM ${schema}.migrations ORDER BY id`);
    expect(recorded.map(({ name }) => name)).toEqual(MIGRATIONS.map((Migration) => new Migration().name));
    expect(await migrateLedger(dataSource, schema)).toEqual([]);
  });

  it('leaves the search path of the connection alone', async () => {
    const [before] = await dataSource.query('SHOW search_path');
    await migrateLedger(dataSource, schema);
    expect((await dataSource.query('SHOW search_path'))[0]).toEqual(before);
  });

  it('is refused where it is missing, saying how to make it', async () => {
    await expect(open(false)).rejects.toMatchObject({
      code: 'FLOWSTONE_LEDGER_SCHEMA_OUTDATED',
      message: expect.stringMatching(/holds no ledger.*migrateLedger/),
    });
    await open(true);
    await open(false);
  });

  it('is refused where it is older', async () => {
    await migrateLedger(dataSource, schema);
    await dataSource.query(`UPDATE ${schema}.installation SET schema_version = 0`);
    await expect(open(false)).rejects.toMatchObject({ code: 'FLOWSTONE_LEDGER_SCHEMA_OUTDATED' });
  });

  it('is refused only where a newer one shuts this library out', async () => {
    await migrateLedger(dataSource, schema);
    await dataSource.query(`UPDATE ${schema}.installation SET schema_version = 99`);
    await open(true);
    await dataSource.query(`UPDATE ${schema}.installation SET lowest_version = 99`);
    await expect(open(true)).rejects.toMatchObject({ code: 'FLOWSTONE_LEDGER_SCHEMA_TOO_NEW' });
  });

  it('has a plain name', () => {
    expect(() => new SqlLedger({ dataSource, own: false, schema: 'a"; DROP', migrate: true })).toThrow(
      expect.objectContaining({ code: 'FLOWSTONE_OPTIONS_INVALID' }),
    );
  });

  it('is what the entities say: tables, columns, types, null or not, keys', async () => {
    await migrateLedger(dataSource, schema);
    const columns: { table: string; column: string; type: string; nullable: boolean; key: boolean }[] =
      await dataSource.query(
        `SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, NULL) AS type,
          NOT a.attnotnull AS nullable, COALESCE(a.attnum = ANY (k.conkey), false) AS key
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
        WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND c.relname <> 'migrations'
          AND c.relname NOT IN ('value_tables', 'value_slices', 'value_documents') -- of values, which may be in other databases, too`,
        [schema],
      );
    const stored = columns.map(({ table, column, type, nullable, key }) =>
      // TypeORM has no name for the type of a transaction's number.
      [
        table,
        column,
        type.replace('timestamp with time zone', 'timestamptz').replace('xid8', 'text'),
        nullable,
        key,
      ].join(' '),
    );
    const declared = LEDGER_ENTITIES.flatMap((entity) => {
      const { tableName, columns: all, synchronize } = dataSource.getMetadata(entity);
      expect(synchronize).toBe(false);
      return all.map(({ databaseName, type, isArray, isNullable, isPrimary }) =>
        [tableName, databaseName, String(type) + (isArray ? '[]' : ''), isNullable, isPrimary].join(' '),
      );
    });
    expect(declared.sort()).toEqual(stored.sort());
  });

  it('is undone by its migration', async () => {
    await migrateLedger(dataSource, schema);
    await dataSource.transaction(async ({ queryRunner }) => {
      await queryRunner!.query(`SET LOCAL search_path TO ${schema}`);
      for (const Migration of MIGRATIONS.toReversed()) await new Migration().down(queryRunner!);
    });
    const tables = await dataSource.query(`SELECT tablename FROM pg_tables WHERE schemaname = $1`, [schema]);
    expect(tables).toEqual([{ tablename: 'migrations' }]);
  });

  it('stores no nonsense', async () => {
    await migrateLedger(dataSource, schema);
    await dataSource.query(`INSERT INTO ${schema}.namespaces (name) VALUES ('n')`);
    await dataSource.query(`INSERT INTO ${schema}.materializations (head_id, asset_id, namespace, status)
      VALUES (1, 1, 1, 'pending')`);
    const update = (set: string) => dataSource.query(`UPDATE ${schema}.materializations SET ${set}`);
    for (const nonsense of [
      `status = 'done'`,
      `status = 'running'`,
      `status = 'running', process = 'p', epoch = 1, blockers = 1`,
      `status = 'success', data_version = 'v'`,
      `status = 'success', completed_at = now()`,
      `status = 'skipped', completed_at = now()`,
      `waiting_for = id`,
      `waiting_for = id + 1, status = 'running', process = 'p', epoch = 1`,
      `blockers = -1`,
    ]) {
      await expect(update(nonsense)).rejects.toThrow(/materializations_state/);
    }
  });
});
