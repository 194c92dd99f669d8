// Conformance of ledgers with a database: values that are committed with their records.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { LedgerValues, ValueSql } from '../../lib/ledger/value-database.port.js';
import type { Claim, Outcome } from '../../lib/ledger/work.js';
import { attempt, success, type World } from './ledger.fixture.js';

const TABLE = 'public.joined_values';

export function valueBehaviours(world: () => World): void {
  let values: LedgerValues;
  let claim: Claim;

  beforeEach(async () => {
    values = world().ledger.values!;
    await values.transaction(async (sql) => {
      await sql.rows(`CREATE TABLE IF NOT EXISTS ${TABLE} (id bigint PRIMARY KEY, note text)`);
      await sql.rows(`DELETE FROM ${TABLE}`);
    });
    await world().run([{ asset: 'a' }, { asset: 'b', upstreams: [0] }]);
    claim = await world().claimOne();
  });

  const write = (note: string) => async (sql: ValueSql) => {
    await sql.rows(`DELETE FROM ${TABLE}`);
    await sql.copy(`COPY ${TABLE} FROM STDIN`, [Buffer.from(`1\t${note}\n`), Buffer.from(`2\t\\N\n`)]);
  };
  const settle = (outcome: Outcome, written: (sql: ValueSql) => Promise<void>) =>
    values.settle(outcome, async (sql) => {
      await written(sql);
      return outcome;
    });
  const rows = () => values.transaction((sql) => sql.rows(`SELECT id, note FROM ${TABLE} ORDER BY id`));

  describe('a value in the database of the ledger', () => {
    it('is committed with its record and all that follows', async () => {
      expect(await settle(success(claim), write('new'))).toMatchObject({
        verdicts: ['committed'],
        released: true,
      });
      expect(await rows()).toEqual([
        ['1', 'new'],
        ['2', null],
      ]);
      expect(await world().headOf('a')).toMatchObject({ materialization: claim.id });
      expect(await world().claimOne()).toMatchObject({ asset: 'b' });
    });

    it('is not written by an attempt that was fenced', async () => {
      await settle(success(claim), write('first'));
      for (const late of [success(claim), success(claim, { epoch: claim.epoch + 1 })]) {
        expect(await settle(late, write('late'))).toMatchObject({ verdicts: ['fenced'], released: false });
      }
      expect(await rows()).toEqual([
        ['1', 'first'],
        ['2', null],
      ]);
    });

    it('is not written after the deadline of its attempt', async () => {
      await world().ledger.start([{ ...attempt(claim), timeout: 1000 }]);
      await world().pass(2000);
      expect(await settle(success(claim), write('late'))).toMatchObject({ verdicts: ['expired'] });
      expect(await rows()).toEqual([]);
    });

    it('leaves no record where it could not be written', async () => {
      const failing = settle(success(claim), async (sql) => {
        await write('half')(sql);
        await sql.rows(`INSERT INTO ${TABLE} VALUES (1, 'again')`);
      });
      await expect(failing).rejects.toMatchObject({ code: '23505' });
      const reason = new Error('told to stop');
      const stopped = settle(success(claim), async (sql) => {
        await write('half')(sql);
        throw reason;
      });
      await expect(stopped).rejects.toBe(reason);
      expect(await rows()).toEqual([]);
      expect((await world().ledger.materialization(claim.id))!.status).toBe('running');
      expect(await settle(success(claim), write('whole'))).toMatchObject({ verdicts: ['committed'] });
    });

    it('is not written where its record cannot be, which is told as its failure', async () => {
      const told = await settle(
        success(claim, { value: { io: 'x', location: 1, size: 2 ** 70, rows: 1, hash: 'h' } }),
        write('unrecorded'),
      );
      expect(told.verdicts[0]).toMatchObject({ refused: { code: 'FLOWSTONE_LEDGER_OUTCOME_REFUSED' } });
      expect(await rows()).toEqual([]);
      expect((await world().ledger.materialization(claim.id))!.status).toBe('failed');
    });

    it('is written by several at once, each with its record', async () => {
      await world().run(['x', 'y', 'z', 'u', 'v', 'w', 's', 't'].map((partition) => ({ asset: 'p', partition })));
      const claims = await world().claim();
      const settled = await Promise.all(
        claims.map((each) =>
          settle(success(each), async (sql) => {
            await sql.rows(`INSERT INTO ${TABLE} VALUES ($1, 'one of many')`, [each.id]);
          }),
        ),
      );
      expect(settled.flatMap(({ verdicts }) => verdicts)).toEqual(claims.map(() => 'committed'));
      expect((await rows()).map(([id]) => Number(id))).toEqual(claims.map(({ id }) => id));
    });

    it('is read as text, whatever its type', async () => {
      const [row] = await values.transaction((sql) =>
        sql.rows(`SELECT 1::bigint, 0.1::float8, true, '{"a": [1]}'::jsonb, '\\x00ff'::bytea, NULL,
          '2001-03-04 05:06:07.089+02'::timestamptz, '2001-03-04'::date, ARRAY[1, NULL]`),
      );
      expect(row).toEqual([
        ...['1', '0.1', 't', '{"a": [1]}', '\\x00ff', null],
        ...['2001-03-04 03:06:07.089+00', '2001-03-04', '{1,NULL}'],
      ]);
    });
  });

  describe('a small document', () => {
    const documents = () =>
      values.transaction((sql) =>
        sql.rows(
          `SELECT materialization_id, epoch, part, content FROM ${values.schema}.value_documents
          WHERE materialization_id = ANY ($1::bigint[]) ORDER BY materialization_id`,
          [[claim.id, claim.id + 1]],
        ),
      );

    it('is committed with its record, beside others', async () => {
      await world().settle(success(claim, { document: '{"a": 1}' }));
      const next = await world().claimOne();
      await world().settle(success(next, { document: '[2]' }));
      expect(await documents()).toEqual([
        [String(claim.id), '1', '0', '{"a": 1}'],
        [String(next.id), '1', '0', '[2]'],
      ]);
    });

    it('is not written where its record is not', async () => {
      const told = await world().settle(success(claim, { epoch: claim.epoch + 1, document: '1' }));
      expect(told).toMatchObject({ verdicts: ['fenced'] });
      await world().run([{ asset: 'c' }]);
      const [c] = await world().claim();
      const both = await world().settle(success(claim, { document: '{no json' }), success(c!, { document: '"c"' }));
      expect(both.verdicts[0]).toMatchObject({ refused: { code: 'FLOWSTONE_LEDGER_OUTCOME_REFUSED' } });
      expect(both.verdicts[1]).toBe('committed');
      expect(await documents()).toEqual([]);
    });
  });
}
