// Whose a table is: the asset whose values it holds, and by which layout. Either changes only while it holds none.
import { FlowStoneError } from '../../../flowstone.errors.js';
import type { ValueSql } from '../../../ledger/value-database.port.js';
import type { StoreContext } from '../../io-manager.port.js';
import { layoutName } from './table.layout.js';
import type { Table } from './table.preparation.js';
import * as statements from './table.statements.js';

type Owned = Pick<Table, 'name' | 'layout'>;
type Owner = Pick<StoreContext, 'namespace' | 'asset' | 'formerly'>;
type Row = readonly (string | null)[];

/** Whether an asset may store in a table without more ado. @param there what `tableOwner` found */
export function isOwner([namespace, asset, layout]: Row, table: Owned, owner: Owner): boolean {
  return namespace === owner.namespace && asset === owner.asset && layout === table.layout;
}

/**
 * Gives a table to an asset, until the end of the transaction as the only one that stores there.
 * @throws FlowStoneError FLOWSTONE_IO_TABLE_UNFIT: it holds values of another asset, or values by another layout
 */
export async function takeTable(sql: ValueSql, schema: string, table: Owned, owner: Owner): Promise<void> {
  const mine = [table.name, owner.namespace, owner.asset, table.layout];
  await sql.rows(statements.enterTable(schema), mine);
  const [there] = await sql.rows(statements.lockTable(schema), [table.name]);
  if (isOwner(there!, table, owner)) return;
  // A statement of its own, now that whoever was storing there has ended: it sees what that left.
  const [held] = await sql.rows(statements.anySlice(schema), [table.name]);
  const problem = held && heldProblem(there!, table, owner);
  if (problem !== undefined) throw unfit(owner, problem);
  await sql.rows(statements.giveTable(schema), mine);
}

/** Why an asset cannot store beside what a table holds; undefined where it can. */
function heldProblem([namespace, asset, layout]: Row, table: Owned, owner: Owner): string | undefined {
  const former = owner.formerly?.includes(asset!) ?? false;
  if (namespace !== owner.namespace || !(asset === owner.asset || former))
    return `table ${table.name} holds rows of asset ${asset} of namespace ${namespace}: use another table, or delete that asset's values, or name it in formerly if it is this one's old key`;
  if (layout === table.layout) return undefined;
  // With its key changes the ledger gives values to an asset, unless that has become partitioned, or whole.
  const given = layout !== '' && table.layout !== '';
  const how = given ? `with delete('${owner.asset}', { partitions: 'all' })` : 'while it is still declared so';
  return `table ${table.name} holds rows of ${asset} ${layoutName(layout!)}, and ${owner.asset} is declared ${layoutName(table.layout)}, so that rows of one partition would be taken for those of another: delete its values ${how}, or drop the table, or use another one`;
}

/** The asset cannot be kept in its table; `why` completes "cannot be kept in a table: ". */
export function unfit({ asset }: Pick<StoreContext, 'asset'>, why: string): FlowStoneError {
  return new FlowStoneError('FLOWSTONE_IO_TABLE_UNFIT', `${asset} cannot be kept in a table: ${why}.`, {
    context: { asset },
  });
}
