// What `flowstone.approvals` and `flowstone.signals` have in common.
import type { AssetClass, AssetDefinition, DeclaredAsset } from '../assets/asset.definition.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { ApprovalRecord } from '../ledger/approval.records.js';
import type { ApprovalFilter } from '../ledger/approvals.port.js';
import type { Ledger, Page } from '../ledger/ledger.port.js';
import type { JsonValue } from '../ledger/records.js';
import type { ApprovalsFilter, ApprovalsPage } from './approval.requests.js';

/** What a desk needs of the rest. */
export interface DeskParts {
  readonly ledger: Pick<Ledger, 'approvals'>;
  /** Of an asset by class or key. */
  resolve(asset: AssetClass | string): DeclaredAsset;
  /** With its class, where this process has it. */
  find(asset: string): AssetDefinition | undefined;
  /** There may be work in these pools; the run has changed. */
  changed(run: number, rings: readonly string[]): void;
  /** Throws where asking would wait for the caller itself. */
  beforeUse(): void;
}

/** Open ones by deadline, or what the filter says. */
export function listOf(
  parts: DeskParts,
  kind: NonNullable<ApprovalFilter['kind']>,
  { status = 'open', asset, run, materialization, for: person }: ApprovalsFilter,
  { limit = 50, before, order = 'deadline' }: ApprovalsPage,
): Promise<Page<ApprovalRecord>> {
  return parts.ledger.approvals.approvals(
    {
      kind,
      ...(status !== 'all' && { status: typeof status === 'string' ? [status] : status }),
      ...(asset !== undefined && { asset: parts.resolve(asset).key }),
      ...(run !== undefined && { run }),
      ...(materialization !== undefined && { materialization }),
      ...(person && { audience: { users: [person.user], roles: person.roles ?? [] } }),
    },
    { limit, before, order },
  );
}

/**
 * An asset with its classes, by which a value is checked.
 * @throws FlowStoneError FLOWSTONE_ASSET_CODE_ELSEWHERE
 */
export function definitionIn(parts: DeskParts, asset: string, value: string): AssetDefinition {
  const definition = parts.find(asset);
  if (definition) return definition;
  throw new FlowStoneError(
    'FLOWSTONE_ASSET_CODE_ELSEWHERE',
    `This process does not have the class of ${asset}, by which the ${value} is checked. Ask one that declares it.`,
    { context: { asset } },
  );
}

/** What of a value is kept as JSON; undefined: nothing. */
export function jsonOf(value: unknown): JsonValue | undefined {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? undefined : (JSON.parse(text) as JsonValue);
}
